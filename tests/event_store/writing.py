"""A writer that does a bit of everything: `python -m tests.event_store.writing URL SCHEMA NAME SECONDS`.

It says in lines what it is about to send and what it was told, so that whoever started it knows both, even
when it is killed. It ends by itself, or when its time is over.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import msgspec

from event_store.errors import StoreUnavailable
from event_store.postgres.log import PostgresLog
from event_store.records import Appended, Entry, EventLog, KeyReused, Moved, Outcome, Replayed
from tests.event_store.given import entry, keyed
from tests.event_store.history import History
from tests.waiting import SECONDS_MAX

SHARED = ("stock-1", "stock-2", "stock-3")
KINDS: dict[str, type] = {kind.__name__: kind for kind in (Appended, Replayed, KeyReused, Moved)}


class Writer:
    """Sends commands one call after another, on streams of its own and on those that all writers share."""

    def __init__(self, log: EventLog, name: str, append: Callable[..., list[Outcome] | None]) -> None:
        self._log = log
        self._name = name
        self._append = append
        self._chance = random.Random(name)
        self._versions = dict.fromkeys(SHARED, 0)
        self._count = 0
        self.appended = 0

    def run(self, go_on: Callable[[], bool]) -> None:
        """Until told to end; what has no answer is sent again until it has one, or the end."""
        while go_on():
            entries = self._entries()
            while (outcomes := self._append(self._log, *entries)) is None and go_on():
                time.sleep(0.02)
            for sent, outcome in zip(entries, outcomes or (), strict=bool(outcomes)):
                if isinstance(outcome, Appended):
                    self.appended += 1
                    written = [event.stream for event in sent.events]
                    self._versions.update(
                        {s: sent.reads[s] + written.count(s) for s in sent.reads if s in self._versions}
                    )
                elif isinstance(outcome, Moved):
                    self._catch_up()

    def _entries(self) -> list[Entry]:
        self._count += 1
        own, shared = f"cart-{self._name}-{self._count}", self._chance.choice(SHARED)
        version = self._versions[shared]
        match self._chance.randrange(8):
            case 0:  # on what is no longer so
                return [entry({shared: max(version - 1, 0), own: 0}, shared, own)]
            case 1:  # a refusal is a command too
                return [entry({shared: version}, verdict="refused")]
            case 2:  # one key, two commands
                key = keyed(f"{self._name}-{self._count}".encode())
                return [entry({own: 0}, own, **key), entry({f"{own}-again": 0}, f"{own}-again", **key)]
            case 3:  # one on the other
                first = entry({own: 0}, own, own)
                return [first, entry({own: 2, shared: version}, own, shared, decided_on=[first.command_id])]
            case _:
                return [entry({own: 0, shared: version}, own, shared, new_subject_keys={own: b"1" * 32})]

    def _catch_up(self) -> None:
        try:
            for stream, known in self._versions.items():
                self._versions[stream] = known + len(self._log.read_stream(stream, after_version=known))
        except StoreUnavailable:
            pass  # Then the next one is refused as well.


class WriterThreads:
    """Several writers of one process, each with a log of its own."""

    def __init__(self, history: History, logs: list[EventLog]) -> None:
        self._done = threading.Event()
        self.writers = [Writer(log, f"thread{n}", history.append) for n, log in enumerate(logs)]
        self._failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=[writer]) for writer in self.writers]
        for thread in self._threads:
            thread.start()

    @property
    def appended(self) -> int:
        return sum(writer.appended for writer in self.writers)

    def write_more(self, count: int, seconds: float = SECONDS_MAX) -> None:
        """Returns when so many more commands were acknowledged."""
        enough, until = self.appended + count, time.monotonic() + seconds
        while self.appended < enough and not self._failures:
            assert time.monotonic() < until, "the writers are stuck"
            time.sleep(0.01)

    def end(self) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _run(self, writer: Writer) -> None:
        try:
            writer.run(lambda: not self._done.is_set())
        except BaseException as error:
            self._failures.append(error)


class WriterProcess:
    """A writer in a process of its own."""

    def __init__(self, url: str, schema: str, name: str, seconds: float) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - a full pipe would stop the writer
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.event_store.writing", url, schema, name, str(seconds)],
            cwd=Path(__file__).parents[2],
            stdout=self._said,
        )

    def tell(self, history: History, log: EventLog) -> int:
        """Waits for its end, and adds to the history what it sent and was told; its exit code."""
        code = self.process.wait(timeout=120)
        with self._said as reported:
            reported.seek(0)
            lines = reported.read().split(b"\n")
        for line in lines[:-1]:  # What follows the last line's end was cut off by a kill.
            kind, *rest = msgspec.json.decode(line)
            if kind == "sent":
                sent = msgspec.convert(rest[0], Entry)
                history.sent[sent.command_id] = sent
            else:
                command_id = UUID(rest[0])
                history.answers[command_id] = _outcome(kind, rest[1], log)
        return code


def _outcome(kind: str, content: object, log: EventLog) -> Outcome:
    """The answer as it was; a replayed row is told by its command, and read again."""
    if kind != "Replayed":
        outcome: Outcome = msgspec.convert(content, KINDS[kind])
        return outcome
    assert isinstance(content, str)
    row = log.journal_row(UUID(content))
    assert row is not None
    return Replayed(row)


def main(url: str, schema: str, name: str, seconds: str) -> None:
    log = PostgresLog.open(url, schema=schema)
    until = time.monotonic() + float(seconds)

    def say(*words: object) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(words) + b"\n")
        sys.stdout.buffer.flush()

    def append(log: EventLog, *entries: Entry) -> list[Outcome] | None:
        for one in entries:
            say("sent", one)
        try:
            outcomes = log.append(entries)
        except StoreUnavailable:
            return None
        for one, outcome in zip(entries, outcomes, strict=True):
            outcome_id = outcome.row.command_id if isinstance(outcome, Replayed) else outcome
            say(type(outcome).__name__, one.command_id, outcome_id)
        return outcomes

    Writer(log, name, append).run(lambda: time.monotonic() < until)
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
