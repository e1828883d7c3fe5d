"""Every store finds what is selected, and PostgreSQL without looking at all the rest."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from event_store.errors import LogGap
from event_store.postgres.log import PostgresLog
from event_store.postgres.queries import queries
from event_store.records import EventLog, RecordedEvent
from event_store.selection import ALL, Selection
from tests.event_store.given import append, entry, event

STREAMS = ("cart-a", "cart-b", "stock-a", "order-1")
TYPES = ("cart.item_added", "cart.cart_opened", "orders.order_placed")
LONG_AGO = datetime(2011, 1, 1, tzinfo=UTC)


@pytest.fixture
def busy(log: EventLog) -> EventLog:
    """Some sixty events of four streams and three types, the half of them true long ago."""
    chance = random.Random(7)
    versions = dict.fromkeys(STREAMS, 0)
    for number in range(30):
        stream = chance.choice(STREAMS)
        count = chance.randint(1, 3)
        append(
            log,
            entry(
                {stream: versions[stream]},
                verdict="accepted",
                events=[event(stream, name=chance.choice(TYPES)) for _ in range(count)],
                valid_at=LONG_AGO + timedelta(days=number) if chance.random() < 0.5 else None,
            ),
        )
        versions[stream] += count
    return log


def some(chance: random.Random, choices: tuple[str, ...]) -> frozenset[str] | None:
    return chance.choice([None, frozenset(chance.sample(choices, chance.randint(0, 2)))])


def test_what_is_selected_is_what_a_look_at_everything_finds(busy: EventLog) -> None:
    everything = busy.read_all(after=0, limit=1_000)
    moments = [None, *(one.recorded_at for one in everything[::7]), everything[-1].recorded_at]
    ages = [None, None, *(LONG_AGO + timedelta(days=day) for day in (5, 15, 25)), everything[0].recorded_at]
    chance = random.Random(11)
    found = 0
    for _ in range(300):
        selection = Selection(
            types=some(chance, TYPES),
            streams=some(chance, (*STREAMS, "cart-none")),
            recorded_from=chance.choice(moments),
            recorded_to=chance.choice(moments),
            valid_from=chance.choice(ages),
            valid_to=chance.choice(ages),
        )
        after, limit = chance.choice([0, 0, 5, 30, 99]), chance.choice([1, 3, 1_000])
        up_to = chance.choice([None, 40])
        wanted = [one for one in everything[after:up_to] if matches(one, selection)][:limit]
        assert busy.read_selected(selection, after=after, limit=limit, up_to=up_to) == wanted
        found += len(wanted)
    assert found > 100


def matches(one: RecordedEvent, selection: Selection) -> bool:
    """Said once more, in other words."""
    wanted = [
        selection.types is None or {one.type} <= selection.types,
        selection.streams is None or {one.stream} <= selection.streams,
        not (selection.recorded_from and one.recorded_at < selection.recorded_from),
        not (selection.recorded_to and one.recorded_at >= selection.recorded_to),
        not (selection.valid_from and one.valid_at < selection.valid_from),
        not (selection.valid_to and one.valid_at >= selection.valid_to),
    ]
    return all(wanted)


def test_everything_selected_is_everything(busy: EventLog) -> None:
    assert busy.read_selected(ALL, after=0, limit=1_000) == busy.read_all(after=0, limit=1_000)


def test_the_position_before_a_moment_is_found(busy: EventLog) -> None:
    events = busy.read_all(after=0, limit=1_000)
    for moment in (LONG_AGO, *(one.recorded_at for one in events), events[-1].recorded_at + timedelta(1)):
        assert busy.position_before(moment) == len([one for one in events if one.recorded_at < moment])


def test_an_empty_log_has_nothing_before_any_moment(log: EventLog) -> None:
    assert log.position_before(datetime.now(UTC)) == 0
    assert log.read_selected(Selection(streams=frozenset({"cart-a"})), after=0, limit=10) == []


@pytest.mark.parametrize("limit", [0, 10_001])
def test_a_selection_is_read_in_pages(log: EventLog, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        log.read_selected(ALL, after=0, limit=limit)


@pytest.fixture
def long_log(postgres_url: str, schema: str) -> Iterator[PostgresLog]:
    """Ten thousand events, of two streams that take turns."""
    log = PostgresLog.open(postgres_url, schema=schema)
    for start in range(0, 5_000, 250):
        streams = {"stock-a": start, "stock-b": start}
        for stream, version in streams.items():
            append(log, entry({stream: version}, *[stream] * 250))
    yield log
    log.close()


def rows_read(url: str, schema: str, query: str, **parameters: Any) -> int:
    """How many events the query looks at."""
    with psycopg.connect(url) as connection:
        connection.execute(f"SET search_path TO {schema}".encode())
        connection.execute(b"ANALYZE events")
        explained = b"EXPLAIN (ANALYZE, FORMAT JSON) " + queries()[query].encode()
        row = connection.execute(explained, parameters).fetchone()
    assert row is not None
    return sum(_events_in(row[0][0]["Plan"]))


def _events_in(node: dict[str, Any]) -> Iterator[int]:
    if node.get("Relation Name") == "events":
        looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        yield round(looked_at * node["Actual Loops"])
    for inner in node.get("Plans", []):
        yield from _events_in(inner)


NOTHING: dict[str, Any] = dict.fromkeys(
    ["types", "recorded_from", "recorded_to", "valid_from", "valid_to"], None
)


def test_a_streams_page_looks_at_that_page_alone(
    long_log: PostgresLog, postgres_url: str, schema: str
) -> None:
    page = {"streams": ["stock-a", "stock-none"], "after": 9_000, "up_to": 10_000, "limit": 100}
    looked_at = rows_read(postgres_url, schema, "events_selected_of_streams", **NOTHING, **page)
    assert 100 <= looked_at < 200
    found = long_log.read_selected(Selection(streams=frozenset({"stock-a"})), after=9_000, limit=100)
    assert [one.version for one in found] == list(range(4_501, 4_601))


def test_a_moment_is_found_by_few_looks(long_log: PostgresLog, postgres_url: str, schema: str) -> None:
    moment = long_log.read_positions([7_000])[0].recorded_at
    assert rows_read(postgres_url, schema, "position_before", moment=moment) < 50


def test_other_selections_look_at_the_range_they_are_given(
    long_log: PostgresLog, postgres_url: str, schema: str
) -> None:
    page = {"after": 9_000, "up_to": 9_500, "limit": 100, "streams": None}
    looked_at = rows_read(
        postgres_url, schema, "events_selected", **{**NOTHING, "types": ["cart.cart_opened"]}, **page
    )
    assert looked_at <= 500


def test_a_stream_that_lacks_a_version_is_never_read_from_its_beginning_again(
    long_log: PostgresLog, postgres_url: str, schema: str
) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"SET search_path TO {schema}".encode())
        connection.execute(b"DELETE FROM events WHERE stream = 'stock-a' AND version = 2500")
    with pytest.raises(LogGap, match="a version of stock-a is missing"):
        long_log.read_selected(Selection(streams=frozenset({"stock-a"})), after=9_000, limit=100)
