"""An order as it stood at some moment, and how it came to that: for a person, or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from aggregates.kernel import Money
from projections.documents.shapes import OrderDocument
from replays.order.amounts import in_words as money_in_words
from replays.order.history import HistoryEvent
from replays.order.moments import Cut
from replays.order.order_state import order_document
from replays.order.story import story


class NotYet(Exception):  # noqa: N818 - the answer to a question, not a fault
    """The order did not exist at that moment."""


def in_words(history: Sequence[HistoryEvent], cut: Cut) -> str:
    """The order's state, then its story. Raises NotYet."""
    kept, document = _as_of(history, cut)
    return "\n".join([*_state_in_words(document, cut), *story(kept)])


def in_json(history: Sequence[HistoryEvent], cut: Cut) -> str:
    """`{"order": its document, "events": […]}`. Raises NotYet."""
    kept, document = _as_of(history, cut)
    told = {"order": document, "events": [_event_in_json(moment) for moment in kept]}
    return msgspec.json.format(msgspec.json.encode(told)).decode()


def _as_of(history: Sequence[HistoryEvent], cut: Cut) -> tuple[list[HistoryEvent], OrderDocument]:
    kept = [moment for moment in history if cut.keeps(moment.recorded)]
    document = order_document(kept)
    if document is None:
        raise NotYet(f"there was no such order {cut}")
    return kept, document


def _state_in_words(order: OrderDocument, cut: Cut) -> list[str]:
    lines = [f"Order {order.number} ({order.id}), {cut}"]
    lines.append(f"  status {order.status}, payment {order.payment.status}, position {order.position}")
    for line in order.lines:
        total = _money(line.line_total)
        sent = f"{line.fulfilled:,} of {line.quantity:,} sent, {line.returned:,} returned"
        lines.append(f"  {line.line_id:>3}. {line.quantity:,} × {line.title} ({line.sku}) = {total}: {sent}")
    for charge in order.charges:
        lines.append(f"       {charge.kind} ({charge.label}) = {_money(charge.amount)}")
    lines.append(f"  total {_money(order.total)}")
    if order.payment.refunded is not None and order.payment.refunded.amount:
        lines.append(f"  refunded {_money(order.payment.refunded)}")
    return lines


def _event_in_json(moment: HistoryEvent) -> dict[str, Any]:
    recorded, row = moment.recorded, moment.command
    return {
        "position": recorded.position,
        "stream": recorded.stream,
        "version": recorded.version,
        "type": recorded.type,
        "data": moment.event,
        "recorded_at": recorded.recorded_at,
        "valid_at": recorded.valid_at,
        "actor": recorded.actor,
        "command": {
            "id": str(recorded.command_id),
            "name": None if row is None else row.name,
            "channel": None if row is None else row.channel,
        },
        "correlation": recorded.correlation,
        "causation": recorded.causation,
    }


def _money(amount: Any) -> str:
    return money_in_words(Money(amount.amount, amount.currency))
