"""Our payments against a balance report: what agrees is matched, and each difference is found."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregates.kernel import Money
from aggregates.payments import payment
from aggregates.payments.events import PaymentCaptured, PaymentRequested
from aggregates.payments.standing import RefundState, Standing, join
from commands.cli import payments_group
from commands.gateways.gateway import GatewayUnavailable
from commands.gateways.sandbox.gateway import SandboxGateway
from commands.importing.progress import Progress
from commands.reconciliation.books import payments_of
from commands.reconciliation.matching import KINDS, LAG, Report, Window, compare
from commands.reconciliation.report import (
    COLUMNS,
    NEEDED,
    OPTIONAL,
    Line,
    MalformedReport,
    balance_report,
    read_report,
)
from commands.reconciliation.running import (
    EDGE_MAX,
    FAILURES_MAX,
    LOOKS_AT_ONCE,
    Heal,
    Reconciliation,
    reconcile,
)
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.records import EventLog
from tests.payments.healing import authorized, capture_unheard, loses_and_heals
from tests.payments.reported import NOVEMBER, OCTOBER, Paid, lines_of, story_of, write_log
from tests.shop.log import Shop

Found = set[tuple[str, str, str]]
"""Verdict, kind and item of each finding that did not just match."""


def write(folder: Path, lines: Sequence[Line], *, text: Callable[[str], bytes] = str.encode) -> Path:
    file = folder / "report.csv"
    file.write_bytes(text("".join(balance_report(lines))))
    return file


def reconciled(
    log: EventLog,
    file: Path,
    *,
    since: datetime | None = OCTOBER,
    until: datetime | None = NOVEMBER,
    heal: Heal | None = None,
) -> Reconciliation:
    progress = Progress(io.StringIO())
    return asyncio.run(reconcile(file, log, since=since, until=until, heal=heal, progress=progress))


def found(result: Reconciliation) -> Found:
    return {(one.verdict, one.kind, one.item) for one in result.findings}


def log_of(payments: Sequence[Paid]) -> MemoryLog:
    log = MemoryLog()
    write_log(log, payments)
    return log


def in_log(payments: Sequence[Paid], lines: Sequence[Line], folder: Path, **window: Any) -> Reconciliation:
    return reconciled(log_of(payments), write(folder, lines), **window)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all of Hypothesis's examples."""
    return tmp_path_factory.mktemp("reports")


CURRENCIES = [("EUR", "EUR"), ("JPY", "JPY"), ("KWD", "KWD"), ("GBP", "EUR"), ("JPY", "EUR"), ("KWD", "EUR")]


@st.composite
def stories(draw: st.DrawFn) -> list[Paid]:
    """Payments of October with any mix of captures, refunds that end in any way, and a dispute."""
    payments = []
    for number in range(draw(st.integers(1, 4))):
        captures = tuple(draw(st.lists(st.integers(100, 5_000), min_size=1, max_size=3)))
        left = sum(captures)
        refunds = []
        for end in draw(
            st.lists(st.sampled_from(["succeeded", "pending", "failed", "failed_unpaid"]), max_size=3)
        ):
            amount = draw(st.integers(1, max(1, left // 2)))
            left -= amount
            refunds.append((amount, end))
        currency, settlement = draw(st.sampled_from(CURRENCIES))
        payments.append(
            Paid(
                number=number,
                at=OCTOBER + timedelta(minutes=draw(st.integers(0, 29 * 24 * 60))),
                currency=currency,
                settlement=settlement,
                captures=captures,
                released=draw(st.sampled_from([0, 0, 700])),
                refunds=tuple(refunds),
                disputed=draw(st.sampled_from([0, 0, 50])),
                won=draw(st.booleans()),
            )
        )
    return payments


@settings(deadline=None, max_examples=150)
@given(stories())
def test_whatever_was_paid_given_back_and_disputed_is_matched(folder: Path, payments: list[Paid]) -> None:
    lines = lines_of(payments)
    result = in_log(payments, lines, folder)
    assert found(result) == set()
    items = {_item(line) for line in lines if line.category in KINDS}
    assert sum(result.counts.values()) == len(items)
    for (category, currency), total in result.report.totals.items():
        same = [line for line in lines if (line.category, line.currency) == (category, currency)]
        assert (total.lines, total.gross, total.fee, total.net) == (
            len(same),
            sum(line.gross for line in same),
            sum(line.fee for line in same),
            sum(line.net for line in same),
        )


def _item(line: Line) -> tuple[str, str]:
    kind = KINDS[line.category]
    return kind, {"charge": line.payment, "dispute": line.transaction}.get(kind, line.source)


def _paid_in(line: Line, payments: Sequence[Paid]) -> str:
    return next(paid.currency for paid in payments if paid.reference == line.payment)


@settings(deadline=None, max_examples=150)
@given(stories(), st.data())
def test_another_amount_is_found_whichever_column_has_it(
    folder: Path, payments: list[Paid], data: st.DataObject
) -> None:
    lines = lines_of(payments)
    at = data.draw(st.sampled_from([at for at, line in enumerate(lines) if line.payment]))
    line = lines[at]
    altered = []
    if line.currency == _paid_in(line, payments):
        altered.append(replace(line, gross=line.gross + 1))
    if line.facing is not None:
        altered.append(replace(line, facing=line.facing + Money(1, line.facing.currency)))
    if not altered:
        return  # A dispute in the currency of settlement: known by its name alone.
    lines[at] = data.draw(st.sampled_from(altered))
    result = in_log(payments, lines, folder)
    assert found(result) == {("differing", *_item(line))}
    assert result.left[0].differs == "amount"


@settings(deadline=None, max_examples=100)
@given(stories(), st.data())
def test_another_currency_is_found(folder: Path, payments: list[Paid], data: st.DataObject) -> None:
    lines = lines_of(payments)
    at = data.draw(st.sampled_from([at for at, line in enumerate(lines) if line.facing is not None]))
    facing = lines[at].facing
    assert facing is not None
    lines[at] = replace(lines[at], facing=Money(facing.amount, "USD"))
    result = in_log(payments, lines, folder)
    assert found(result) == {("differing", *_item(lines[at]))}
    assert result.left[0].differs == "currency"


@settings(deadline=None, max_examples=100)
@given(stories(), st.data())
def test_what_the_report_lacks_is_missing_at_stripe(
    folder: Path, payments: list[Paid], data: st.DataObject
) -> None:
    """But for a refund that failed: without the line that took it there is nothing that came back."""
    lines = lines_of(payments)
    failed = {line.source for line in lines if line.category == "refund_failure"}
    items = sorted({_item(line) for line in lines if line.payment and line.category != "refund"})
    items += sorted(
        {_item(line) for line in lines if line.category == "refund" and line.source not in failed}
    )
    item = data.draw(st.sampled_from(items))
    kept = [line for line in lines if not line.payment or _item(line) != item]
    assert found(in_log(payments, kept, folder)) == {("missing_at_stripe", *item)}


@settings(deadline=None, max_examples=100)
@given(stories(), st.booleans(), st.data())
def test_what_our_log_lacks_is_missing_here_or_foreign_where_nothing_of_it_names_us(
    folder: Path, payments: list[Paid], ours: bool, data: st.DataObject
) -> None:
    lost = data.draw(st.sampled_from(payments))
    lines = [
        line
        if ours or line.payment != lost.reference
        else replace(line, order="", step="", credit_note="", refund_step="")
        for line in lines_of(payments)
    ]
    result = in_log([paid for paid in payments if paid is not lost], lines, folder)
    verdict = "missing_here" if ours else "foreign"
    assert found(result) == {(verdict, *_item(line)) for line in lines if line.payment == lost.reference}
    assert bool(result.left) == ours


@settings(deadline=None, max_examples=50)
@given(stories(), st.data())
def test_a_refund_that_we_never_heard_of_is_missing_here(
    folder: Path, payments: list[Paid], data: st.DataObject
) -> None:
    lines = lines_of(payments)
    line = data.draw(st.sampled_from([line for line in lines if line.category == "charge"]))
    refund = replace(line, transaction="txn_dashboard", category="refund", source="re_dashboard", fee=0)
    refund = replace(refund, gross=-line.gross)
    assert found(in_log(payments, [*lines, refund], folder)) == {("missing_here", "refund", "re_dashboard")}


def test_a_refund_of_ours_whose_failure_we_never_heard_of_is_missing_here(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER, refunds=((300, "succeeded"),))
    lines = lines_of([replace(paid, refunds=((300, "failed"),))], others=False)
    assert found(in_log([paid], lines, tmp_path)) == {("missing_here", "refund_failure", "re_00000001_0")}


def test_money_that_went_the_other_way_is_found(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER)
    [line] = lines_of([paid], others=False)
    back = replace(line, gross=-line.gross, facing=Money(-line.gross, "EUR"))
    assert found(in_log([paid], [back], tmp_path)) == {("differing", "charge", paid.reference)}


def test_each_payment_of_an_order_is_compared_with_its_own_lines() -> None:
    requested = PaymentRequested(
        order_id="o1", method="x", amount=Money(1299, "EUR"), credit=Money(0, "EUR"), capture="fulfilment"
    )
    attempts = [
        PaymentCaptured(
            order_id="o1", amount=Money(amount, "EUR"), source="gateway", gateway_reference=reference
        )
        for reference, amount in (("pi_1", 500), ("pi_2", 799))
    ]
    events = [(event, OCTOBER) for event in (requested, *attempts)]
    assert [(one.reference, [fact.amount for fact in one.facts]) for one in payments_of("o1", events)] == [
        ("pi_1", [500]),
        ("pi_2", [799]),
    ]


@settings(deadline=None, max_examples=200)
@given(stories())
def test_a_report_that_is_written_is_read_as_it_was(folder: Path, payments: list[Paid]) -> None:
    lines = lines_of(payments)
    assert list(read_report(write(folder, lines))) == lines


def test_what_happened_within_three_hours_of_the_end_is_not_missed(tmp_path: Path) -> None:
    before, after = (
        Paid(number=number, at=NOVEMBER - LAG + timedelta(seconds=seconds))
        for number, seconds in ((1, -1), (2, 0))
    )
    result = in_log([before, after], [], tmp_path)
    assert found(result) == {("missing_at_stripe", "charge", before.reference)}


def test_what_happened_before_the_report_began_is_not_missed(tmp_path: Path) -> None:
    early, late = (Paid(number=number, at=OCTOBER + timedelta(seconds=s)) for number, s in ((1, -1), (2, 0)))
    assert found(in_log([early, late], [], tmp_path)) == {("missing_at_stripe", "charge", late.reference)}


def test_a_report_that_does_not_say_covers_from_the_day_of_its_first_line_to_its_last(tmp_path: Path) -> None:
    noon = OCTOBER + timedelta(hours=12)
    hours = {
        "day before": -13,
        "same day": -11,
        "first": 0,
        "before the end": 44,
        "three hours before the end": 45,
        "at the end": 46,
        "last": 48,
    }
    payments = {
        name: Paid(number=number, at=noon + timedelta(hours=after))
        for number, (name, after) in enumerate(hours.items())
    }
    lines = lines_of([payments["first"], payments["last"]], others=False)
    result = in_log(list(payments.values()), lines, tmp_path, since=None, until=None)
    assert found(result) == {
        ("missing_at_stripe", "charge", payments[name].reference)
        for name in ("same day", "before the end", "three hours before the end")
    }


def test_captures_of_which_a_report_has_the_later_ones_are_matched(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER - timedelta(days=1), captures=(500, 300, 499), apart=timedelta(days=2))
    first, *later = lines_of([paid], others=False)
    assert found(in_log([paid], later, tmp_path)) == set()
    assert found(in_log([paid], later[1:], tmp_path)) == {("differing", "charge", paid.reference)}
    assert found(in_log([paid], [first, *later], tmp_path)) == set()


def test_captures_of_which_a_report_lacks_the_last_differ_unless_that_was_at_its_end(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER, captures=(500, 300, 499), apart=timedelta(days=2))
    lines = lines_of([paid], others=False)
    assert found(in_log([paid], lines[:2], tmp_path)) == {("differing", "charge", paid.reference)}
    for hours, expected in ((4, {("differing", "charge", paid.reference)}), (2, set())):
        until = OCTOBER + timedelta(days=4, hours=hours)
        assert found(in_log([paid], lines[:2], tmp_path, until=until)) == expected


def test_what_one_line_of_a_payment_names_as_ours_is_ours(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER, refunds=((300, "succeeded"),))
    charge, refund = (replace(line, order="", step="") for line in lines_of([paid], others=False))
    result = reconciled(MemoryLog(), write(tmp_path, [charge, refund]))
    assert found(result) == {
        ("missing_here", "charge", paid.reference),
        ("missing_here", "refund", refund.source),
    }
    foreign = reconciled(MemoryLog(), write(tmp_path, [charge, replace(refund, credit_note="")]))
    assert {one.verdict for one in foreign.findings} == {"foreign"}


def test_a_hold_captured_in_part_may_be_a_line_of_all_and_one_that_takes_the_rest_back(
    tmp_path: Path,
) -> None:
    paid = Paid(number=1, at=OCTOBER, captures=(799,), released=500)
    [line] = lines_of([paid], others=False)
    of_all = replace(line, gross=1299, facing=Money(1299, "EUR"))
    rest = replace(
        line, transaction="txn_rest", category="partial_capture_reversal", gross=-500, fee=0, facing=None
    )
    assert found(in_log([paid], [of_all, rest], tmp_path)) == set()
    assert found(in_log([paid], [of_all], tmp_path)) == {("differing", "charge", paid.reference)}
    shown_before = replace(line, facing=Money(1299, "EUR"))  # the amount of the original charge
    assert found(in_log([paid], [shown_before], tmp_path)) == set()


@pytest.mark.parametrize(("currency", "settlement"), [("EUR", "EUR"), ("GBP", "EUR")])
def test_a_charge_that_failed_after_all_differs_by_all_of_it(
    tmp_path: Path, currency: str, settlement: str
) -> None:
    paid = Paid(number=1, at=OCTOBER, currency=currency, settlement=settlement)
    [line] = lines_of([paid], others=False)
    failed = replace(line, transaction="txn_failed", category="charge_failure", gross=-line.gross, fee=0)
    result = in_log([paid], [line, failed], tmp_path)
    assert found(result) == {("differing", "charge", paid.reference)}
    assert result.left[0].reported == Money(0, currency)  # customer_facing_amount has no sign


@pytest.mark.parametrize(
    ("names", "payment"),
    [
        ({}, "pi_00000001"),
        ({"payment": ""}, "ch_00000001"),
        ({"payment": "", "charge": ""}, "src_1"),
        ({"payment": "", "charge": "", "source": ""}, "txn_00000001_0"),
    ],
)
def test_what_is_of_no_payment_intent_is_known_by_the_next_best_name(
    tmp_path: Path, names: dict[str, str], payment: str
) -> None:
    [line] = lines_of([Paid(number=1, at=OCTOBER)], others=False)
    report = [replace(replace(line, source="src_1"), **names)]
    [finding] = reconciled(MemoryLog(), write(tmp_path, report)).findings
    assert (finding.payment, finding.item) == (payment, payment)


def test_a_refund_stored_without_its_name_is_known_by_its_amount(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER, refunds=((300, "succeeded"),))
    log = MemoryLog()
    shop = Shop(log)
    requested = shop.decide(
        payment.request, order_id=paid.order, method="x", amount=Money(1299, "EUR"), capture="fulfilment"
    )
    unnamed = payment.PaymentRefunded(
        order_id=paid.order, amount=Money(300, "EUR"), gateway_reference=paid.reference
    )
    taken = payment.PaymentCaptured(
        order_id=paid.order, amount=Money(1299, "EUR"), source="gateway", gateway_reference=paid.reference
    )
    shop.record(requested, (taken, unnamed), channel="import", valid_at=OCTOBER)
    shop.flush()
    lines = lines_of([paid], others=False)
    assert found(reconciled(log, write(tmp_path, lines))) == set()
    lines[1] = replace(lines[1], gross=-301, facing=Money(-301, "EUR"))
    assert ("missing_here", "refund", lines[1].source) in found(reconciled(log, write(tmp_path, lines)))


def test_refunds_of_one_amount_stored_without_names_are_each_another(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER, refunds=((300, "succeeded"), (300, "succeeded")))
    requested = PaymentRequested(
        order_id=paid.order,
        method="x",
        amount=Money(1299, "EUR"),
        credit=Money(0, "EUR"),
        capture="fulfilment",
    )
    taken = PaymentCaptured(
        order_id=paid.order, amount=Money(1299, "EUR"), source="gateway", gateway_reference=paid.reference
    )
    unnamed = payment.PaymentRefunded(
        order_id=paid.order, amount=Money(300, "EUR"), gateway_reference=paid.reference
    )
    events = [(event, OCTOBER) for event in (requested, taken, unnamed, unnamed)]
    [ours] = payments_of(paid.order, events)
    report = Report()
    for line in lines_of([paid], others=False):
        report.add(line)
    findings = list(compare(ours, report.payments[paid.reference], Window(OCTOBER, NOVEMBER)))
    assert [one.verdict for one in findings] == ["matched"] * 3


@pytest.mark.parametrize(("state", "missing"), [("failed", ["refund_failure"]), ("canceled", [])])
def test_only_a_refund_that_failed_must_be_taken_back_in_the_report(
    state: RefundState, missing: list[str]
) -> None:
    paid = Paid(number=1, at=OCTOBER, refunds=((300, "succeeded"),))
    requested = PaymentRequested(
        order_id=paid.order,
        method="x",
        amount=Money(1299, "EUR"),
        credit=Money(0, "EUR"),
        capture="fulfilment",
    )
    names = {"order_id": paid.order, "gateway_reference": paid.reference}
    taken = PaymentCaptured(amount=Money(1299, "EUR"), source="gateway", **names)
    refund = {"amount": Money(300, "EUR"), "refund_reference": "re_00000001_0", **names}
    ended = payment.PaymentRefundFailed(state=state, **refund)
    events = [(event, OCTOBER) for event in (requested, taken, payment.PaymentRefunded(**refund), ended)]
    [ours] = payments_of(paid.order, events)
    report = Report()
    for line in lines_of([paid], others=False):
        report.add(line)
    findings = compare(ours, report.payments[paid.reference], Window(OCTOBER, NOVEMBER))
    assert [one.kind for one in findings if one.verdict == "missing_at_stripe"] == missing


ROW: dict[str, str] = {
    "balance_transaction_id": "txn_1",
    "created_utc": "2026-10-02 09:30:00",
    "currency": "eur",
    "gross": "12.99",
    "fee": "0.44",
    "net": "12.55",
    "reporting_category": "charge",
    "source_id": "ch_1",
    "customer_facing_amount": "12.99",
    "customer_facing_currency": "eur",
    "payment_intent_id": "pi_1",
    "payment_metadata[order]": "o1",
}


def file_of(folder: Path, *rows: dict[str, str], columns: Sequence[str] = COLUMNS) -> Path:
    cells = [",".join(f'"{(ROW | row).get(column, "")}"' for column in columns) for row in rows]
    file = folder / "report.csv"
    file.write_text("\n".join([",".join(columns), *cells]) + "\n")
    return file


def test_a_byte_order_mark_carriage_returns_quotes_and_other_columns_change_nothing(tmp_path: Path) -> None:
    file = file_of(
        tmp_path,
        {"description": 'Mugs, ""blue""\nand red'},
        columns=[*reversed(NEEDED), "description", *OPTIONAL],
    )
    [plain] = read_report(file)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert list(read_report(file)) == [plain]
    assert (plain.gross, plain.fee, plain.net, plain.facing) == (1299, 44, 1255, Money(1299, "EUR"))


@pytest.mark.parametrize(
    ("currency", "text", "minor"),
    [
        ("jpy", "1299", 1299),
        ("jpy", "1299.00", 1299),
        ("jpy", "1,299", 1299),
        ("kwd", "1.299", 1299),
        ("kwd", "1.3", 1300),
        ("kwd", "12,345.670", 12_345_670),
        ("isk", "1299.00", 1299),
        ("usd", "1,234.56", 123_456),
        ("usd", "1,234", 123_400),
        ("usd", "12,99", 1299),
        ("usd", "-0.50", -50),
        ("usd", "7", 700),
    ],
)
def test_amounts_are_read_as_the_currency_writes_them(
    tmp_path: Path, currency: str, text: str, minor: int
) -> None:
    amounts = {"currency": currency, "gross": text, "fee": "0", "net": text, "customer_facing_amount": ""}
    [line] = read_report(file_of(tmp_path, amounts))
    assert (line.gross, line.currency) == (minor, currency.upper())


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"gross": "12.995", "net": "12.555"}, "gross 12.995 is finer than EUR has coins"),
        ({"currency": "jpy", "fee": "0.50"}, "gross 12.99 is finer than JPY has coins"),
        ({"currency": "kwd", "gross": "1,299"}, "gross '1,299' is no amount"),  # 1.299 or 1299?
        ({"gross": "1E+3"}, "gross '1E+3' is no amount"),
        ({"gross": "١٢"}, "gross '١٢' is no amount"),
        ({"gross": ""}, "gross '' is no amount"),
        ({"gross": "1,23,4.00"}, "gross '1,23,4.00' is no amount"),
        ({"gross": "9" * 40}, f"gross '{'9' * 40}' is no amount"),
        ({"net": "12.56"}, "net 12.56 is not gross 12.99 less fee 0.44"),
        ({"net": "12.54"}, "net 12.54 is not gross 12.99 less fee 0.44"),
        ({"reporting_category": ""}, "no balance_transaction_id or reporting_category"),
        ({"currency": "xyz"}, "currency 'xyz' is no currency"),
        ({"customer_facing_currency": ""}, "customer_facing_currency '' is no currency"),
        ({"created_utc": "02/10/2026 09:30"}, "created_utc '02/10/2026 09:30' is no time"),
        ({"balance_transaction_id": ""}, "no balance_transaction_id or reporting_category"),
        ({}, "txn_1 is there a second time"),
    ],
)
def test_a_line_that_does_not_fit_is_refused_with_its_number(
    tmp_path: Path, wrong: dict[str, str], reason: str
) -> None:
    first = {"description": "two\nlines"}
    columns = [*COLUMNS, "description"]
    file = file_of(tmp_path, first, {"balance_transaction_id": "txn_1"} | wrong, columns=columns)
    if wrong and "balance_transaction_id" not in wrong:
        file = file_of(tmp_path, first, {"balance_transaction_id": "txn_2"} | wrong, columns=columns)
    with pytest.raises(MalformedReport) as refused:
        list(read_report(file))
    assert str(refused.value) == f"line 4: {reason}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1: no itemized balance report: it lacks the columns balance_transaction_id"),
        (b"id,Amount\n1,2\n", "line 1: no itemized balance report"),
        (",".join(COLUMNS).encode() + b",gross\n", "line 1: the column gross is there twice"),
        (",".join(COLUMNS).encode() + b"\n1,2\n", "line 2: 2 values under 19 columns"),
        (",".join(COLUMNS).encode() + b"\n" + b"," * 19 + b"\n", "line 2: 20 values under 19 columns"),
        (",".join(COLUMNS).encode() + b'\n"txn\n', "line 2: unexpected end of data"),
        (",".join(COLUMNS).encode() + b"\n\xff\xfe", "not UTF-8 text"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "report.csv"
    file.write_bytes(content)
    with pytest.raises(MalformedReport) as refused:
        list(read_report(file))
    assert reason in str(refused.value)


# What is missing here is looked at.


def test_what_is_missing_here_is_looked_at_and_matched_ever_after(log: EventLog, tmp_path: Path) -> None:
    gateway = SandboxGateway(tmp_path / "sandbox.sqlite")
    asyncio.run(loses_and_heals(log, tmp_path, gateway, gateway.books))


def test_what_cannot_be_looked_at_stays_missing(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER)

    async def away(reference: str) -> Standing:
        raise GatewayUnavailable(f"no way to {reference}")

    result = reconciled(MemoryLog(), write(tmp_path, lines_of([paid])), heal=away)
    assert found(result) == {("missing_here", "charge", paid.reference)}
    assert result.left


def test_a_gateway_that_is_away_is_not_asked_for_ever(tmp_path: Path) -> None:
    payments = [Paid(number=number, at=OCTOBER) for number in range(100)]
    tried: list[str] = []

    async def away(reference: str) -> Standing:
        tried.append(reference)
        raise GatewayUnavailable("no_answer")

    result = reconciled(MemoryLog(), write(tmp_path, lines_of(payments)), heal=away)
    assert len(result.left) == len(payments)
    assert len(tried) <= FAILURES_MAX + LOOKS_AT_ONCE


def test_a_gateway_that_fails_now_and_then_is_asked_about_every_payment(tmp_path: Path) -> None:
    payments = [Paid(number=number, at=OCTOBER) for number in range(4 * FAILURES_MAX)]
    tried: list[str] = []

    async def now_and_then(reference: str) -> Standing:
        tried.append(reference)
        if len(tried) % 2:
            raise GatewayUnavailable("no_answer")
        return known(payments[0])

    reconciled(MemoryLog(), write(tmp_path, lines_of(payments)), heal=now_and_then)
    assert len(tried) == len(payments)


def test_a_look_that_tells_nothing_new_heals_nothing(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER)
    looked: list[str] = []

    async def nothing_new(reference: str) -> Standing:
        looked.append(reference)
        return known(paid)

    lines = lines_of([paid])
    lines[0] = replace(lines[0], gross=1300, facing=Money(1300, "EUR"))
    result = reconciled(log_of([paid]), write(tmp_path, lines), heal=nothing_new)
    assert looked == [paid.reference]
    assert found(result) == {("differing", "charge", paid.reference)}


def known(paid: Paid) -> Standing:
    """What the gateway says of a payment, when it is looked at."""
    return reduce(join, (standing for _, standing in story_of(paid)[0]))


@pytest.mark.parametrize(
    ("kind", "there"),
    [
        ("charge", {}),
        ("refund", {"refunds": ((300, "succeeded"),)}),
        ("refund_failure", {"refunds": ((300, "failed"),)}),
        ("dispute", {"disputed": 400}),
    ],
)
def test_what_a_report_lacks_is_in_another_one_where_the_gateway_has_it(
    tmp_path: Path, kind: str, there: dict[str, Any]
) -> None:
    paid = Paid(number=1, at=OCTOBER, **there)
    less = replace(known(paid), captured=1298, refunds=(), moves=())
    lines = lines_of([paid], others=False)
    lacking = [line for line in lines if KINDS[line.category] != kind]

    def result(says: Standing) -> Reconciliation:
        async def look(reference: str) -> Standing:
            assert reference == paid.reference
            return says

        return reconciled(log_of([paid]), write(tmp_path, lacking), heal=look)

    there_all = result(known(paid))
    [(verdict, found_kind, _)] = found(there_all)
    assert (verdict, found_kind, there_all.left) == ("another_report", kind, [])
    not_there = result(less)
    assert [(one.verdict, one.kind) for one in not_there.left] == [("missing_at_stripe", kind)]


def test_another_refund_of_the_payment_is_not_the_one_that_is_missing(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER, refunds=((300, "succeeded"), (300, "succeeded")))
    lines = lines_of([paid], others=False)
    lost = lines.pop(1).source
    there = known(paid)

    async def look(reference: str) -> Standing:
        return replace(there, refunds=tuple(one for one in there.refunds if one.reference != lost))

    result = reconciled(log_of([paid]), write(tmp_path, lines), heal=look)
    assert found(result) == {("missing_at_stripe", "refund", lost)}


def test_a_payment_of_which_the_report_has_less_is_not_looked_at(tmp_path: Path) -> None:
    paid = Paid(number=1, at=OCTOBER)
    [line] = lines_of([paid], others=False)

    async def never(reference: str) -> Standing:
        raise AssertionError(reference)

    less = replace(line, gross=1298, facing=Money(1298, "EUR"))
    result = reconciled(log_of([paid]), write(tmp_path, [less]), heal=never)
    assert found(result) == {("differing", "charge", paid.reference)}


def test_what_more_lacks_than_an_edge_can_explain_is_not_looked_at(tmp_path: Path) -> None:
    looked: list[str] = []

    async def look(reference: str) -> Standing:
        looked.append(reference)
        return known(Paid(number=int(reference.removeprefix("pi_")), at=OCTOBER))

    for count, expected in ((EDGE_MAX, EDGE_MAX), (EDGE_MAX + 1, 0)):
        looked.clear()
        payments = [Paid(number=number, at=OCTOBER) for number in range(count)]
        result = reconciled(log_of(payments), write(tmp_path, []), heal=look)
        assert len(looked) == expected
        assert len(result.left) == count - expected


# The command line.


@dataclass(frozen=True)
class Addresses:
    """The system as the command line finds it."""

    postgres_url: str
    data_dir: Path


@pytest.fixture
def system(fresh_postgres: str, tmp_path: Path) -> Addresses:
    return Addresses(fresh_postgres, tmp_path)


def called(system: Addresses, *arguments: str) -> Result:
    return CliRunner().invoke(payments_group, arguments, obj=system)


def test_the_sandbox_s_own_report_is_matched_and_the_exit_code_says_so(system: Addresses) -> None:
    async def shop(log: PostgresLog) -> None:
        gateway = SandboxGateway(system.data_dir / "sandbox.sqlite")
        reference = await authorized(log, gateway)
        await capture_unheard(gateway, reference)
        await gateway.aclose()

    log = PostgresLog.open(system.postgres_url)
    asyncio.run(shop(log))
    log.close()
    report = str(system.data_dir / "out.csv")
    assert called(system, "report", report).exit_code == 0

    unlooked = called(system, "reconcile", "--no-look", report)
    assert unlooked.exit_code == 1, unlooked.output
    assert "missing here:\n  charge of order cccc" in unlooked.stdout
    assert "12.99 GBP in the report (line 2)" in unlooked.stdout
    assert "1 left to be looked into." in unlooked.stdout
    assert "reading the report" in unlooked.stderr
    assert "reading the report" not in unlooked.stdout

    looked = called(system, "reconcile", "--json", report)
    assert looked.exit_code == 0, looked.output
    shown = json.loads(looked.stdout)
    assert shown["verdicts"]["healed"]["charge"] == 1
    [total] = shown["totals"]
    assert total["net"] == {"amount": total["gross"]["amount"] - total["fee"]["amount"], "currency": "GBP"}
    assert [one["verdict"] for one in shown["findings"]] == ["healed"]

    again = called(system, "reconcile", report)
    assert again.exit_code == 0, again.output
    assert again.stdout.rstrip().endswith("Nothing is left to be looked into.")


def test_a_difference_is_shown_with_both_amounts_and_the_exit_code_is_1(system: Addresses) -> None:
    paid = Paid(number=1, at=OCTOBER)
    log = PostgresLog.open(system.postgres_url)
    write_log(log, [paid])
    log.close()
    [line] = lines_of([paid], others=False)
    altered = replace(line, gross=1300, facing=Money(1300, "EUR"))
    report = write(system.data_dir, [altered])
    result = called(
        system, "reconcile", "--no-look", "--since", "2026-10-01", "--until", "2026-10-31", str(report)
    )
    assert result.exit_code == 1
    assert "1 lines of 2026-10-01 00:00 to 2026-11-01 00:00 UTC" in result.stdout
    assert "12.99 EUR here, 13.00 EUR in the report (line 2)" in result.stdout


def test_an_order_that_no_shop_can_have_is_none_of_ours_to_read(system: Addresses) -> None:
    """Anybody may write anything into a gateway's metadata."""
    PostgresLog.open(system.postgres_url).close()
    [line] = lines_of([Paid(number=1, at=OCTOBER)], others=False)
    report = write(system.data_dir, [replace(line, order=order) for order in ("a\x00b",)])
    result = called(system, "reconcile", "--no-look", str(report))
    assert result.exit_code == 1, result.output
    assert "1 left to be looked into." in result.stdout


def test_a_file_that_is_no_report_is_one_line_on_standard_error(system: Addresses) -> None:
    report = system.data_dir / "wrong.csv"
    report.write_text("id,Amount\n")
    PostgresLog.open(system.postgres_url).close()
    result = called(system, "reconcile", "--no-look", str(report))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"Error: {report}: line 1: no itemized balance report" in result.stderr
    assert called(system, "reconcile", str(system.data_dir / "none.csv")).exit_code == 2


def test_without_a_file_the_report_is_fetched_and_the_outcome_recorded(system: Addresses) -> None:
    async def shop(log: PostgresLog) -> None:
        gateway = SandboxGateway(system.data_dir / "sandbox.sqlite")
        reference = await authorized(log, gateway)
        await capture_unheard(gateway, reference)
        await gateway.aclose()

    log = PostgresLog.open(system.postgres_url)
    asyncio.run(shop(log))
    log.close()
    unlooked = called(system, "reconcile", "--no-look")
    assert unlooked.exit_code == 1, unlooked.output
    assert "1 left to be looked into." in unlooked.stdout
    assert called(system, "reconciliations").stdout == "There is none.\n"

    looked = called(system, "reconcile")
    assert looked.exit_code == 0, looked.output
    assert "healed:\n  charge of order cccc" in looked.stdout
    falsify(system, 1300)
    left = called(system, "reconcile", "--since", "2026-01-01", "--json")
    assert left.exit_code == 1, left.output
    shown = json.loads(left.stdout)
    assert [one["verdict"] for one in shown["findings"]] == ["differing"]
    assert shown["since"] == "2026-01-01T00:00:00Z"

    listed = json.loads(called(system, "reconciliations", "--json").stdout)
    assert [(one["lines"], one["healed"], one["left"]) for one in listed] == [(1, 0, 1), (1, 1, 0)]
    assert "sandbox" in called(system, "reconciliations", "--limit", "1").stdout
    owed = json.loads(called(system, "owed", "--json").stdout)
    assert [one["concerns"] for one in owed] == [["unreconciled"]]

    refused = called(system, "reconcile", "--since", "2100-01-01")
    assert refused.exit_code == 1
    assert "Error: sandbox reports up to" in refused.stderr


def falsify(system: Addresses, gross: int) -> None:
    """The gateway's books say another amount of the charge."""
    with closing(SandboxGateway(system.data_dir / "sandbox.sqlite")) as gateway:
        gateway.books._ledger.write(
            "UPDATE objects SET body = json_set(body, '$.amount', ?) WHERE kind = 'balance_transaction'",
            (gross,),
        )


def test_a_gateway_without_a_report_is_one_line_on_standard_error(
    system: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in STRIPE_NOWHERE.items():
        monkeypatch.setenv(f"DAYBOOK_STRIPE_{name}", value)
    PostgresLog.open(system.postgres_url).close()
    for command in (("reconcile",), ("reconcile", "--no-look"), ("report", str(system.data_dir / "x.csv"))):
        result = called(system, *command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "Error: the gateway has no report to give: no_connection" in result.stderr
    assert not (system.data_dir / "x.csv").exists()


STRIPE_NOWHERE = {
    "SECRET_KEY": "sk_test_1",
    "WEBHOOK_SECRET": "whsec_1",
    "PUBLISHABLE_KEY": "pk_test_1",
    "API_BASE": "http://127.0.0.1:9",  # the port of `discard`: nobody listens
}
