"""What a kind of process has done and has yet to do outlives the process: kills, restarts, two at once."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, SandboxGateway
from commands.processes.following import checkpoint_of
from commands.processes.kind import CHECKPOINT_BEFORE_KINDS
from commands.processes.manager import all_kinds, lock_of, utc_now
from commands.processes.payment import Payment
from commands.processes.reservation_expiry import ReservationExpiry
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from tests.event_store.given import entry
from tests.shop.commands import ORDER, Shop, eventually
from tests.shop.facts import NOON
from tests.shop.gateways import CountedGateway

MONTH = timedelta(days=30)


class Workers:
    """Processes of their own that do the work of the process managers on one log."""

    def __init__(self, url, folder):
        self._words = [sys.executable, "-m", "tests.processes.worker", url, str(folder / "sandbox.sqlite")]
        self._calls = folder / "calls"
        self._folder = folder

    @contextmanager
    def one(self, *, checkpoint_seconds=0.1):
        with (self._folder / "worker.log").open("ab") as out:
            words = [*self._words, str(self._calls), str(checkpoint_seconds)]
            process = subprocess.Popen(words, stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @property
    def calls(self):
        """How often the gateway was called, by key."""
        return Counter(self._calls.read_text().split()) if self._calls.exists() else Counter()


@pytest.fixture
def postgres_shop(tmp_path, fresh_postgres):
    log = PostgresLog.open(fresh_postgres)
    gateway = SandboxGateway(tmp_path / "sandbox.sqlite")
    yield Shop(log, gateway, now=utc_now())  # as for the workers
    log.close()
    gateway.close()


@pytest.fixture
def workers(fresh_postgres, tmp_path):
    return Workers(fresh_postgres, tmp_path)


def numbered(number):
    return f"{number:032x}"


async def confirmed(shop, orders):
    for order in orders:
        await eventually(
            lambda order=order: shop.statuses(order) == ("confirmed", "authorized"),
            lambda order=order: (order, shop.statuses(order)),
            seconds=60,
        )


def test_killed_between_its_work_and_its_checkpoint_it_repeats_nothing(postgres_shop, workers):
    async def run():
        async with postgres_shop.open() as shop:
            with workers.one(checkpoint_seconds=1e9) as killed:
                for number in range(1, 4):
                    await shop.sell(numbered(number))
                await confirmed(shop, map(numbered, range(1, 4)))
                killed.kill()
                killed.wait()
            assert shop.checkpoints() == (None, None)
            head = shop.log.head()
            with workers.one():
                await eventually(lambda: shop.checkpoints() == (head, head), shop.checkpoints, seconds=60)
            assert shop.log.head() == head
            assert shop.open_work() == []

    asyncio.run(run())
    assert workers.calls == {f"checkout-{numbered(number)}/1": 1 for number in range(1, 4)}
    assert postgres_shop.charged() == [("authorized", 0, 0)] * 3


def test_of_two_one_works_and_the_other_takes_over_when_it_is_killed(postgres_shop, workers):
    async def run():
        async with postgres_shop.open() as shop:
            with workers.one() as first:
                await shop.sell(numbered(1))
                await confirmed(shop, [numbered(1)])
                with workers.one() as second:
                    for number in range(2, 4):
                        await shop.sell(numbered(number))
                    await confirmed(shop, map(numbered, range(2, 4)))
                    first.kill()
                    first.wait()
                    await shop.sell(numbered(4))
                    await confirmed(shop, [numbered(4)])
                    assert second.poll() is None

    asyncio.run(run())
    assert workers.calls == {f"checkout-{numbered(number)}/1": 1 for number in range(1, 5)}
    assert postgres_shop.charged() == [("authorized", 0, 0)] * 4


HOLDERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::bigint << 32 | objid::bigint)"
    " = ANY (SELECT hashtextextended(name, 0) FROM unnest(%s::text[]) AS name)"
)


def test_one_that_stood_still_while_another_took_over_does_no_harm_when_it_goes_on(
    postgres_shop, workers, fresh_postgres
):
    def lose_the_locks():
        names = [f"exclusive daybook {lock_of(kind)}" for kind in (Payment, ReservationExpiry)]
        with psycopg.connect(fresh_postgres, autocommit=True) as sql:
            assert len(sql.execute(HOLDERS, [names]).fetchall()) == 2

    async def run():
        async with postgres_shop.open() as shop:
            with workers.one(checkpoint_seconds=0.0) as first:
                await shop.sell(numbered(1), units=100)
                await confirmed(shop, [numbered(1)])
                with workers.one(checkpoint_seconds=0.0):
                    first.send_signal(signal.SIGSTOP)
                    await asyncio.to_thread(lose_the_locks)
                    await shop.sell(numbered(2), method=AUTHENTICATION_REQUIRED, units=100)
                    await shop.until("placed", "action_required", order_id=numbered(2))
                    await shop.sell(numbered(3), units=100)
                    await confirmed(shop, [numbered(3)])
                    first.send_signal(signal.SIGCONT)
                    for number in range(4, 7):
                        await shop.sell(numbered(number), units=100)
                    await confirmed(shop, map(numbered, range(4, 7)))
                    head = shop.log.head()
                    await eventually(lambda: shop.checkpoints() == (head, head), shop.checkpoints, seconds=60)
                    assert shop.open_work() == [(numbered(2), 0)]  # its timer

    asyncio.run(run())
    # Until it notices, it may call too: under the same key, so that nothing is done twice.
    assert set(workers.calls) == {f"checkout-{numbered(number)}/1" for number in range(1, 7)}
    assert sorted(postgres_shop.charged()) == [("action_required", 0, 0)] + [("authorized", 0, 0)] * 5


def test_a_timer_set_before_a_restart_fires_after_it_and_not_before_its_time(shop):
    async def run():
        async with shop.open() as first, first.managers():
            await first.sell(method=AUTHENTICATION_REQUIRED, kept=MONTH)
            await first.until("placed", "action_required")
            await eventually(lambda: shop.open_work() == [(ORDER, 0)], shop.open_work)
            await eventually(lambda: shop.checkpoints() == (shop.log.head(),) * 2, shop.checkpoints)
        for days in (1, 29):
            async with shop.open() as another:
                another.now = NOON + timedelta(days=days)
                async with another.managers():
                    await asyncio.sleep(0.3)  # Absence: it does not fire.
                    assert another.statuses() == ("placed", "action_required")
        async with shop.open() as last:
            last.now = NOON + MONTH
            async with last.managers():
                await last.until("canceled", "voided")

    asyncio.run(run())
    assert shop.stock() == (10, 0)


def test_a_timer_fires_in_the_process_that_set_it_however_far_ahead_it_is(shop):
    async def run():
        async with shop.open() as only, only.managers():
            await only.sell(method=AUTHENTICATION_REQUIRED, kept=MONTH)
            await only.until("placed", "action_required")
            for days in range(1, 30, 7):
                only.now = NOON + timedelta(days=days)
                await asyncio.sleep(0.05)  # Absence: it does not fire.
                assert only.statuses() == ("placed", "action_required")
            only.now = NOON + MONTH
            await only.until("canceled", "voided")

    asyncio.run(run())


class CountingLog(MemoryLog):
    """Notes each reading of the whole log: after which position, and how many positions it covered."""

    def __init__(self):
        super().__init__()
        self.read = []

    def read_all(self, *, after, limit, types=(), up_to=None):
        page = super().read_all(after=after, limit=limit, types=types, up_to=up_to)
        self.read.append((after, (up_to or len(self._events)) - after))
        return page


def test_a_restart_reads_what_came_after_the_checkpoint_and_no_more(tmp_path):
    gateway = SandboxGateway(tmp_path / "sandbox.sqlite")
    shop = Shop(CountingLog(), gateway)
    kinds = all_kinds(gateway, shop.log)

    def checkpoints():
        return [shop.log.tracked(checkpoint_of(kind)) for kind in kinds]

    def fill(events):
        """With what other people do in their carts."""
        for start in range(0, events, 1_000):
            shop.log.append([entry({f"cart-{start}-{events}": 0}, *[f"cart-{start}-{events}"] * 1_000)])

    async def run():
        async with shop.open() as first:
            await first.sell(method=AUTHENTICATION_REQUIRED)  # Its timer is older than all that follows.
            async with first.managers():
                await first.until("placed", "action_required")
                fill(200_000)
                head = shop.log.head()
                await eventually(lambda: checkpoints() == [head] * len(kinds), checkpoints)
        fill(2_000)
        shop.log.read.clear()
        async with shop.open() as second:
            second.now = NOON + timedelta(hours=1)
            async with second.managers():
                await second.until("canceled", "voided")
        before = [
            one for one in shop.log.read if one[0] + one[1] < head
        ]  # The checkpoint's own is looked at.
        assert [covered for _, covered in before] == [1]  # the event that set the timer, by its position
        assert sum(covered for _, covered in shop.log.read) < len(kinds) * (2_000 + 100)

    asyncio.run(run())
    gateway.close()


def test_a_log_that_was_followed_before_each_kind_had_a_checkpoint_has_its_orders_finished(shop):
    async def run():
        async with shop.open() as before:
            await before.sell(numbered(1))
            async with before.managers(kinds=[Payment(shop.gateway, clock=lambda: NOON)]):
                await before.until("confirmed", "authorized", order_id=numbered(1))
            finished = shop.log.head()
            await before.sell(numbered(2))
            await before.sell(numbered(3), method=AUTHENTICATION_REQUIRED)
        # What the code of before kept: one checkpoint, before the oldest of what is open.
        shop.log._checkpoints.clear()
        shop.log._open_work.clear()
        shop.log.save_checkpoint(CHECKPOINT_BEFORE_KINDS, finished)
        gateway = CountedGateway(shop.gateway)
        async with shop.open() as now, now.managers(gateway):
            await now.until("confirmed", "authorized", order_id=numbered(2))
            await now.until("placed", "action_required", order_id=numbered(3))
            now.now = NOON + timedelta(hours=1)
            await now.until("canceled", "voided", order_id=numbered(3))
        assert sorted(gateway.keys) == [
            f"checkout-{numbered(2)}/1",
            f"checkout-{numbered(3)}/1",
            f"checkout-{numbered(3)}/2",
        ]

    asyncio.run(run())


def test_who_finds_that_another_follows_begins_anew_from_where_that_one_is(shop):
    async def run():
        async with shop.open() as only, only.managers():
            await only.sell(numbered(1))
            await only.until("confirmed", "authorized", order_id=numbered(1))
            head = shop.log.head()
            await eventually(lambda: shop.checkpoints() == (head, head), shop.checkpoints)
            for kind in (Payment, ReservationExpiry):  # Another, which lost the lock and did not notice.
                assert shop.log.save_progress(
                    checkpoint_of(kind), after=head, position=head - 1, opened=[], closed=[]
                )
            await only.sell(numbered(2))
            await only.until("confirmed", "authorized", order_id=numbered(2))
            await eventually(lambda: shop.checkpoints() == (shop.log.head(),) * 2, shop.checkpoints)
            assert shop.open_work() == []

    asyncio.run(run())
    assert shop.charged() == [("authorized", 0, 0)] * 2
