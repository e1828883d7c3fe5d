"""What every store promises its readers."""

from __future__ import annotations

import threading
import time

import pytest

from event_store.records import EventLog
from tests.event_store.given import adding, append, entry
from tests.waiting import SECONDS_MAX


def test_pages_follow_each_other_to_the_end(log: EventLog) -> None:
    append(log, *(adding("cart-a", version) for version in range(7)))
    first = log.read_all(after=0, limit=3)
    assert [e.position for e in first] == [1, 2, 3]
    assert [e.position for e in log.read_all(after=3, limit=10)] == [4, 5, 6, 7]
    assert log.read_all(after=7, limit=10) == []
    assert [e.position for e in log.read_all(after=2, limit=10, up_to=5)] == [3, 4, 5]


def test_events_are_read_by_their_positions(log: EventLog) -> None:
    append(log, *(adding("cart-a", version) for version in range(4)))
    events = log.read_all(after=0, limit=10)
    assert log.read_positions([4, 2, 2, 5, 0]) == [events[1], events[3]]
    assert log.read_positions([]) == []


@pytest.mark.parametrize("limit", [0, 10_001])
def test_a_page_has_one_to_ten_thousand_events(log: EventLog, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        log.read_all(after=0, limit=limit)


def test_nothing_is_read_from_before_the_start(log: EventLog) -> None:
    append(log, adding("cart-a"), adding("cart-a", 1))
    for call in (
        lambda: log.read_all(after=-1, limit=10),
        lambda: log.read_stream("cart-a", after_version=-1),
        lambda: log.read_stream("cart-a", limit=-1),
    ):
        with pytest.raises(ValueError, match=r"is 0 or more|is 1 to"):
            call()


def test_types_keep_those_names_only(log: EventLog) -> None:
    for n, name in enumerate(["cart.opened", "cart.item_added", "cart.opened", "orders.placed"]):
        events = [entry({}, f"cart-{n}").events[0]]
        append(
            log,
            entry(
                {f"cart-{n}": 0},
                verdict="accepted",
                events=[type(events[0])(f"cart-{n}", name, 1, b"{}")],
            ),
        )
    found = log.read_all(after=0, limit=10, types=["cart.opened", "orders.placed"])
    assert [e.position for e in found] == [1, 3, 4]
    assert [e.position for e in log.read_all(after=1, limit=1, types=["cart.opened"])] == [3]
    assert log.read_all(after=1, limit=10, types=["cart.opened"], up_to=2) == []


def test_a_stream_is_read_by_version(log: EventLog) -> None:
    append(log, adding("cart-a"), adding("cart-b"), adding("cart-a", 1), adding("cart-a", 2))
    assert [e.position for e in log.read_stream("cart-a")] == [1, 3, 4]
    assert [e.version for e in log.read_stream("cart-a", after_version=1)] == [2, 3]
    assert [e.version for e in log.read_stream("cart-a", after_version=1, limit=1)] == [2]
    assert log.read_stream("cart-x") == []


def test_streams_are_read_in_one_call(log: EventLog) -> None:
    append(log, adding("cart-a"), adding("cart-b"), adding("cart-a", 1))
    found = log.read_streams(["cart-b", "cart-a", "cart-x"])
    assert {stream: [e.position for e in events] for stream, events in found.items()} == {
        "cart-a": [1, 3],
        "cart-b": [2],
        "cart-x": [],
    }
    assert log.read_streams([]) == {}


def test_the_head_is_the_last_position(log: EventLog) -> None:
    assert log.head() == 0
    append(log, adding("cart-a"), adding("cart-b"), entry({"cart-b": 1}))
    assert log.head() == 2


def test_who_waits_is_woken_by_what_is_appended(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_store.postgres.wakeup.POLL_SECONDS", 10 * SECONDS_MAX)
    log.wait(after=0, timeout_seconds=0.3)  # The listener is there from the first wait on.
    heard: list[int] = []
    for n in range(20):
        waiting = threading.Thread(
            target=lambda: heard.append(log.wait(after=log.head(), timeout_seconds=SECONDS_MAX))
        )
        waiting.start()
        time.sleep(0.03)  # It waits by then; if not, it is told no later.
        append(log, adding(f"cart-{n}"))
        waiting.join()
        assert heard[-1] == n + 1


def test_who_waits_in_vain_gets_the_head_when_the_time_is_over(log: EventLog) -> None:
    append(log, adding("cart-a"))
    started = time.monotonic()
    assert log.wait(after=1, timeout_seconds=0.1) == 1
    assert 0.09 < time.monotonic() - started < SECONDS_MAX
    assert log.wait(after=0, timeout_seconds=SECONDS_MAX) == 1
    assert log.wait(after=5, timeout_seconds=0) == 1


def test_a_checkpoint_never_goes_backwards(log: EventLog) -> None:
    assert log.checkpoint("relay") == 0
    log.save_checkpoint("relay", 7)
    log.save_checkpoint("relay", 3)
    log.save_checkpoint("sealer", 1)
    assert (log.checkpoint("relay"), log.checkpoint("sealer")) == (7, 1)


def test_the_installations_secret_stays_the_same(log: EventLog) -> None:
    secret = log.installation_secret()
    assert len(secret) == 32
    assert log.installation_secret() == secret


def test_what_runs_once_is_held_by_one(log: EventLog) -> None:
    held = log.try_exclusive("sealer")
    assert held is not None
    assert held.still_held()
    assert log.try_exclusive("sealer") is None
    other = log.try_exclusive("relay")
    assert other is not None
    held.release()
    assert not held.still_held()
    again = log.try_exclusive("sealer")
    assert again is not None
    again.release()
    other.release()
