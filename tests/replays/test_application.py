"""Daybook's log through the `eventsourcing` library's own application."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eventsourcing.application import AggregateNotFoundError

from aggregates.orders import order
from event_store.records import RecordedEvent
from replays.application import DaybookHistory, Fact
from tests.shop.facts import CART, CODEC
from tests.shop.story import ANNA, BORIS, MUG, Story


@pytest.fixture
def history(fresh_postgres: str, postgres_shop: Story) -> Iterator[DaybookHistory]:
    postgres_shop.whole_story()
    application = DaybookHistory({"DAYBOOK_POSTGRES_URL": fresh_postgres})
    yield application
    application.close()


def test_a_stream_stands_as_it_did_at_any_version(history: DaybookHistory) -> None:
    statuses = [history.order(ANNA, version=version).state.status for version in (1, 2, 3, 4)]

    assert statuses == ["placed", "confirmed", "fulfilled", "partially_returned"]
    assert history.order(ANNA).version == 5
    assert history.order(BORIS).state.status == "placed"
    assert history.cart(CART, version=2).state.total.amount == 2598
    assert history.stock(MUG, version=1).state.on_hand == 10
    assert (history.stock(MUG).state.on_hand, history.stock(MUG).state.reserved) == (9, 3)


def test_the_state_is_the_aggregate_s_own_fold_of_the_log(
    history: DaybookHistory, postgres_shop: Story
) -> None:
    folded = order.initial()
    for recorded in postgres_shop.log.read_stream(f"order-{ANNA}"):
        folded = order.evolve(folded, CODEC.decode(recorded))

    assert history.order(ANNA).state == folded


def test_a_stream_without_events_is_not_found(history: DaybookHistory) -> None:
    with pytest.raises(AggregateNotFoundError):
        history.order("f" * 32)


def test_the_library_s_notification_log_pages_through_our_positions(
    history: DaybookHistory, postgres_shop: Story
) -> None:
    page = history.notification_log.select(start=1, limit=10)

    recorded = postgres_shop.log.read_all(after=0, limit=10)
    assert [(n.id, n.originator_id, n.topic) for n in page] == [
        (event.position, event.stream, topic(event)) for event in recorded
    ]


def topic(event: RecordedEvent) -> str:
    """The stored name; the schema number too, once it is not the first."""
    return event.type if event.schema_number == 1 else f"{event.type}@{event.schema_number}"


def test_history_is_not_written(history: DaybookHistory, postgres_shop: Story) -> None:
    head = postgres_shop.log.head()

    with pytest.raises(TypeError, match="only read"):
        history.events.put([Fact(f"order-{ANNA}", 6, object())])

    assert postgres_shop.log.head() == head
