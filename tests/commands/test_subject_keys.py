"""What is personal is sealed under a key that the log has, whoever makes and destroys keys meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import psycopg
import pytest

from aggregates.folds import KINDS
from aggregates.kernel import EventType, StreamKind
from commands.loop.decision import ANONYMOUS, Context, Decision
from commands.loop.handling import Handling
from commands.loop.state_cache import StateCache
from commands.loop.subject_keys import SubjectKeys
from event_store.codec import Codec
from event_store.errors import DecodingFailed, StoreUnavailable
from event_store.keys import is_sealed, place_in_arguments, unseal
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.records import Entry, EventLog, Outcome
from tests.event_store.given import adding


@dataclass(frozen=True, slots=True)
class Noted:
    """Something about a person."""

    subject: str
    text: str | None


@dataclass(frozen=True, slots=True)
class TakeNote:
    """Write something down about a person."""

    name: ClassVar = "take_note"
    personal: ClassVar = ("text",)
    stream: str
    subject: str
    text: str


CODEC = Codec([EventType("notes.noted", 1, Noted, personal=("text",), subject=lambda event: event.subject)])


def take_note(cache: StateCache, command: TakeNote) -> Decision:
    cache.state(command.stream)
    decision = Decision(id=command.subject, stream=command.stream)
    decision.add(command.stream, [Noted(command.subject, command.text)])
    return decision


@pytest.fixture(autouse=True)
def notes_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "note", StreamKind("note", dict, lambda state, _: state))


class Writer:
    """One command process."""

    def __init__(self, log: EventLog) -> None:
        self.handling = Handling(log, CODEC, {TakeNote: take_note})

    async def __aenter__(self) -> Writer:
        self.handling.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.handling.stop()

    async def note(self, subject: str, text: str, stream: str = "note-1") -> None:
        await self.handling.handle(TakeNote(stream, subject, text), Context(actor=ANONYMOUS, channel="api"))


def erase(log: EventLog, *subjects: str) -> None:
    """Destroys keys as an erasure does."""
    if isinstance(log, MemoryLog):
        for subject in subjects:
            log._subject_keys.pop(subject, None)
        return
    assert isinstance(log, PostgresLog)
    with psycopg.connect(log._url) as connection:
        connection.execute("DELETE FROM daybook.subject_keys WHERE subject = ANY (%s)", [list(subjects)])


def readable(log: EventLog) -> list[str | None]:
    """The notes in order; DecodingFailed for what was sealed under a key that is not the log's."""
    events = log.read_all(after=0, limit=10_000)
    keys = log.subject_keys({subject for event in events for subject in CODEC.subjects(event)})
    return [CODEC.decode(event, keys).text for event in events]


def test_a_key_that_was_destroyed_meanwhile_is_not_sealed_under(log: EventLog) -> None:
    async def scenario() -> None:
        async with Writer(log) as one, Writer(log) as two:
            for writer in (one, two):  # Both know the key now.
                await writer.note("ann", "before")
            erase(log, "ann")
            await asyncio.gather(*(one.note("ann", f"after {n}") for n in range(3)))
            await two.note("ann", "after 3")

    asyncio.run(scenario())
    with pytest.raises(DecodingFailed, match="does not open"):  # The first two are gone for good.
        readable(log)
    events = log.read_all(after=2, limit=10)
    assert [CODEC.decode(one, log.subject_keys(["ann"])).text for one in events] == [
        f"after {n}" for n in range(4)
    ]


def test_a_key_that_another_process_made_meanwhile_is_taken(log: EventLog) -> None:
    async def scenario() -> None:
        async with Writer(log) as one, Writer(log) as two:
            # Each has looked, and found none: a refused command leaves it at that.
            for writer in (one, two):
                writer.handling._deciding.subject_keys.learn(["ann"], {})
            await asyncio.gather(one.note("ann", "one"), two.note("ann", "two"))
            await asyncio.gather(one.note("ann", "three"), two.note("ann", "four"))

    asyncio.run(scenario())
    assert sorted(str(text) for text in readable(log)) == ["four", "one", "three", "two"]


def test_a_key_that_was_there_before_its_own_stream_is_taken(log: EventLog) -> None:
    """As where the keys were restored from later than the events."""
    key = {"note-9": b"9" * 32}
    log.append([adding("cart-a", new_subject_keys=key)])

    async def scenario() -> None:
        async with Writer(log) as writer:
            await writer.note("note-9", "hers", stream="note-9")
            await writer.note("note-9", "hers too", stream="note-9")

    asyncio.run(scenario())
    assert log.subject_keys(["note-9"]) == key
    assert [CODEC.decode(one, key).text for one in log.read_stream("note-9")] == ["hers", "hers too"]


def test_a_key_is_not_taken_for_saved_because_an_append_was_tried(fresh_postgres: str) -> None:
    log = PostgresLog.open(fresh_postgres)

    async def scenario() -> None:
        async with Writer(log) as one, Writer(log) as two:
            with psycopg.connect(fresh_postgres) as holding:
                holding.execute("LOCK TABLE daybook.subject_keys IN ACCESS EXCLUSIVE MODE")
                one.handling._deciding.subject_keys.learn(["ann"], {})
                with pytest.raises(StoreUnavailable):
                    await one.note("ann", "lost")
            await two.note("ann", "two")
            await one.note("ann", "one")

    asyncio.run(scenario())
    assert readable(log) == ["two", "one"]
    log.close()


class LosesAnswers(PostgresLog):
    """Appends, and the answer does not arrive."""

    losing = False

    async def append_async(self, entries: Sequence[Entry], **more: Any) -> list[Outcome]:
        outcomes = await super().append_async(entries, **more)
        if self.losing:
            raise StoreUnavailable("the answer was lost")
        return outcomes


def test_a_key_that_was_destroyed_is_never_brought_back(fresh_postgres: str) -> None:
    """Nor is what was sealed under it, and forgotten with it."""
    log = LosesAnswers.open(fresh_postgres)

    async def scenario() -> None:
        async with Writer(log) as writer:
            log.losing = True
            with pytest.raises(StoreUnavailable):
                await writer.note("ann", "forgotten")
            log.losing = False
            erase(log, "ann")
            await writer.note("ann", "remembered")

    asyncio.run(scenario())
    keys = log.subject_keys(["ann"])
    forgotten, remembered = log.read_all(after=0, limit=10)
    assert CODEC.decode(remembered, keys).text == "remembered"
    with pytest.raises(DecodingFailed, match="does not open"):
        CODEC.decode(forgotten, keys)
    log.close()


def test_forgetting_all_keys_between_two_commands_of_a_batch_loses_nobodys_data(log: EventLog) -> None:
    async def scenario() -> None:
        async with Writer(log) as writer:
            writer.handling._deciding.subject_keys._keys_max = 2
            for turn in range(3):
                await asyncio.gather(
                    *(writer.note(f"p{n % 7}", f"{turn}/{n}", f"note-{n % 3}") for n in range(40))
                )

    asyncio.run(scenario())
    assert sorted(map(str, readable(log))) == sorted(f"{turn}/{n}" for turn in range(3) for n in range(40))


@pytest.fixture
def two_logs(fresh_postgres: str) -> Iterator[tuple[PostgresLog, PostgresLog]]:
    logs = PostgresLog.open(fresh_postgres), PostgresLog.open(fresh_postgres)
    yield logs
    for log in logs:
        log.close()


def test_two_writers_and_an_eraser_leave_nothing_sealed_under_a_key_that_never_was(
    two_logs: tuple[PostgresLog, PostgresLog],
) -> None:
    """What was written after the last erasure opens, all of it."""
    chance = random.Random(7)
    log = two_logs[0]

    async def scenario() -> int:
        async with Writer(two_logs[0]) as one, Writer(two_logs[1]) as two:

            async def write(count: int) -> None:
                subjects = [f"p{chance.randrange(4)}" for _ in range(count)]
                await asyncio.gather(
                    *(
                        chance.choice((one, two)).note(s, "hers", f"note-{chance.randrange(3)}")
                        for s in subjects
                    )
                )

            for _ in range(15):
                await asyncio.gather(write(12), asyncio.to_thread(erase, log, f"p{chance.randrange(4)}"))
            erased_at = log.head()
            erase(log, *(f"p{n}" for n in range(4)))
            await write(40)
            return erased_at

    erased_at = asyncio.run(scenario())
    events = log.read_all(after=erased_at, limit=1_000)
    keys = log.subject_keys([f"p{n}" for n in range(4)])
    assert [CODEC.decode(event, keys).text for event in events] == ["hers"] * 40


def test_a_commands_arguments_are_sealed_for_that_command(log: EventLog) -> None:
    async def scenario() -> None:
        async with Writer(log) as writer:
            await writer.note("ann", "hers")

    asyncio.run(scenario())
    (event,) = log.read_all(after=0, limit=10)
    row = log.journal_row(event.command_id)
    assert row is not None
    text = msgspec.json.decode(row.arguments)["text"]
    assert is_sealed(text)
    key = log.subject_keys(["ann"])["ann"]
    place = place_in_arguments(row.command_id, "text")
    assert unseal(text, key=key, place=place) == b'"hers"'


def test_what_an_entry_saved_is_marked_and_nothing_else() -> None:
    keys = SubjectKeys()
    keys.learn(["ann"], {})
    brought, read = keys.split({"ann": keys["ann"]})
    assert (set(brought), read) == ({"ann"}, {})
    keys.forget(["ann"])
    keys.learn(["ann"], {})
    keys.note_saved(brought)  # What was saved is another key by now.
    assert keys.split({"ann": keys["ann"]})[1] == {}
    keys.learn(["ann"], {"ann": brought["ann"]})
    assert keys.split({"ann": keys["ann"]}) == ({}, brought)
    keys.learn(["ann"], {})
    assert keys["ann"] != brought["ann"]
