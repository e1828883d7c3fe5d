"""Everything that ever happened to one order, from every stream that took part, in the log's order.

An order's cart, payment and checkout process have streams of their own, which are read completely; so do the
gateway's payments that these name. The gateway's news of them are found among all that it sent since. Its
stock events lie in the streams of its SKUs, which may be long: they are found through the commands that wrote
the order's other events, since one command writes them together and a command's positions are contiguous.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aggregates.cart import cart
from aggregates.orders import order
from aggregates.orders.events import OrderPlaced
from aggregates.payments import gateway, payment, process
from event_store.codec import Codec
from event_store.records import EventReader, JournalRow, RecordedEvent

_PAGE = 10_000
_NEWS = "payments.gateway_news_received"


class UnknownOrder(Exception):  # noqa: N818 - not a fault
    """The log has no order of this id."""


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One event of the history, and the command that wrote it (None only in a damaged log)."""

    recorded: RecordedEvent
    event: Any
    command: JournalRow | None


def load_history(log: EventReader, codec: Codec, order_id: str) -> list[HistoryEvent]:
    """The order's history in position order, personal data opened where its key still exists.

    Raises UnknownOrder; LogGap where the log is damaged among these events; StoreUnavailable.
    """
    own_streams = [order.stream(order_id), payment.stream(order_id), process.stream(order_id)]
    streams = log.read_streams(own_streams)
    if not streams[own_streams[0]]:
        raise UnknownOrder(order_id)
    found = {recorded.position: recorded for stream in own_streams for recorded in streams[stream]}
    rows = _rows(log, (recorded.command_id for recorded in found.values()))
    for row in rows.values():
        for recorded in _written_by(log, row):
            if recorded.position not in found and _names_order(codec, recorded, order_id):
                found[recorded.position] = recorded
    for recorded in _gateway_events(log, codec, order_id, [*found.values()]):
        found[recorded.position] = recorded
    for recorded in _cart_events(log, codec, streams[own_streams[0]]):
        found[recorded.position] = recorded
    rows |= _rows(log, (recorded.command_id for recorded in found.values()), known=rows)
    in_order = [found[position] for position in sorted(found)]
    return [
        HistoryEvent(recorded=recorded, event=event, command=rows.get(recorded.command_id))
        for recorded, event in zip(in_order, decode_opened(log, codec, in_order), strict=True)
    ]


def decode_opened(log: EventReader, codec: Codec, events: Iterable[RecordedEvent]) -> Iterator[Any]:
    """Each event decoded, with the personal fields whose subject's key exists in clear."""
    for recorded in events:
        subjects = codec.subjects(recorded)
        yield codec.decode(recorded, log.subject_keys(subjects) if subjects else None)


def _rows(
    log: EventReader, command_ids: Iterable[UUID], *, known: Collection[UUID] = ()
) -> dict[UUID, JournalRow]:
    rows = {
        command_id: log.journal_row(command_id)
        for command_id in dict.fromkeys(command_ids)
        if command_id not in known
    }
    return {command_id: row for command_id, row in rows.items() if row is not None}


def _written_by(log: EventReader, row: JournalRow) -> Iterator[RecordedEvent]:
    if row.first_position is None or row.last_position is None:
        return
    after = row.first_position - 1
    while after < row.last_position:
        page = log.read_all(after=after, limit=_PAGE, up_to=row.last_position)
        if not page:
            return
        yield from page
        after = page[-1].position


def _names_order(codec: Codec, recorded: RecordedEvent, order_id: str) -> bool:
    """Stock and credit notes: kinds of streams whose events name their order."""
    return (
        recorded.stream.startswith(("stock-", "credit_note-"))
        and getattr(codec.decode(recorded), "order_id", None) == order_id
    )


def _gateway_events(
    log: EventReader, codec: Codec, order_id: str, order_events: list[RecordedEvent]
) -> Iterator[RecordedEvent]:
    """Whose the gateway's payments are, and its news of them, those that changed nothing too."""
    decoded = map(codec.decode, order_events)
    references: set[str] = {getattr(event, "gateway_reference", None) or "" for event in decoded} - {""}
    if not references:
        return
    for events in log.read_streams([gateway.payment_stream(name) for name in sorted(references)]).values():
        yield from events
    after = min(recorded.position for recorded in order_events)
    while page := log.read_all(after=after, limit=_PAGE, types=[_NEWS]):
        for recorded in page:
            news = codec.decode(recorded)
            if news.order_id == order_id or news.gateway_reference in references:
                yield recorded
        after = page[-1].position


def _cart_events(log: EventReader, codec: Codec, order_events: list[RecordedEvent]) -> list[RecordedEvent]:
    placed = codec.decode(order_events[0])
    if not isinstance(placed, OrderPlaced) or placed.cart_id is None:
        return []
    return log.read_stream(cart.stream(placed.cart_id))
