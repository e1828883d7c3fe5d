"""Loading streams from their snapshots, and making new ones.

No aggregate knows of them. Any state is kept as it is, under a shape: a fingerprint of the state's fields and
of all rules of the shop, so that a changed field, fold, upcaster or rounding makes every snapshot of before
unknown.
A snapshot is only ever folded from what the log has stored, decoded without keys: what is personal is None.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter

import aggregates
from aggregates.folds import KINDS, kind_of
from commands.loop.state_cache import StateCache, StreamState
from event_store.codec import Codec
from event_store.errors import StoreUnavailable
from event_store.records import EventLog, Snapshot

log_lines = structlog.get_logger("commands")

FAILURES = Counter("daybook_snapshot_failures_total", "Snapshots that could not be built, by our mistake")

EVENTS_MOST = 250
"""A stream that is so many events ahead of its snapshot gets a new one: folding them takes about 2 ms."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the state of one kind of stream is kept: with the position of the stream's last event before it."""

    shape: str
    decoder: msgspec.msgpack.Decoder[tuple[int, Any]]


class Snapshots:
    """Loads streams; every call blocks, and may be made from any thread."""

    def __init__(self, log: EventLog, codec: Codec) -> None:
        self._log = log
        self._codec = codec

    def load(self, streams: Sequence[str]) -> dict[str, StreamState]:
        """The streams' states as the log has them; those far ahead of their snapshots get new ones."""
        found = self._log.snapshots({stream: _kind_of(stream).shape for stream in streams})
        tails = self._log.read_streams(streams, after={s: cached.version for s, cached in found.items()})
        loaded = {}
        for stream, tail in tails.items():
            state = StreamState(state=kind_of(stream).initial())
            if stream in found:
                state.version = state.snapshot_version = found[stream].version
                state.last_position, state.state = _kind_of(stream).decoder.decode(found[stream].data)
            evolve = kind_of(stream).evolve
            for recorded in tail:
                state.state = evolve(state.state, self._codec.decode(recorded))
                state.version = recorded.version
                state.last_position = recorded.position
            if state.version - state.snapshot_version >= EVENTS_MOST:
                data = msgspec.msgpack.encode((state.last_position, state.state))
                shape = _kind_of(stream).shape
                self._log.save_snapshot(Snapshot(stream, state.version, shape, data, tail[-1].identity))
                state.snapshot_version = state.version
            loaded[stream] = state
        return loaded


class SnapshotWriter:
    """Writes snapshots beside the handling loop, one at a time.

    So a hot stream gets them as fast as they can be made and no faster.
    """

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._task: asyncio.Task[None] | None = None

    def consider(self, cache: StateCache, streams: Iterable[str]) -> None:
        """Begins with the one of these that is furthest ahead of its snapshot, if that is far enough."""
        if self._task is not None and not self._task.done():
            return
        ahead, furthest = 0, ""
        for stream in streams:
            cached = cache.get(stream)
            if cached is not None and cached.version - cached.snapshot_version > ahead:
                ahead, furthest = cached.version - cached.snapshot_version, stream
        if ahead >= EVENTS_MOST:
            self._task = asyncio.create_task(self._write(cache, furthest), name=f"snapshot of {furthest}")

    def stop(self) -> None:
        """Waits for nobody: a snapshot is saved completely or not at all."""
        if self._task is not None:
            self._task.cancel()

    async def _write(self, cache: StateCache, stream: str) -> None:
        try:
            made = await asyncio.to_thread(self._snapshots.load, [stream])  # which makes it
        except StoreUnavailable:
            return  # Nobody waits for it; the next batch asks again.
        except Exception:  # our mistake: commands go on, and it is tried again once the stream is longer
            if (cached := cache.get(stream)) is not None:
                cached.snapshot_version = cached.version
            FAILURES.inc()
            log_lines.exception("snapshot_failed", stream=stream)
            return
        if (cached := cache.get(stream)) is not None:
            cached.snapshot_version = made[stream].snapshot_version


def rules_digest(folder: Path) -> str:
    """A fingerprint of every file below a folder of rules.

    Not of those alone that a stream's fold needs: to fold a stream anew once after a release costs less than
    to have missed one.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        name = file.relative_to(folder).as_posix()
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


@cache
def _rules() -> str:
    return rules_digest(Path(aggregates.__path__[0]))


def _kind_of(stream: str) -> _Kind:
    return _kind(stream.partition("-")[0])


@cache
def _kind(name: str) -> _Kind:
    cls = type(KINDS[name].initial())
    shape = json.dumps(msgspec.json.schema(cls), sort_keys=True) + _rules()
    return _Kind(
        shape=f"{name}:{hashlib.sha256(shape.encode()).hexdigest()[:32]}",
        decoder=msgspec.msgpack.Decoder(tuple[int, cls]),  # type: ignore[valid-type]
    )
