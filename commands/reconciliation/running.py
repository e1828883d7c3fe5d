"""One reconciliation from end to end: the report read, our payments beside it, and a look at what we lack."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from aggregates.kernel import OrderId, Rejected
from aggregates.payments.standing import Standing
from commands.gateways.gateway import GatewayError
from commands.handlers.payments import is_id
from commands.importing.progress import Progress
from commands.loop.decision import BusyError
from commands.reconciliation.books import moved, orders_moved, our_payments
from commands.reconciliation.matching import (
    SETTLED,
    Finding,
    Kind,
    Report,
    Verdict,
    Window,
    compare,
    compare_all,
)
from commands.reconciliation.report import MalformedReport, read_report
from event_store.records import EventReader

LOOKS_AT_ONCE = 8
FAILURES_MAX = 16
EDGE_MAX = 500
"""So many items that a report lacks may lie at its edges, and are looked at; more have another cause."""

Heal = Callable[[str], Awaitable[Standing]]
"""Looks at a payment by the gateway's reference, and has what the gateway says of it joined into our log.

Returns what it said. Raises GatewayError, and what the handling loop raises.
"""


@dataclass(slots=True)
class Reconciliation:
    """What a reconciliation found: every item is counted, and those that did not just match are listed."""

    report: Report
    window: Window
    counts: Counter[tuple[Verdict, Kind]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @property
    def left(self) -> list[Finding]:
        """What is to be looked into."""
        return [finding for finding in self.findings if finding.verdict not in SETTLED]

    def add(self, findings: Iterable[Finding]) -> None:
        """Takes in what was found."""
        for finding in findings:
            self.counts[finding.verdict, finding.kind] += 1
            if finding.verdict != "matched":
                self.findings.append(finding)


async def reconcile(
    file: Path,
    log: EventReader,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: int = 0,
    heal: Heal | None = None,
    progress: Progress,
) -> Reconciliation:
    """Holds the report against the log. Raises MalformedReport and OSError.

    `since` and `until` (UTC) say which time the report covers; else it is taken to begin with the day of its
    first line and to end with its last. `after` is a position before which nothing of that time can lie.
    Without `heal` nothing is looked at, and nothing written. What blocks is done in threads.
    """
    result = await asyncio.to_thread(_compared, file, log, since, until, after, progress)
    lacking = {one.payment: one.order_id for one in result.findings if _lacks(one)}
    edge = [one for one in result.findings if one.verdict == "missing_at_stripe"]
    if len(edge) <= EDGE_MAX:
        lacking |= {one.payment: one.order_id for one in edge}
    if heal is not None and lacking:
        await _heal(result, lacking, log, heal, progress)
    progress.close()
    return result


def _compared(
    file: Path,
    log: EventReader,
    since: datetime | None,
    until: datetime | None,
    after: int,
    progress: Progress,
) -> Reconciliation:
    report = Report()
    progress.stage("reading the report", unit=" lines")
    for line in read_report(file):
        report.add(line)
        progress.advance(1)
    window = _window(report, since, until)
    progress.stage("reading our payments", unit=" items")
    orders = dict.fromkeys(filter(is_id, chain(report.orders, orders_moved(log, window, after=after))))
    result = Reconciliation(report, window)
    for finding in compare_all(report, our_payments(log, orders), window):
        result.add((finding,))
        progress.advance(1)
    return result


def _window(report: Report, since: datetime | None, until: datetime | None) -> Window:
    since = since or (report.first and report.first.replace(hour=0, minute=0, second=0, microsecond=0))
    until = until or (report.last and report.last + timedelta(microseconds=1))
    if since is None or until is None:
        raise MalformedReport("the report has no lines: --since and --until say which time it covers")
    return Window(since, until)


async def _heal(
    result: Reconciliation,
    lacking: Mapping[str, OrderId | None],
    log: EventReader,
    heal: Heal,
    progress: Progress,
) -> None:
    """Looks at the payments that our log lacks something of, each with its order; what then agrees is healed.

    Once FAILURES_MAX looks in a row have failed, the others are not tried.
    """
    progress.stage("looking at the gateway", total=len(lacking), unit=" payments")
    looked: dict[str, Standing] = {}
    failures: Counter[str] = Counter()
    in_a_row = 0
    slots = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def look(reference: str) -> None:
        nonlocal in_a_row
        async with slots:
            if in_a_row >= FAILURES_MAX:
                failures["the gateway does not answer"] += 1
                return
            try:
                looked[reference] = await heal(reference)
                in_a_row = 0
            except GatewayError as error:
                failures[error.code] += 1
                in_a_row += 1
            except (Rejected, BusyError) as error:
                failures[str(error) or "the log is too busy"] += 1
            progress.advance(1)

    await asyncio.gather(*map(look, lacking))
    for why, count in failures.items():
        progress.note(f"{count:,} of {len(lacking):,} payments could not be looked at: {why}")
    orders = {order for reference, order in lacking.items() if reference in looked and order is not None}
    payments = await asyncio.to_thread(lambda: list(our_payments(log, orders)))
    again = {
        payment.reference: compare(payment, result.report.payments.get(payment.reference, ()), result.window)
        for payment in payments
        if payment.reference in looked
    }
    before = {(finding.kind, finding.item) for finding in result.findings if finding.payment in again}
    kept = [finding for finding in result.findings if finding.payment not in again]
    for finding in chain.from_iterable(again.values()):
        if finding.verdict == "missing_at_stripe" and _has(looked[finding.payment], finding):
            kept.append(replace(finding, verdict="another_report"))
        elif finding.verdict != "matched":
            kept.append(finding)
        elif (finding.kind, finding.item) in before:
            kept.append(replace(finding, verdict="healed"))
    matched = Counter({key: count for key, count in result.counts.items() if key[0] == "matched"})
    result.findings, result.counts = [], matched
    result.add(kept)


def _lacks(finding: Finding) -> bool:
    """Whether we may not have heard of something that the gateway did."""
    if finding.differs != "amount" or finding.ours is None or finding.reported is None:
        return finding.verdict == "missing_here"
    return abs(finding.reported.amount) > abs(finding.ours.amount)


def _has(standing: Standing, finding: Finding) -> bool:
    """Whether the gateway itself has what its report lacks: then it moved at another time there."""
    there = sum(
        amount for kind, item, amount, _ in moved(standing) if (kind, item) == (finding.kind, finding.item)
    )
    return finding.ours is not None and abs(there) >= abs(finding.ours.amount) > 0
