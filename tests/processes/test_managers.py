"""Who runs the process managers, and what becomes of their failures; on PostgreSQL where its lock matters."""

import asyncio
import threading
from collections import defaultdict
from uuid import uuid4

import psycopg
import pytest

from aggregates.kernel import Money
from aggregates.payments.events import ProcessStarted, StepBegun
from commands.handlers.fulfilment import FulfilOrder
from commands.processes.manager import ProcessManagers, all_kinds, lock_of
from commands.processes.payment import Payment
from commands.processes.reservation_expiry import ReservationExpiry
from event_store.errors import DecodingFailed
from event_store.postgres.log import PostgresLog
from event_store.records import Entry, NewEvent
from tests.shop.commands import ORDER, Shop, eventually
from tests.shop.facts import NOON
from tests.shop.gateways import CountedGateway

STRAY = "e" * 32


@pytest.fixture
def postgres_shop(shop, fresh_postgres):
    log = PostgresLog.open(fresh_postgres)
    yield Shop(log, shop.gateway)
    log.close()


def write(log, stream, *events):
    """Appends events as no command of the shop would."""
    entry = Entry(
        command_id=uuid4(),
        name="by_hand",
        verdict="accepted",
        reads={stream: 0},
        events=events,
        actor="test:",
        channel="test",
    )
    (outcome,) = log.append([entry])
    assert outcome.last_position is not None


def test_the_story_is_the_same_on_postgres(postgres_shop):
    async def run():
        async with postgres_shop.open() as shop, shop.managers():
            await shop.sell()
            await shop.until("confirmed", "authorized")
            await shop.do(FulfilOrder(order_id=ORDER, sent_at=NOON, fulfilment_id="f1"))
            await shop.until("fulfilled", "captured")

    asyncio.run(run())
    assert postgres_shop.charged() == [("captured", 2900, 0)]


def test_a_leader_whose_connection_is_cut_is_followed_by_another(postgres_shop, fresh_postgres, monkeypatch):
    def cut_the_locks_connection():
        with psycopg.connect(fresh_postgres, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchall()
            assert rows == [(True,)] * kinds

    gateway = CountedGateway(postgres_shop.gateway)
    kinds = len(all_kinds(gateway, postgres_shop.log))

    async def run():
        async with postgres_shop.open() as shop, shop.managers(gateway):
            await shop.sell()
            await shop.until("confirmed", "authorized")
            await asyncio.to_thread(cut_the_locks_connection)
            ask_for_lock, asking = shop.log.try_exclusive, defaultdict(set)

            def noted(name):
                asking[name].add(threading.get_ident())
                return ask_for_lock(name)

            monkeypatch.setattr(shop.log, "try_exclusive", noted)
            async with shop.managers(gateway):
                await shop.do(FulfilOrder(order_id=ORDER, sent_at=NOON, fulfilment_id="f1"))
                await shop.until("fulfilled", "captured")
                await eventually(  # Who lost the locks has noticed, and asks again too, in its own threads.
                    lambda: [len(threads) for threads in asking.values()] == [2] * kinds, lambda: dict(asking)
                )
                for number in "123":
                    await shop.sell(number * 32)
                    await shop.until("confirmed", "authorized", order_id=number * 32)

    asyncio.run(run())
    for number in "123":
        assert gateway.keys.count(f"checkout-{number * 32}/1") == 1
    assert sorted(postgres_shop.charged()) == [("authorized", 0, 0)] * 3 + [("captured", 2900, 0)]


def test_work_that_fails_by_our_mistake_holds_nobody_else_up(shop):
    stream = f"checkout-{STRAY}"
    begun = StepBegun(
        order_id=STRAY, step=1, call="authorize", amount=Money(5, "GBP"), method="pm_card_visa"
    )  # of an order that nobody placed
    write(
        shop.log,
        stream,
        shop.codec.encode(stream, ProcessStarted(order_id=STRAY, kind="checkout")),
        shop.codec.encode(stream, begun),
    )

    async def run():
        async with shop.open() as open_shop, open_shop.managers():
            await open_shop.sell()
            await open_shop.until("confirmed", "authorized")
            assert list(open_shop.open_steps(STRAY)) == [1]
            await open_shop.sell("2" * 32)
            await eventually(  # the open step stays in sight
                lambda: (stream, 1) in shop.open_work(), shop.open_work
            )

    asyncio.run(run())


def test_a_damaged_log_stops_the_managers_and_says_so(shop):
    write(shop.log, f"checkout-{STRAY}", NewEvent(f"checkout-{STRAY}", "payments.step_begun", 1, b"{}"))
    stopped = []

    async def run():
        async with shop.open() as open_shop:
            managers = ProcessManagers(
                shop.log,
                shop.codec,
                open_shop.handling,
                all_kinds(shop.gateway, shop.log),
                clock=lambda: NOON,
                failed=lambda name, error: stopped.append((name, type(error))),
            )
            with pytest.raises(DecodingFailed):
                async with managers:
                    await eventually(lambda: bool(stopped), lambda: "running")
                    assert not managers.lives

    asyncio.run(run())
    assert stopped == [("process manager payment", DecodingFailed)]
    for kind in (Payment, ReservationExpiry):  # for whoever comes next
        assert shop.log.try_exclusive(lock_of(kind)) is not None


def test_a_stop_gives_the_locks_back(shop):
    def is_held(kind):
        lock = shop.log.try_exclusive(lock_of(kind))
        if lock is not None:
            lock.release()
        return lock is None

    kinds = (Payment, ReservationExpiry)

    async def run():
        async with shop.open() as open_shop:
            for _ in range(3):
                async with open_shop.managers():
                    await eventually(lambda: all(map(is_held, kinds)), lambda: "a lock is free")
                assert not any(map(is_held, kinds))

    asyncio.run(run())
