"""An order as it stood at some moment, and how it came to that: for a person, or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from aggregates.kernel import Money
from aggregates.orders.events import OrderPlaced
from projections.documents.shapes import OrderDocument
from projections.views.orders import VIEW
from replays.order.history import HistoryEvent
from replays.order.moments import Cut, format_time
from replays.order.sentences import Titles, describe, titles_of
from replays.order.words import money_in_words

_KINDS = {"credit_note": "credit note", "gateway_event": "news", "gateway_payment": "gateway"}


class NotYet(Exception):  # noqa: N818 - not a fault
    """The order did not exist at that moment."""


def in_words(history: Sequence[HistoryEvent], cut: Cut) -> str:
    """The order's state, then its story. Raises NotYet."""
    counted, document = _as_of(history, cut)
    return "\n".join([*_state_in_words(document, cut), *_story(counted, document.currency)])


def in_json(history: Sequence[HistoryEvent], cut: Cut) -> str:
    """`{"order": its document, "events": […]}`. Raises NotYet."""
    counted, document = _as_of(history, cut)
    report = {"order": document, "events": [_event_in_json(moment) for moment in counted]}
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def order_document(events: Iterable[HistoryEvent]) -> OrderDocument | None:
    """The order after these events, in position order; None where it was not placed yet.

    By the very fold that makes the read model, so that the two can be compared.
    """
    document: OrderDocument | None = None
    placed = False
    for moment in events:
        if type(moment.event) not in VIEW.events:
            continue
        placed = placed or isinstance(moment.event, OrderPlaced)
        for key, fact in VIEW.facts(moment.event, moment.recorded):
            document = VIEW.evolve(key, document, fact, moment.recorded)
            document.position = moment.recorded.position
    return document if placed else None


def _as_of(history: Sequence[HistoryEvent], cut: Cut) -> tuple[list[HistoryEvent], OrderDocument]:
    counted = [moment for moment in history if cut.includes(moment.recorded)]
    document = order_document(counted)
    if document is None:
        raise NotYet(f"there was no such order {cut.words}")
    return counted, document


def _state_in_words(order: OrderDocument, cut: Cut) -> list[str]:
    lines = [f"Order {order.number} ({order.id}), {cut.words}"]
    lines.append(f"  status {order.status}, payment {order.payment.status}, position {order.position}")
    for line in order.lines:
        total = _money(line.line_total)
        sent = f"{line.fulfilled:,} of {line.quantity:,} sent, {line.returned:,} returned"
        lines.append(f"  {line.line_id:>3}. {line.quantity:,} × {line.title} ({line.sku}) = {total}: {sent}")
    for charge in order.charges:
        lines.append(f"       {charge.kind} ({charge.label}) = {_money(charge.amount)}")
    lines.append(f"  total {_money(order.total)}")
    lines += [f"  {words}" for words in _credit_in_words(order)]
    for part in ("authorized", "captured", "refunded", "pending", "disputed"):
        if (amount := getattr(order.payment, part)) is not None:
            lines.append(f"  {part} {_money(amount)}")
    return lines


def _credit_in_words(order: OrderDocument) -> Iterator[str]:
    """What gift cards and store credit paid, and got back: the payment's amounts are the card's alone."""
    back: Counter[str | None] = Counter()
    for refund in order.refunds:
        for tender in refund.tenders or ():
            back[tender.account_id] += tender.amount.amount
    for tender in order.tenders:
        if tender.account_id is not None:
            given_back = Money(back[tender.account_id], order.currency)
            words = f"{tender.kind.replace('_', ' ')} {tender.account_id} paid {_money(tender.amount)}"
            yield words + (f", got {money_in_words(given_back)} back" if given_back.amount else "")


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


def _story(events: Sequence[HistoryEvent], currency: str) -> Iterator[str]:
    """By command, each with its actor and its time, in the log's order."""
    titles = titles_of(moment.event for moment in events)
    for _, group in groupby(events, key=lambda moment: moment.recorded.command_id):
        chapter = list(group)
        yield ""
        yield _heading(chapter[0])
        for moment in chapter:
            yield from _lines(moment, titles, currency)


def _heading(moment: HistoryEvent) -> str:
    recorded = moment.recorded
    when = format_time(recorded.valid_at)
    if recorded.valid_at != recorded.recorded_at:
        when += f" (written down {format_time(recorded.recorded_at)})"
    if moment.command is None:
        return f"{when}  {_actor(recorded.actor)}; the journal has no row for this command"
    name = moment.command.name.replace("_", " ")
    return f"{when}  {name}, by {_actor(recorded.actor)}, channel {moment.command.channel}"


def _lines(moment: HistoryEvent, titles: Titles, currency: str) -> Iterator[str]:
    kind = moment.recorded.stream.partition("-")[0]
    sentence, *details = describe(moment.event, titles, currency)
    yield f"  {moment.recorded.position:>9}  {_KINDS.get(kind, kind):<11}  {sentence}"
    for detail in details:
        yield f"{'':26}{detail}"


def _actor(actor: str) -> str:
    """`operator:alice` is `operator alice`, `anonymous:` is `anonymous`."""
    return actor.replace(":", " ", 1).strip()
