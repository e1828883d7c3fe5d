"""The recent states that handlers decide on: a fold per stream, loaded on demand, kept while in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aggregates.folds import kind_of
from commands.loop.decision import ANONYMOUS, Actor
from event_store.codec import Codec
from event_store.records import RecordedEvent


class Missing(Exception):  # noqa: N818 - a signal to the loop, not an error
    """The handler asked for what is not in memory: load it and run the handler again."""

    def __init__(self, streams: Iterable[str] = (), subjects: Iterable[str] = ()) -> None:
        super().__init__()
        self.streams = tuple(streams)
        self.subjects = tuple(subjects)


@dataclass(slots=True)
class StreamState:
    """A stream's folded state and where it stands."""

    state: Any
    version: int = 0
    last_position: int = 0
    last_writer: UUID | None = None  # the command of the batch under way that wrote it last
    last_index: int = 0  # which of that command's events was the stream's last
    snapshot_version: int = 0  # of its newest snapshot


@dataclass(slots=True)
class StateCache:
    """Stream states by name, and who asks. For handlers: `state`, `states`, `expect_new`, `actor`.

    Reads are noted between `begin` and the next `begin`: the append checks every one of them. States that
    were prepared for commands to come lie beside those in use, `streams_max` of each, until they are read.
    """

    codec: Codec
    streams_max: int = 100_000
    actor: Actor = ANONYMOUS  # of the command that is being decided
    reads: dict[str, int] = field(default_factory=dict)
    _trusting: bool = False  # whether `expect_new` may be wrong
    _streams: OrderedDict[str, StreamState] = field(default_factory=OrderedDict)
    _prepared: dict[str, StreamState] = field(default_factory=dict)

    def state(self, stream: str) -> Any:
        """The stream's state for deciding on: read it, never change it."""
        stream_state = self._streams.get(stream)
        if stream_state is None:
            stream_state = self._prepared.pop(stream, None)
            if stream_state is None:
                raise Missing(streams=(stream,))
            self._streams[stream] = stream_state
        self.reads[stream] = stream_state.version
        return stream_state.state

    def states(self, streams: Iterable[str]) -> dict[str, Any]:
        """Several states; asks for all missing ones at once."""
        names = list(streams)
        missing = [name for name in names if name not in self._streams and name not in self._prepared]
        if missing:
            raise Missing(streams=missing)
        return {name: self.state(name) for name in names}

    def expect_new(self, *streams: str) -> None:
        """Takes streams that are not in memory for unwritten, without asking the log: their names were made
        for this command, or come once as a rule.

        The append checks that as it checks every read; a command that was wrong about it is decided again,
        on what the log has.
        """
        if self._trusting:
            for stream in streams:
                if stream not in self._streams and stream not in self._prepared:
                    self._streams[stream] = StreamState(state=kind_of(stream).initial())

    def begin(self, actor: Actor, *, trusting: bool = False) -> None:
        """Starts noting the reads of the next decision, which `actor` asks for; `trusting`: what it expects
        to be new is not looked for."""
        self.reads = {}
        self.actor = actor
        self._trusting = trusting

    def get(self, stream: str) -> StreamState | None:
        """What is kept of the stream, without noting a read."""
        return self._streams.get(stream)

    def load(self, stream: str, history: Iterable[RecordedEvent]) -> None:
        """Folds the stream's events, whole and in order."""
        kind = kind_of(stream)
        stream_state = StreamState(state=kind.initial())
        for recorded in history:
            stream_state.state = kind.evolve(stream_state.state, self.codec.decode(recorded))
            stream_state.version = recorded.version
            stream_state.last_position = recorded.position
        self._streams[stream] = stream_state

    def put(self, loaded: Mapping[str, StreamState]) -> None:
        """Takes in states that were folded elsewhere."""
        self._streams.update(loaded)
        for stream in loaded:
            self._prepared.pop(stream, None)

    def unprepared(self, streams: Iterable[str]) -> list[str]:
        """Those that are not in memory, as many as there is room for beside those that are prepared."""
        missing = [name for name in streams if name not in self._streams and name not in self._prepared]
        return missing[: max(0, self.streams_max - len(self._prepared))]

    def prepare(self, loaded: Mapping[str, StreamState]) -> None:
        """Takes in states for commands to come; what was read meanwhile is there already."""
        for stream, stream_state in loaded.items():
            if stream not in self._streams:
                self._prepared[stream] = stream_state

    def evolve(self, stream: str, event: Any, *, writer: UUID, index: int, folded: Any = None) -> None:
        """Folds an event of a decision that the batch under way is to append; `folded`: the state after all
        of the decision, where its handler has folded that."""
        stream_state = self._streams[stream]
        if folded is None:
            folded = kind_of(stream).evolve(stream_state.state, event)
        stream_state.state = folded
        stream_state.version += 1
        stream_state.last_writer = writer
        stream_state.last_index = index

    def drop(self, streams: Iterable[str]) -> None:
        """Forgets states that may be wrong."""
        for stream in streams:
            self._streams.pop(stream, None)
            self._prepared.pop(stream, None)

    def clear(self) -> None:
        """Forgets everything."""
        self._streams.clear()
        self._prepared.clear()

    def touch(self, streams: Iterable[str]) -> None:
        """Keeps these the longest; forgets the longest unused beyond `streams_max`."""
        for stream in streams:
            if stream in self._streams:
                self._streams.move_to_end(stream)
        while len(self._streams) > self.streams_max:
            self._streams.popitem(last=False)
