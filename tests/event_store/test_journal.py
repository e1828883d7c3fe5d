"""What every store promises of the journal and its keys."""

from __future__ import annotations

from datetime import timedelta

import pytest

from event_store.postgres.log import PostgresLog
from event_store.records import Appended, EventLog, KeyReused, Replayed
from tests.event_store.conftest import Store
from tests.event_store.given import adding, append, entry, keyed, positions, written


def test_every_outcome_has_a_row(log: EventLog) -> None:
    accepted = entry(
        {"cart-a": 0},
        *("cart-a", "cart-a"),
        **keyed(b"k"),
        arguments=b'{"sku":"m"}',
        answer=b'{"id":"a"}',
        actor="customer:ann",
        channel="import",
        correlation="c" * 32,
        causation="event:1",
    )
    refused = entry({"cart-a": 2}, verdict="refused", answer=b'{"problem":"x"}')
    unchanged = entry({"cart-a": 2}, verdict="unchanged")
    append(log, accepted, refused, unchanged)
    row = log.journal_row(accepted.command_id)
    assert row is not None
    assert (row.name, row.verdict, row.actor, row.channel) == (
        "add_item",
        "accepted",
        "customer:ann",
        "import",
    )
    assert (row.arguments, row.answer) == (b'{"sku":"m"}', b'{"id":"a"}')
    assert (row.key, row.request_hash) == (accepted.key, accepted.request_hash)
    assert (row.correlation, row.causation) == ("c" * 32, "event:1")
    assert (row.first_position, row.last_position) == (1, 2)
    for other, verdict in ((refused, "refused"), (unchanged, "unchanged")):
        row = log.journal_row(other.command_id)
        assert row is not None
        assert (row.verdict, row.answer, row.first_position, row.last_position) == (
            verdict,
            other.answer,
            None,
            None,
        )


def test_rows_are_found_by_the_positions_they_wrote(log: EventLog) -> None:
    first, second, third = entry({"cart-a": 0}, "cart-a", "cart-a"), adding("cart-b"), adding("cart-c")
    append(log, first, entry({"cart-a": 2}), second, third)
    rows = log.journal_rows(first_position=2, last_position=3)
    assert [row.command_id for row in rows] == [first.command_id, second.command_id]


def test_the_journals_head_is_the_last_position_that_a_command_wrote(log: EventLog) -> None:
    assert log.journal_head() == 0
    append(log, adding("cart-a"), entry({"cart-b": 0}, "cart-b", "cart-b"))
    append(log, entry({"cart-a": 1}), entry({"cart-a": 1}, verdict="refused"))
    assert log.journal_head() == log.head() == 3


def test_the_journals_head_is_found_in_a_journal_of_many_parts(
    postgres_log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_store.postgres.log.JOURNAL_PAGES", 2)
    for number in range(1, 60):
        append(postgres_log, adding(f"cart-{number}", arguments=b"x" * 1_000))
        assert postgres_log.journal_head() == number


def test_a_key_is_replayed_with_the_same_request(log: EventLog) -> None:
    first = adding("cart-a", **keyed(b"k"), answer=b'{"id":"first"}')
    append(log, first)
    # Whatever the state is by now: the key comes first.
    (outcome,) = append(log, adding("cart-a", **keyed(b"k"), answer=b'{"id":"second"}'))
    assert outcome == Replayed(log.journal_row(first.command_id))  # type: ignore[arg-type]
    assert len(written(log)) == 1


def test_a_key_with_another_request_is_told_so(log: EventLog) -> None:
    append(log, adding("cart-a", **keyed(b"k", b"one")))
    assert append(log, adding("cart-b", **keyed(b"k", b"two"))) == [KeyReused()]
    assert len(written(log)) == 1


def test_a_key_is_free_again_after_a_day(store: Store) -> None:
    append(store.log, adding("cart-a", **keyed(b"k")))
    store.age(timedelta(hours=23, minutes=59))
    assert isinstance(append(store.log, adding("cart-b", **keyed(b"k")))[0], Replayed)
    store.age(timedelta(minutes=2))
    later = adding("cart-b", **keyed(b"k"))
    assert positions(append(store.log, later)) == [2]
    row = store.log.journal_row(later.command_id)
    assert append(store.log, later) == [Replayed(row)]  # type: ignore[arg-type]


def test_a_refusal_does_not_take_the_key(log: EventLog) -> None:
    append(log, entry({"cart-a": 0}, verdict="refused", **keyed(b"k")))
    assert positions(append(log, adding("cart-a", **keyed(b"k")))) == [1]


def test_what_changed_nothing_takes_the_key(log: EventLog) -> None:
    append(log, entry({"cart-a": 0}, verdict="unchanged", **keyed(b"k")))
    assert isinstance(append(log, adding("cart-a", **keyed(b"k")))[0], Replayed)


def test_one_key_twice_in_one_call_is_done_once(log: EventLog) -> None:
    first = adding("cart-a", **keyed(b"k"))
    outcomes = append(
        log,
        first,
        adding("cart-b", **keyed(b"k")),
        adding("cart-c", **keyed(b"k", b"another")),
        adding("cart-d"),
    )
    assert outcomes[1] == Replayed(log.journal_row(first.command_id))  # type: ignore[arg-type]
    assert outcomes[2] == KeyReused()
    assert [stream for _, stream, _ in written(log)] == ["cart-a", "cart-d"]


@pytest.mark.parametrize("verdict", ["accepted", "refused"])
def test_a_key_within_a_call_is_taken_only_by_what_was_appended(log: EventLog, verdict: str) -> None:
    append(log, adding("cart-a"))
    if verdict == "accepted":
        first = adding("cart-a", **keyed(b"k"))  # falls: cart-a has moved
    else:
        first = entry({"cart-a": 1}, verdict="refused", **keyed(b"k"))
    outcomes = append(log, first, adding("cart-b", **keyed(b"k")), adding("cart-c", **keyed(b"k")))
    assert isinstance(outcomes[1], Appended)
    assert isinstance(outcomes[2], Replayed)


def test_what_was_decided_on_a_replayed_mate_falls(log: EventLog) -> None:
    append(log, adding("cart-a", **keyed(b"k")))
    again = adding("cart-b", **keyed(b"k"))
    outcomes = append(log, again, adding("cart-b", 1, decided_on=[again.command_id]))
    assert isinstance(outcomes[0], Replayed)
    assert type(outcomes[1]).__name__ == "Moved"
