"""Balance reports by Stripe's Reporting API, through the real library and past stripe-mock."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aggregates.payments import gateway as gateway_kind
from aggregates.payments.events import BalanceReconciled
from commands.gateways.gateway import GatewayError, GatewayRefusal, GatewayUnavailable
from commands.gateways.sandbox.balance_report import report_lines
from commands.gateways.stripe.gateway import StripeGateway
from commands.gateways.stripe.reports import REPORT_TYPE
from commands.processes.following import checkpoint_named
from commands.processes.gateway_news import catch_up
from commands.processes.reconciliation import ReconcileAfterPayout
from commands.reconciliation.fetching import REACH
from commands.reconciliation.report import COLUMNS, read_report
from event_store.memory.log import MemoryLog
from tests.payments.healing import authorized, capture_unheard
from tests.shop.commands import Shop, eventually
from tests.shop.facts import CODEC
from tests.stripe.face import KEY, Face, serving

HOUR = timedelta(hours=1)


def calling(face: Face, call: Callable[[StripeGateway], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        gateway = StripeGateway(
            KEY, webhook_secrets=["whsec_face"], api_base=face.url, poll_seconds=0.01, call_seconds=10
        )
        try:
            return await call(gateway)
        finally:
            await gateway.aclose()

    return asyncio.run(run())


def fetched(face: Face, since: datetime, until: datetime) -> bytes:
    to = io.BytesIO()
    calling(face, lambda gateway: gateway.report(since=since, until=until, to=to))
    return to.getvalue()


def failure(face: Face) -> GatewayError:
    now = datetime.now(UTC)
    with pytest.raises(GatewayError) as raised:
        fetched(face, now - HOUR, now)
    return raised.value


def paid(face: Face, amount: int = 1299) -> str:
    created = face.books.request(
        "payment_intents.create",
        {
            "amount": str(amount),
            "currency": "gbp",
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "metadata": {"order": "a", "step": "checkout-a/1"},
        },
    )
    reference = str(created.body["id"])
    face.books.request("payment_intents.capture", {"id": reference})
    return reference


def test_a_report_is_run_waited_for_and_fetched(face: Face, tmp_path: Path) -> None:
    reference = paid(face)
    now = datetime.now(UTC)
    since, until = now - HOUR, now + timedelta(seconds=2)
    file = tmp_path / "report.csv"
    file.write_bytes(fetched(face, since, until))
    assert list(read_report(file)) == list(report_lines(face.books))
    assert [line.payment for line in read_report(file)] == [reference]
    [made] = face.made("report_runs.create")
    assert made.parameters == {
        "report_type": REPORT_TYPE,
        "parameters": {
            "interval_start": str(int(since.timestamp())),
            "interval_end": str(int(until.timestamp())),
            "columns": list(COLUMNS),
        },
    }
    assert len(face.made("report_runs.retrieve")) == 2
    assert [call.status for call in face.made("files.contents")] == [200]


def test_it_is_known_up_to_when_stripe_reports(face: Face) -> None:
    face.reports.available_seconds = -12 * 3600
    until = calling(face, lambda gateway: gateway.reported_until())
    assert abs(until - (datetime.now(UTC) - 12 * HOUR)) < timedelta(minutes=1)
    [asked] = face.made("report_types.retrieve")
    assert asked.parameters["id"] == REPORT_TYPE


def test_a_run_that_fails_is_tried_again_later(face: Face) -> None:
    face.reports.statuses = ("pending", "failed")
    error = failure(face)
    assert (type(error), error.code) == (GatewayUnavailable, "report_failed")


def test_a_run_that_does_not_end_is_given_up(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.gateways.stripe.reports.RUN_SECONDS_MAX", 0.2)
    face.reports.statuses = ("pending",)
    error = failure(face)
    assert (type(error), error.code) == (GatewayUnavailable, "report_pending")


@pytest.mark.parametrize(
    ("status", "code"), [(401, "file_status_401"), (500, "file_status_500"), (0, "file_broken_off")]
)
def test_a_file_that_cannot_be_had_is_no_report(face: Face, status: int, code: str) -> None:
    face.reports.file_status = status
    error = failure(face)
    assert (type(error), error.code) == (GatewayUnavailable, code)


def test_the_key_is_shown_to_nobody_but_stripe(face: Face) -> None:
    with other_host(face) as elsewhere:
        face.reports.file_origin = elsewhere.url
        assert failure(face).code == "file_elsewhere"
        assert elsewhere.calls == []


@contextmanager
def other_host(face: Face) -> Iterator[Face]:
    with serving(face.books, None) as elsewhere:
        yield elsewhere


def test_a_report_that_stripe_does_not_make_is_refused(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here by stripe-mock, which knows the API's parameters."""
    monkeypatch.setattr("commands.gateways.stripe.reports.COLUMNS", ({"not": "a name"},))
    assert type(failure(face)) is GatewayRefusal


def test_news_of_a_payout_have_the_balance_reconciled(face: Face) -> None:
    """All of it over HTTP: the news are fetched, the report is run, what is missing here is looked at."""
    log = MemoryLog()
    begun = datetime.now(UTC)

    async def run(gateway: StripeGateway) -> None:
        reference = await authorized(log, gateway)
        await capture_unheard(gateway, reference)
        name = checkpoint_named("reconciliation")
        async with Shop(log, face.books, now=begun).open() as shop:  # type: ignore[arg-type]
            kind = ReconcileAfterPayout(gateway, log, shop.do, pause_seconds=0.01)
            async with shop.managers(gateway, kinds=[kind]):
                await eventually(lambda: log.tracked(name) is not None, lambda: log.tracked(name))
                after = datetime.now(UTC) + timedelta(seconds=1)  # reports count whole seconds
                await eventually(lambda: datetime.now(UTC) > after, lambda: after)
                face.books.pay_out()
                [payout] = [one for one in face.books.events(begun - HOUR) if one["type"] == "payout.paid"]

                async def submit_payout(command: Any) -> None:
                    if command.kind == "payout.paid":
                        await shop.do(command)

                await catch_up(gateway, submit_payout, since=begun - HOUR, now=datetime.now(UTC))
                stream = gateway_kind.reconciliation_stream("stripe")
                await eventually(lambda: bool(log.read_stream(stream)), shop.names)
        until = datetime.fromtimestamp(payout["created"], UTC)
        assert [CODEC.decode(one) for one in log.read_stream(stream)] == [
            BalanceReconciled(gateway="stripe", since=until - REACH, until=until, lines=1, healed=1, left=0)
        ]

    calling(face, run)
    log.close()
