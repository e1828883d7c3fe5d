"""From a decision to the log's entry, and from what the journal kept back to an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

import msgspec

from aggregates.kernel import Reason, Rejected
from commands.loop.decision import Answer, AwaitedStep, Context, Decision
from commands.loop.state_cache import Missing, StateCache
from commands.loop.subject_keys import SubjectKeys
from event_store.codec import Codec
from event_store.keys import place_in_arguments, seal
from event_store.records import Appended, Entry, EventReader, JournalRow, NewEvent, Verdict

_encode = msgspec.json.Encoder().encode


class StoredAnswer(msgspec.Struct, omit_defaults=True):
    """What the journal keeps of an answer; the position is its row's, or its stream's at `version`."""

    id: str
    stream: str
    version: int
    created: bool = False
    facts: dict[str, Any] = {}
    awaited: tuple[str, int] | None = None


_decode_answer = msgspec.json.Decoder(StoredAnswer).decode


@dataclass(slots=True, kw_only=True)
class Decided:
    """A decision with its entry; `reason` where it was refused."""

    entry: Entry
    events: list[tuple[str, Any]]
    decision: Decision | None = None
    reason: Reason | None = None
    version: int = 0
    # Where the answered stream stood before: a position, or a batch-mate's nth event.
    stands_at: int | tuple[UUID, int] = 0

    def answer(self, appended: Mapping[UUID, Appended]) -> Answer:
        """The answer, with the positions that the log gave."""
        if self.decision is None:
            raise ValueError("a refusal has no answer")
        position = appended[self.entry.command_id].last_position
        if position is None:
            position = _position(self.stands_at, appended)
        return Answer(
            id=self.decision.id,
            version=self.version,
            position=position,
            created=self.decision.created,
            facts=self.decision.facts,
            awaited=self.decision.awaited,
        )


class EntryWriter:
    """Turns decisions into entries: encodes events and arguments, and seals what is personal in them."""

    def __init__(self, codec: Codec, keys: SubjectKeys) -> None:
        self._codec = codec
        self._keys = keys

    def refused(self, cache: StateCache, command: Any, context: Context, rejected: Rejected) -> Decided:
        """The entry of a refusal: it names what was read, so that none stands on a stale state."""
        reason = rejected.reason
        answer = _encode({"reason": type(reason).__name__, "facts": reason})
        entry = self._entry(cache, command, context, "refused", answer=answer, keys={})
        return Decided(entry=entry, events=[], reason=reason)

    def decided(self, cache: StateCache, command: Any, context: Context, decision: Decision) -> Decided:
        """The entry of what was decided. Raises Missing for a stream or a key not in memory."""
        written = [stream for stream, _ in decision.events]
        cache.states(dict.fromkeys([*written, decision.stream]))
        keys = self._keys_for(cache, decision.events)
        stream_state = cache.get(decision.stream)
        assert stream_state is not None  # `states` has just seen it
        version = stream_state.version + written.count(decision.stream)
        answer = StoredAnswer(
            decision.id,
            decision.stream,
            version,
            decision.created,
            dict(decision.facts),
            (decision.awaited.stream, decision.awaited.step) if decision.awaited else None,
        )
        entry = self._entry(
            cache,
            command,
            context,
            "accepted" if decision.events else "unchanged",
            answer=_encode(answer),
            keys=keys,
            events=self._encoded(cache, decision.events, keys),
        )
        return Decided(
            entry=entry,
            events=decision.events,
            decision=decision,
            version=version,
            stands_at=(stream_state.last_writer, stream_state.last_index)
            if stream_state.last_writer
            else stream_state.last_position,
        )

    def settle(self, cache: StateCache, decided: Decided, appended: Mapping[UUID, Appended]) -> None:
        """Notes what an appended entry made lasting: positions of its streams, its subjects' keys.

        The key of what a stream began with is not needed again by most commands: it is dropped.
        """
        entry = decided.entry
        for stream in entry.reads:
            stream_state = cache.get(stream)
            if stream_state is not None and stream_state.last_writer == entry.command_id:
                stream_state.last_position = _position((entry.command_id, stream_state.last_index), appended)
                stream_state.last_writer = None
        self._keys.note_saved(entry.new_subject_keys)
        self._keys.forget(subject for subject in entry.new_subject_keys if entry.reads.get(subject) == 0)

    def _keys_for(self, cache: StateCache, events: list[tuple[str, Any]]) -> dict[str, bytes]:
        """The keys of everyone whose personal data the events hold."""
        subjects = {subject for _, event in events if (subject := self._codec.subject_of(event))}
        if not subjects:
            return {}
        missing = [subject for subject in subjects if subject not in self._keys]
        # A subject that is named like a stream of its own has no key before that stream begins, as a rule.
        begun = [s for s in missing if cache.reads.get(s) == 0 and not self._keys.is_in_doubt(s)]
        self._keys.learn(begun, {})
        if len(begun) < len(missing):
            raise Missing(subjects=[subject for subject in missing if subject not in begun])
        return {subject: self._keys[subject] for subject in subjects}

    def _encoded(
        self, cache: StateCache, events: list[tuple[str, Any]], keys: Mapping[str, bytes]
    ) -> list[NewEvent]:
        if not keys:
            return [self._codec.encode(stream, event) for stream, event in events]
        versions = Counter(cache.reads)
        encoded = []
        for stream, event in events:
            versions[stream] += 1
            encoded.append(self._codec.encode(stream, event, keys, version=versions[stream]))
        return encoded

    def _entry(
        self,
        cache: StateCache,
        command: Any,
        context: Context,
        verdict: Verdict,
        *,
        answer: bytes,
        keys: Mapping[str, bytes],
        events: list[NewEvent] | None = None,
    ) -> Entry:
        writers = {
            stream_state.last_writer
            for stream in cache.reads
            if (stream_state := cache.get(stream)) is not None and stream_state.last_writer is not None
        }
        brought, read = self._keys.split(keys)
        return Entry(
            command_id=context.command_id,
            name=command.name,
            verdict=verdict,
            reads=cache.reads,
            events=events or (),
            decided_on=tuple(writers),
            actor=str(context.actor),
            channel=context.channel,
            key=context.key,
            request_hash=context.request_hash,
            arguments=_arguments(command, context.command_id, keys),
            answer=answer,
            correlation=context.correlation,
            causation=context.causation,
            valid_at=context.valid_at,
            new_subject_keys=brought,
            subject_keys=read,
        )


def answer_of_row(log: EventReader, row: JournalRow) -> Answer:
    """What the command was answered with when it was first accepted."""
    stored = _decode_answer(row.answer)
    position = row.last_position
    if position is None:
        last = log.read_stream(stored.stream, after_version=stored.version - 1, limit=1)
        position = last[0].position if last and stored.version else 0
    return Answer(
        id=stored.id,
        version=stored.version,
        position=position,
        created=stored.created,
        facts=stored.facts,
        awaited=AwaitedStep(*stored.awaited) if stored.awaited else None,
        replayed=True,
    )


def _arguments(command: Any, command_id: UUID, keys: Mapping[str, bytes]) -> bytes:
    """The command's fields as JSON, unless it has a shorter form of its own; personal ones sealed.

    A refused command has no subject's key, and leaves its personal fields out; so does one of several
    subjects.
    """
    personal: tuple[str, ...] = getattr(command, "personal", ())
    if not personal:
        summary = getattr(command, "journal_arguments", None)
        return _encode(summary() if summary else command)
    arguments = {field.name: getattr(command, field.name) for field in fields(command)}
    arguments |= dict.fromkeys(personal)
    if len(keys) == 1:
        ((subject, key),) = keys.items()
        for name in personal:
            if (value := getattr(command, name)) is not None:
                place = place_in_arguments(command_id, name)
                arguments[name] = seal(_encode(value), subject=subject, key=key, place=place)
    return _encode(arguments)


def _position(stands_at: int | tuple[UUID, int], appended: Mapping[UUID, Appended]) -> int:
    if isinstance(stands_at, int):
        return stands_at
    writer, index = stands_at
    first = appended[writer].first_position
    assert first is not None  # a writer wrote
    return first + index
