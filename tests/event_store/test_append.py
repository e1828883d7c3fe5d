"""What every store promises of an append."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import islice
from uuid import uuid4

import pytest

from event_store.errors import InvalidEntry, StoreUnavailable
from event_store.keys import new_subject_key
from event_store.records import Appended, Entry, EventLog, Moved, Replayed
from tests.event_store.given import adding, append, entry, event, keyed, positions, written


def test_positions_and_versions_follow_each_other_from_one(log: EventLog) -> None:
    outcomes = append(log, adding("cart-a"), entry({"cart-b": 0, "cart-a": 1}, "cart-b", "cart-a", "cart-b"))
    assert positions(outcomes) == [1, 2]
    assert positions(append(log, adding("cart-b", 2))) == [5]
    assert written(log) == [
        (1, "cart-a", 1),
        (2, "cart-b", 1),
        (3, "cart-a", 2),
        (4, "cart-b", 2),
        (5, "cart-b", 3),
    ]


def test_an_event_comes_back_as_it_was_given(log: EventLog) -> None:
    yesterday = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    given = entry(
        {"cart-ä": 0},
        events=[event("cart-ä", b'{"\xc3\xa4": 1}', number=7)],
        verdict="accepted",
        actor="customer:ann",
        correlation="ab" * 16,
        causation="event:7",
        valid_at=yesterday,
    )
    (outcome,) = append(log, given)
    (recorded,) = log.read_stream("cart-ä")
    assert (recorded.position, recorded.version, recorded.type) == (1, 1, "cart.item_added")
    assert (recorded.data, recorded.schema_number) == (b'{"\xc3\xa4": 1}', 7)
    assert (recorded.actor, recorded.correlation, recorded.causation) == (
        "customer:ann",
        "ab" * 16,
        "event:7",
    )
    assert recorded.command_id == given.command_id
    assert recorded.valid_at == yesterday
    assert isinstance(outcome, Appended)
    assert recorded.recorded_at == outcome.recorded_at
    assert recorded.recorded_at.utcoffset() is not None


def test_an_event_is_valid_when_it_was_recorded_unless_told(log: EventLog) -> None:
    append(log, adding("cart-a"))
    (recorded,) = log.read_stream("cart-a")
    assert recorded.valid_at == recorded.recorded_at


def test_an_entry_on_a_state_that_moved_is_refused_with_the_streams(log: EventLog) -> None:
    append(log, adding("cart-a"), adding("cart-b"))
    stale = entry({"cart-a": 0, "cart-b": 1, "cart-c": 3}, "cart-b")
    assert append(log, stale) == [Moved(("cart-a", "cart-c"))]
    assert len(written(log)) == 2
    assert log.journal_row(stale.command_id) is None


def test_a_refused_entry_never_hurts_its_neighbours(log: EventLog) -> None:
    append(log, adding("cart-a"))
    outcomes = append(log, adding("cart-b"), adding("cart-a"), entry({"cart-c": 0}, "cart-c", "cart-c"))
    assert outcomes[1] == Moved(("cart-a",))
    assert positions([outcomes[0], outcomes[2]]) == [2, 3]
    assert written(log)[1:] == [(2, "cart-b", 1), (3, "cart-c", 1), (4, "cart-c", 2)]


def test_expected_versions_chain_within_a_call(log: EventLog) -> None:
    outcomes = append(log, *(adding("stock-x", version) for version in range(50)))
    assert positions(outcomes) == list(range(1, 51))


def test_of_two_entries_on_one_state_the_first_wins(log: EventLog) -> None:
    outcomes = append(log, adding("stock-x"), adding("stock-x"), adding("stock-x", 1))
    assert outcomes[1] == Moved(("stock-x",))
    assert positions([outcomes[0], outcomes[2]]) == [1, 2]


def test_an_entry_falls_with_the_mate_it_was_decided_on_whatever_the_version_says(log: EventLog) -> None:
    append(log, adding("stock-x"))  # another process wrote just as many
    mate = adding("stock-x")
    outcomes = append(log, mate, adding("stock-x", 1, decided_on=[mate.command_id]), adding("stock-y"))
    assert outcomes[:2] == [Moved(("stock-x",)), Moved(("stock-x",))]
    assert positions(outcomes[2:]) == [2]


def test_falling_goes_on_through_mates_of_mates(log: EventLog) -> None:
    append(log, adding("stock-x"))
    first = adding("stock-x")
    second = entry({"stock-y": 0, "stock-x": 1}, "stock-y", decided_on=[first.command_id])
    third = entry({"stock-z": 0}, "stock-z", decided_on=[second.command_id])
    assert append(log, first, second, third) == [
        Moved(("stock-x",)),
        Moved(("stock-y", "stock-x")),
        Moved(("stock-z",)),
    ]
    assert len(written(log)) == 1


def test_an_entry_stands_with_the_mate_it_was_decided_on(log: EventLog) -> None:
    first = adding("stock-x")
    outcomes = append(log, first, adding("stock-x", 1, decided_on=[first.command_id]))
    assert positions(outcomes) == [1, 2]


@pytest.mark.parametrize("verdict", ["refused", "unchanged"])
def test_what_wrote_nothing_has_its_reads_checked_too(log: EventLog, verdict: str) -> None:
    append(log, adding("stock-x"))
    stale, fresh = (entry({"stock-x": version}, verdict=verdict) for version in (0, 1))
    outcomes = append(log, stale, fresh)
    assert outcomes[0] == Moved(("stock-x",))
    assert isinstance(outcomes[1], Appended)
    assert (outcomes[1].first_position, outcomes[1].last_position) == (None, None)


def test_a_command_sent_again_finds_its_own_row(log: EventLog) -> None:
    sent = adding("cart-a")
    (first,) = append(log, sent)
    outcomes = append(log, adding("cart-b"), sent)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Appended", "Replayed"]
    assert isinstance(first, Appended)
    assert outcomes[1].row.first_position == first.first_position  # type: ignore[union-attr]
    assert len(log.read_stream("cart-a")) == 1


def test_a_subjects_key_travels_with_the_entry(log: EventLog) -> None:
    key = new_subject_key()
    append(log, adding("order-a", new_subject_keys={"ann": key}))
    assert log.subject_keys(["ann", "bob"]) == {"ann": key}
    # The same once more is no contradiction.
    assert positions(append(log, adding("order-b", new_subject_keys={"ann": key}))) == [2]


def test_a_subjects_key_made_elsewhere_meanwhile_refuses_the_entry(log: EventLog) -> None:
    append(log, adding("order-a", new_subject_keys={"ann": b"1" * 32}))
    late = adding("order-b", new_subject_keys={"ann": b"2" * 32, "bob": b"3" * 32})
    assert append(log, late, adding("order-c")) == [
        Moved((), ("ann",)),
        Appended(2, 2, log.read_stream("order-c")[0].recorded_at),
    ]
    assert log.subject_keys(["ann", "bob"]) == {"ann": b"1" * 32}


def test_of_two_keys_for_one_subject_in_one_call_the_first_counts(log: EventLog) -> None:
    outcomes = append(
        log,
        adding("order-a", new_subject_keys={"ann": b"1" * 32}),
        adding("order-b", new_subject_keys={"ann": b"2" * 32}),
    )
    assert outcomes[1] == Moved((), ("ann",))
    assert log.subject_keys(["ann"]) == {"ann": b"1" * 32}


def test_a_subjects_key_that_was_read_must_still_be_the_logs(log: EventLog) -> None:
    one, other = b"1" * 32, b"2" * 32
    sealed = {"subject_keys": {"ann": one}}
    assert append(log, adding("order-a", **sealed)) == [Moved((), ("ann",))]  # destroyed, or never there
    append(log, adding("order-b", new_subject_keys={"ann": one}))
    outcomes = append(
        log,
        adding("order-c", **sealed),
        adding("order-d", subject_keys={"ann": other}),
        adding("order-e", subject_keys={"ann": one, "bob": one}, new_subject_keys={"cid": one}),
    )
    assert positions(outcomes[:1]) == [2]
    assert outcomes[1:] == [Moved((), ("ann",)), Moved((), ("bob",))]
    assert log.subject_keys(["ann", "bob", "cid"]) == {"ann": one}


def test_a_key_that_the_same_call_brings_can_be_read_after_it(log: EventLog) -> None:
    key = {"ann": b"1" * 32}
    bringing, reading = adding("order-a", new_subject_keys=key), adding("order-b", subject_keys=key)
    too_soon = adding("order-c", subject_keys=key)
    outcomes = append(log, too_soon, bringing, reading)
    assert outcomes[0] == Moved((), ("ann",))
    assert positions(outcomes[1:]) == [1, 2]
    assert positions(append(log, adding("order-d", subject_keys=key))) == [3]


def test_the_key_of_a_refused_entry_is_not_kept(log: EventLog) -> None:
    append(log, adding("order-a"))
    append(log, adding("order-a", new_subject_keys={"ann": b"1" * 32}))
    assert log.subject_keys(["ann"]) == {}


def test_recorded_at_never_runs_backwards(log: EventLog) -> None:
    for version in range(20):
        append(log, adding("cart-a", version))
    times = [e.recorded_at for e in log.read_stream("cart-a")]
    assert times == sorted(times)


def test_nothing_is_appended_by_an_empty_call(log: EventLog) -> None:
    assert log.append([]) == []
    assert log.head() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        entry({"cart-a": 0}, "cart-b"),
        entry({"cart-a": 0}, events=[event("cart-a", b"x" * (1024 * 1024 + 1))], verdict="accepted"),
        entry({"cart-a": 0}, events=[event("cart-a", name="cart.ItemAdded")], verdict="accepted"),
        entry({"cart-a": 0}, events=[event("cart-a", name="item_added")], verdict="accepted"),
        entry({"cart-a": 0}, events=[event("cart-a", number=0)], verdict="accepted"),
        entry({"cart-a": 0}, events=[event("cart-a")], verdict="refused"),
        entry({"": 0}),
        entry({"c" * 256: 0}),
        entry({"cart-\0": 0}),
        entry({"cart-\ud800": 0}),
        entry({"cart-a": -1}),
        entry({"cart-a": 2**62}),
        entry({"cart-a": 0}, verdict="maybe"),
        entry({"cart-a": 0}, events=[event("cart-a", b"x" * 1024 * 1024)] * 65, verdict="accepted"),
        entry({"cart-a": 0}, arguments=b"x" * (1024 * 1024 + 1)),
        adding("cart-a", **keyed(b"k" * 256)),
        adding("cart-a", **(keyed(b"k") | {"key": b""})),
        adding("cart-a", actor="a" * 1001),
        adding("cart-a", new_subject_keys={"a" * 256: b"1" * 32}),
        adding("cart-a", actor="a\0b"),
        adding("cart-a", key=b"k" * 32),
        adding("cart-a", request_hash=b"k" * 32),
        adding("cart-a", decided_on=[uuid4()]),
        adding("cart-a", new_subject_keys={"ann": b"short"}),
        adding("cart-a", subject_keys={"ann": b"short"}),
        adding("cart-a", subject_keys={"a\0nn": b"1" * 32}),
        adding("cart-a", subject_keys={"ann": b"1" * 32}, new_subject_keys={"ann": b"1" * 32}),
        adding("cart-a", valid_at=datetime(2026, 1, 1)),
    ],
)
def test_an_entry_out_of_form_is_refused_before_anything_is_sent(log: EventLog, wrong: Entry) -> None:
    with pytest.raises(InvalidEntry):
        append(log, adding("cart-before"), wrong)
    assert log.head() == 0


def test_an_event_of_exactly_the_size_limit_is_taken(log: EventLog) -> None:
    largest = entry({"cart-a": 0}, events=[event("cart-a", b"x" * 1024 * 1024)] * 3, verdict="accepted")
    assert positions(append(log, largest)) == [1]
    assert [len(recorded.data) for recorded in log.read_stream("cart-a")] == [1024 * 1024] * 3


def test_texts_of_exactly_the_length_limit_are_taken(log: EventLog) -> None:
    """Also by the indexes, at four bytes to a character that do not compress."""
    texts = iter(random.Random(1).choices([chr(code) for code in range(0x10000, 0x20000)], k=10_000))
    stream, subject, actor = ("".join(islice(texts, n)) for n in (255, 255, 1000))
    key = keyed(random.Random(2).randbytes(255), b"r")
    given = entry({stream: 0}, stream, new_subject_keys={subject: b"1" * 32}, actor=actor, **key)
    assert positions(append(log, given)) == [1]
    assert log.read_stream(stream)[0].actor == actor
    assert append(log, given) == [Replayed(log.journal_row(given.command_id))]  # type: ignore[arg-type]
    assert log.subject_keys([subject]) == {subject: b"1" * 32}


def test_a_closed_log_says_so(log: EventLog) -> None:
    log.close()
    with pytest.raises(StoreUnavailable):
        append(log, adding("cart-a"))
    with pytest.raises(StoreUnavailable):
        log.head()
