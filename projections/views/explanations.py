"""The view `explanation`: how each order's total came about, as it was placed."""

from __future__ import annotations

from collections.abc import Sequence

from aggregates.orders.events import OrderPlaced
from event_store.records import RecordedEvent
from projections.documents.shapes import ExplanationDocument, ExplanationStep, NotAppliedPromotion
from projections.views.view import DocumentView


def facts(event: OrderPlaced, recorded: RecordedEvent) -> Sequence[tuple[str, OrderPlaced]]:
    """The event, for its order."""
    return ((event.order_id, event),)


def evolve(
    key: str, _document: ExplanationDocument | None, event: OrderPlaced, recorded: RecordedEvent
) -> ExplanationDocument:
    """The explanation that the order was placed with; it never changes."""
    explanation = event.explanation
    steps = () if explanation is None else explanation.steps
    not_applied = () if explanation is None else explanation.not_applied
    components = {one.group: one.components for one in event.taxes}
    return ExplanationDocument(
        id=key,
        currency=event.currency,
        goods=sum(line.line_total.amount for line in event.lines),
        total=event.total.amount,
        calculation=event.rounding if explanation is None else explanation.calculation,
        terms=None if explanation is None else explanation.terms,
        at=None if explanation is None else explanation.at,
        steps=[
            ExplanationStep(
                step=one.step,
                rule=one.rule,
                label=one.label,
                base=one.base,
                amount=one.amount,
                shares=one.shares,
                rate=one.rate,
                exact=one.exact,
                inside=one.inside,
                components=components.get(one.rule, {}) if one.step == "tax" else {},
            )
            for one in steps
        ],
        not_applied=[NotAppliedPromotion(one.rule, one.why) for one in not_applied],
        position=recorded.position,
        secret_hash=event.secret_hash,
    )


VIEW = DocumentView(
    name="explanation",
    model=2,
    shape=ExplanationDocument,
    events=frozenset({OrderPlaced}),
    facts=facts,
    evolve=evolve,
)
