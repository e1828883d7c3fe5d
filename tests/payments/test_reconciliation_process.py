"""News of a payout have the balance reconciled: once, up to it, and seen by an operator."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from aggregates.payments import gateway as gateway_kind
from aggregates.payments import process
from aggregates.payments.events import BalanceReconciled
from commands.gateways.gateway import Gateway, GatewayRefusal, GatewayUnavailable
from commands.gateways.sandbox import Books, SandboxGateway
from commands.gateways.stripe_events import API_VERSION, news_of
from commands.handlers.fulfilment import FulfilOrder
from commands.handlers.reconciliation import RecordReconciliation
from commands.processes.following import checkpoint_named
from commands.processes.gateway_news import command_of
from commands.processes.kind import AT_ONCE, Due
from commands.processes.reconciliation import ReconcileAfterPayout
from commands.reconciliation.fetching import REACH, Begin, next_begin
from commands.reconciliation.matching import LAG
from commands.reconciliation.running import EDGE_MAX
from event_store.memory.log import MemoryLog
from event_store.progress import OpenWork, TriedWork
from replays.verification.verify import verify
from tests.payments.reported import NOVEMBER, many, write_log
from tests.shop.commands import ORDER, DyingHandling, Shop, eventually
from tests.shop.facts import CODEC
from tests.shop.gateways import WatchedGateway
from tests.waiting import SECONDS_MAX

TOTAL = 2900


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose gateway shares its clock; the log has the machine's."""
    shop = Shop(MemoryLog(), None, now=datetime.now(UTC))  # type: ignore[arg-type]  # set below
    shop.gateway = SandboxGateway(Books(tmp_path / "sandbox.sqlite", clock=lambda: shop.now))
    yield shop
    shop.gateway.close()
    findings: list[str] = []
    verify(shop.log, CODEC, report=lambda finding: findings.append(str(finding)))
    assert findings == []


def kind_of(shop: Shop, gateway: Gateway | None = None) -> ReconcileAfterPayout:
    """The kind of process, over this process's handling loop."""
    return ReconcileAfterPayout(gateway or shop.gateway, shop.log, shop.do, pause_seconds=0.01)


@asynccontextmanager
async def reconciling(shop: Shop, gateway: Gateway | None = None) -> AsyncIterator[Shop]:
    """The shop while the process works, and no other."""
    async with shop.open() as one, one.managers(kinds=[kind_of(one, gateway)]):
        yield one


async def sold_and_sent(shop: Shop) -> str:
    """An order that is paid for; the gateway's name for its payment."""
    async with shop.open() as one, one.managers():
        await one.sell()
        await one.until("confirmed", "authorized")
        await one.do(FulfilOrder(order_id=ORDER, fulfilment_id="f", sent_at=one.now, lines=None))
        await eventually(lambda: one.charged() == [("captured", TOTAL, 0)], one.charged)
        await one.settled()
    (charge,) = shop.gateway.charges()
    return charge.reference


async def paid_out(shop: Shop, *, later: timedelta = timedelta(0)) -> datetime:
    """The gateway pays out, and its news of that come in."""
    shop.now += later
    shop.gateway.books.pay_out()
    events = shop.gateway.books.events(shop.now - timedelta(days=1))
    event = [one for one in events if one["created"] == int(shop.now.timestamp())][-1]
    command = command_of(news_of(event, livemode=False, api_version=API_VERSION), received_on=shop.now)
    async with shop.open() as one:
        await one.do(command)
    return datetime.fromtimestamp(event["created"], UTC)


def reconciliations(shop: Shop) -> list[BalanceReconciled]:
    stream = gateway_kind.reconciliation_stream("sandbox")
    return [CODEC.decode(one) for one in shop.log.read_stream(stream)]


async def reconciled(shop: Shop, times: int = 1) -> list[BalanceReconciled]:
    await eventually(lambda: len(reconciliations(shop)) >= times, lambda: reconciliations(shop))
    return reconciliations(shop)


def open_work(shop: Shop) -> list[TriedWork]:
    return shop.log.listed_work(checkpoint_named("reconciliation"), limit=100)


async def follows(shop: Shop) -> None:
    """The kind has a checkpoint: from now on it misses nothing."""
    async with reconciling(shop):
        name = checkpoint_named("reconciliation")
        await eventually(lambda: shop.log.tracked(name) is not None, lambda: shop.log.tracked(name))


def owed(shop: Shop) -> tuple[str, ...]:
    state: process.Process = shop.state(process.stream(ORDER))
    return () if state.owed is None else state.owed.concerns


def falsify(shop: Shop, gross: int) -> None:
    """The gateway's books say another amount of the charge."""
    shop.gateway.books._ledger.write(
        "UPDATE objects SET body = json_set(body, '$.amount', ?) WHERE kind = 'balance_transaction'", (gross,)
    )


def test_after_a_payout_all_that_moved_is_reconciled(shop: Shop) -> None:
    async def run() -> None:
        await follows(shop)
        reference = await sold_and_sent(shop)
        shop.gateway.books.refund_in_dashboard(reference, 500)  # no news of it come
        until = await paid_out(shop, later=timedelta(hours=4))
        async with reconciling(shop):
            assert await reconciled(shop) == [
                BalanceReconciled(
                    gateway="sandbox", since=until - REACH, until=until, lines=2, healed=1, left=0
                )
            ]
        assert shop.state(f"payment-{ORDER}").returned == 500
        assert owed(shop) == ()

    asyncio.run(run())


def test_what_is_left_is_on_the_operator_s_list(shop: Shop) -> None:
    async def run() -> None:
        await follows(shop)
        await sold_and_sent(shop)
        falsify(shop, TOTAL + 1)
        await paid_out(shop, later=timedelta(minutes=1))
        async with reconciling(shop):
            [made] = await reconciled(shop)
            assert (made.left, made.healed, made.failure) == (1, 0, None)
            assert owed(shop) == ("unreconciled",)

    asyncio.run(run())


def test_money_of_ours_that_the_gateway_does_not_know_of_is_left(shop: Shop) -> None:
    async def run() -> None:
        await follows(shop)
        await sold_and_sent(shop)
        shop.gateway.books._ledger.write("DELETE FROM objects WHERE kind != 'payment_intent'")
        await paid_out(shop, later=LAG + timedelta(minutes=1))
        async with reconciling(shop):
            [made] = await reconciled(shop)
            assert (made.lines, made.left) == (0, 1)
            assert owed(shop) == ("unreconciled",)

    asyncio.run(run())


def test_the_next_begins_where_the_last_ended_but_for_what_its_report_may_have_lacked(shop: Shop) -> None:
    async def run() -> None:
        await follows(shop)
        first = await paid_out(shop)
        second = await paid_out(shop, later=timedelta(days=1))
        async with reconciling(shop):
            made = await reconciled(shop, 2)
        assert [(one.since, one.until) for one in made] == [(first - REACH, first), (first - LAG, second)]
        # News of an old payout that come late cover that again, and take nothing back.
        shop.now = first - timedelta(hours=8)
        old = await paid_out(shop)
        shop.now = second
        third = await paid_out(shop, later=timedelta(days=1))
        async with reconciling(shop):
            made = await reconciled(shop, 4)
        assert [(one.since, one.until) for one in made[2:]] == [(old - LAG, old), (second - LAG, third)]

    asyncio.run(run())


def test_what_lies_before_a_reconciliation_that_was_recorded_before_the_next_begins_is_not_read_again(
    shop: Shop,
) -> None:
    async def run() -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        begins = []
        for until in (now, now + timedelta(hours=4), now + timedelta(hours=8)):
            async with shop.open() as one:
                await one.do(
                    RecordReconciliation(gateway="sandbox", since=now - timedelta(days=1), until=until)
                )
            begins.append(next_begin(shop.log, "sandbox", until=now + timedelta(days=1)))
        # What moved while the first was made is recorded before it; of the others' time nothing is.
        assert begins == [
            Begin(now - LAG, 0),
            Begin(now + timedelta(hours=4) - LAG, 2),
            Begin(now + timedelta(hours=8) - LAG, 3),
        ]

    asyncio.run(run())


def test_payouts_of_one_second_are_reconciled_once(shop: Shop) -> None:
    async def run() -> None:
        await follows(shop)
        for _ in range(3):
            await paid_out(shop)
        last = await paid_out(shop, later=timedelta(minutes=1))
        async with reconciling(shop):
            made = await reconciled(shop, 2)
        assert [one.until for one in made] == [last - timedelta(minutes=1), last]

    asyncio.run(run())


def test_a_payout_of_before_the_process_was_there_is_not_reconciled(shop: Shop) -> None:
    async def run() -> None:
        await paid_out(shop)
        await follows(shop)
        after = await paid_out(shop, later=timedelta(hours=1))
        async with reconciling(shop):
            assert [one.until for one in await reconciled(shop)] == [after]

    asyncio.run(run())


def test_a_process_that_dies_with_its_outcome_in_hand_is_followed_by_one_that_records_it_once(
    shop: Shop,
) -> None:
    async def run() -> None:
        await follows(shop)
        await sold_and_sent(shop)
        await paid_out(shop, later=timedelta(minutes=1))
        async with shop.open() as one:
            dying, handling = DyingHandling(), one.handling
            kind = kind_of(one)
            one.handling = dying  # type: ignore[assignment]
            async with one.managers(kinds=[kind]):
                await asyncio.wait_for(dying.received.wait(), SECONDS_MAX)
            one.handling = handling
        assert reconciliations(shop) == []
        async with reconciling(shop):
            await reconciled(shop)
            await eventually(lambda: not open_work(shop), lambda: open_work(shop))
        assert len(reconciliations(shop)) == 1

    asyncio.run(run())


class ReportingGateway(WatchedGateway):
    """The real gateway; what becomes of a report is for `fails` to say."""

    def __init__(self, gateway: Gateway, fails: Callable[[], None]) -> None:
        super().__init__(gateway)
        self.fails = fails

    async def report(self, *, since: datetime, until: datetime, to: BinaryIO) -> None:
        to.write(b"half of")
        self.fails()
        to.seek(0)
        await self._gateway.report(since=since, until=until, to=to)


def test_a_report_that_cannot_be_had_now_is_asked_for_again(shop: Shop) -> None:
    async def run() -> None:
        await follows(shop)
        await paid_out(shop)
        left = 3

        def fails() -> None:
            nonlocal left
            left -= 1
            if left >= 0:
                raise GatewayUnavailable("report_pending")

        async with reconciling(shop, ReportingGateway(shop.gateway, fails)):
            [made] = await reconciled(shop)
        assert (left, made.failure, made.lines) == (-1, None, 0)

    asyncio.run(run())


@pytest.mark.parametrize("written", [None, b"no report\n"])
def test_a_report_that_is_refused_or_is_none_ends_the_work_and_says_why(
    shop: Shop, written: bytes | None
) -> None:
    class Refusing(WatchedGateway):
        async def report(self, *, since: datetime, until: datetime, to: BinaryIO) -> None:
            if written is None:
                raise GatewayRefusal("live_mode_only")
            to.write(written)

    async def run() -> None:
        await follows(shop)
        first = await paid_out(shop)
        refusing: Any = Refusing(shop.gateway)
        async with reconciling(shop, refusing):
            [made] = await reconciled(shop)
            await eventually(lambda: not open_work(shop), lambda: open_work(shop))
        assert made.failure == ("live_mode_only" if written is None else "malformed_report")
        second = await paid_out(shop, later=timedelta(days=1))
        async with reconciling(shop):
            made = (await reconciled(shop, 2))[1]
        assert (made.since, made.until) == (second - REACH, second)  # all of the first is made up for
        assert made.since < first

    asyncio.run(run())


def test_payouts_of_a_gateway_that_is_ours_no_more_are_given_up(shop: Shop) -> None:
    class Another(WatchedGateway):
        name = "another"

    async def run() -> None:
        await follows(shop)
        until = await paid_out(shop)
        never: Any = Another(shop.gateway)
        async with reconciling(shop, ReportingGateway(shop.gateway, away)):
            await eventually(lambda: bool(open_work(shop)), lambda: open_work(shop))
        async with reconciling(shop, never):
            [made] = await reconciled(shop)
        assert (made.gateway, made.until, made.failure) == ("sandbox", until, "another_gateway")

    def away() -> None:
        raise GatewayUnavailable("away")

    asyncio.run(run())


def test_it_waits_until_the_gateway_reports_up_to_the_payout(shop: Shop) -> None:
    class Late(WatchedGateway):
        until = datetime(2020, 1, 1, tzinfo=UTC)

        async def reported_until(self) -> datetime:
            return self.until

        async def report(self, **times: Any) -> None:
            assert times["until"] <= self.until
            await self._gateway.report(**times)

    async def run() -> None:
        await follows(shop)
        until = await paid_out(shop)
        late: Any = Late(shop.gateway)
        async with reconciling(shop, late):
            await eventually(lambda: any(one.tries > 1 for one in open_work(shop)), lambda: open_work(shop))
            [work] = open_work(shop)
            assert work.failure == "the gateway reports up to 2020-01-01 00:00 UTC so far"
            assert reconciliations(shop) == []
            late.until = until
            await reconciled(shop)

    asyncio.run(run())


def test_one_that_takes_too_long_is_given_up_and_tried_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(WatchedGateway):
        async def report(self, **times: Any) -> None:
            await asyncio.Event().wait()

    async def run() -> None:
        await follows(shop)
        await paid_out(shop)
        monkeypatch.setattr("commands.processes.reconciliation.SECONDS_MAX", 0.05)
        hanging: Any = Hanging(shop.gateway)
        async with reconciling(shop, hanging):
            await eventually(lambda: any(one.tries > 1 for one in open_work(shop)), lambda: open_work(shop))
        assert open_work(shop)[0].failure == "not done in 0 s"

    asyncio.run(run())


class WaitingLog:
    """A log whose streams are read once `go` is set; each reading is counted."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self.reached, self.go, self.times = threading.Event(), threading.Event(), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def read_streams(self, streams: Any) -> Any:
        self.times += 1
        self.reached.set()
        assert self.go.wait(SECONDS_MAX)
        return self._log.read_streams(streams)


def test_a_comparison_ends_with_its_process(shop: Shop) -> None:
    there = MemoryLog()
    write_log(there, list(many(EDGE_MAX + 200)))  # more streams than are read at once
    log: Any = WaitingLog(there)

    async def run() -> None:
        kind = ReconcileAfterPayout(shop.gateway, log, shop.do, pause_seconds=0.01)
        work = OpenWork("sandbox", int(NOVEMBER.timestamp()), AT_ONCE, 1)
        due = Due(work, None, None, NOVEMBER)  # type: ignore[arg-type]
        doing = asyncio.create_task(kind.do(due))
        await asyncio.to_thread(log.reached.wait, 30)
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        log.go.set()

    asyncio.run(run())  # waits for the thread
    assert log.times == 1
