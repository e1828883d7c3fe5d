"""Code of an earlier commit at work on a log whose schema moves on beneath it.

Run with that commit's event_store as the first place to import from, so it may use only what every version
has. It talks in lines: says `ready` and waits for one, says what its calls gave, until its input ends.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from uuid import uuid4

import event_store
from event_store.records import Entry, NewEvent

try:
    from event_store.postgres.log import PostgresLog
except ImportError:
    from event_store.postgres_log import PostgresLog  # where it lay up to migration 8


def entry(stream: str, version: int, key: bytes | None = None) -> Entry:
    return Entry(
        command_id=uuid4(),
        name="add_item",
        verdict="accepted",
        reads={stream: version},
        events=[NewEvent(stream, "cart.item_added", 1, b"{}")],
        actor="anonymous:",
        channel="web",
        key=key,
        request_hash=None if key is None else b"r" * 32,
        new_subject_keys={stream: b"1" * 32} if version == 0 else {},
    )


def round_of_calls(log: PostgresLog, number: int) -> list[object]:
    """One call of each kind, and what came of it."""
    stream, key = f"cart-{number}", str(number).encode().rjust(32, b"-")
    first, stale, again = entry(stream, 0, key), entry(stream, 0), entry(f"{stream}-x", 0, key)
    outcomes = [type(log.append([one])[0]).__name__ for one in (first, stale, again)]
    batch = [type(outcome).__name__ for outcome in log.append([entry(stream, 1), entry(stream, 9)])]
    head = log.head()
    inserted = log.insert_events([(f"library-{number}", 1, "things.moved", b"{}")])
    log.save_checkpoint("reader", number)
    row = log.journal_row(first.command_id)
    return [
        *outcomes,
        *batch,
        inserted == [head + 1],
        [event.version for event in log.read_stream(stream)],
        [event.position for event in log.read_all(after=0, limit=10_000)] == list(range(1, log.head() + 1)),
        row is not None and [row] == [outcome.row for outcome in log.append([first])],
        log.checkpoint("reader"),
        len(log.subject_keys([stream])),
    ]


def main(url: str, schema: str) -> None:
    log = PostgresLog.open(url, schema=schema)
    print(json.dumps(str(Path(event_store.__file__).parent)), flush=True)
    for number, _ in enumerate(sys.stdin, 1):
        print(json.dumps(round_of_calls(log, number)), flush=True)
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
