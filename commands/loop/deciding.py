"""Deciding commands one after another on the states in memory, and loading what they miss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from aggregates.kernel import Rejected
from commands.loop.decision import Context, Decision, TooLarge, Waiting
from commands.loop.entry_writer import Decided, EntryWriter
from commands.loop.snapshots import Snapshots, SnapshotWriter
from commands.loop.state_cache import Missing, StateCache
from commands.loop.subject_keys import SubjectKeys
from event_store.codec import Codec
from event_store.errors import EntryTooLarge, InvalidEntry, StoreUnavailable
from event_store.limits import check_entry, check_names
from event_store.records import EventLog

log_lines = structlog.get_logger("commands")

T = TypeVar("T")
Handler = Callable[[StateCache, Any], Decision]


PREPARED_AT_ONCE = 200
"""Streams in one reading that nobody waits for yet: a command that misses a state comes after it."""


class Deciding:
    """The cached states, and the entries made of what was decided on them. For the handling loop alone."""

    def __init__(
        self, log: EventLog, codec: Codec, handlers: Mapping[type, Handler], *, streams_max: int
    ) -> None:
        self.cache = StateCache(codec, streams_max)
        self.subject_keys = SubjectKeys()
        self.entries = EntryWriter(codec, self.subject_keys)
        self._log = log
        self._handlers = handlers
        self._snapshots = Snapshots(log, codec)
        self._snapshot_writer = SnapshotWriter(self._snapshots)
        self._thread = ThreadPoolExecutor(1, "reading")
        self._session = 0  # of the log, in which everything in memory was read

    def stop(self) -> None:
        """Waits for nobody: what its thread reads is wanted no more."""
        self._snapshot_writer.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def begin(self) -> int:
        """A batch begins: the log's session, in which what is in memory was read.

        Where the log was lost meanwhile, that is forgotten: another history may go on in its place.
        """
        session = await self._log.session_async()
        if session != self._session:
            self.cache.clear()
            self.subject_keys.forget_all()
            self._session = session
        self.subject_keys.trim()
        return session

    async def decide(self, waiting: Waiting, rest: list[Waiting]) -> Decided | None:
        """Decides one command, loading what it misses; None where its handler failed by our fault."""
        while True:
            try:
                decided = self._decide_on_loaded(waiting)
            except Missing as missing:
                if not await self._loaded(waiting, missing, rest):
                    return None
            except (InvalidEntry, UnicodeError) as error:  # the append would raise it for the whole batch
                waiting.refuse(error)
                log_lines.warning("command_unfit", command=type(waiting.command).__name__, reason=str(error))
                return None
            except Exception as error:  # the caller gets our mistake; its batch-mates go on
                waiting.refuse(error)
                log_lines.exception("command_failed", command=type(waiting.command).__name__)
                return None
            else:
                folded = {} if decided.decision is None else decided.decision.folded
                writer = waiting.context.command_id
                for index, (stream, event) in enumerate(decided.events):
                    self.cache.evolve(stream, event, writer=writer, index=index, folded=folded.get(stream))
                return decided

    def _decide_on_loaded(self, waiting: Waiting) -> Decided:
        """Raises Missing; InvalidEntry for what the log would never take."""
        command, context = waiting.command, waiting.context
        self.cache.begin(context.actor, trusting=not waiting.moved)
        try:
            decided = self._decided(command, context)
        except Rejected as rejected:
            decided = self.entries.refused(self.cache, command, context, rejected)
            check_entry(decided.entry)
        return decided

    def _decided(self, command: Any, context: Context) -> Decided:
        try:
            decision = self._handlers[type(command)](self.cache, command)
            decided = self.entries.decided(self.cache, command, context, decision)
            check_entry(decided.entry)
        except Missing as missing:
            check_names((*missing.streams, *missing.subjects))
            raise
        except EntryTooLarge as error:
            kind: type[TooLarge] = getattr(command, "too_large", TooLarge)
            raise Rejected(kind(error.what, error.size, error.limit)) from error
        return decided

    async def _loaded(self, waiting: Waiting, missing: Missing, rest: list[Waiting]) -> bool:
        """Loads what a decision misses; only its caller gets the error where that cannot be read.

        Raises StoreUnavailable.
        """
        try:
            try:
                await self._load(missing, rest)
            except StoreUnavailable:
                raise
            except Exception:  # One of them all cannot be read; is it this one's?
                await self._load(missing, [])
        except StoreUnavailable:
            raise
        except Exception as error:
            waiting.refuse(error)
            log_lines.exception("state_unreadable", command=type(waiting.command).__name__)
            return False
        return True

    async def _load(self, missing: Missing, rest: list[Waiting]) -> None:
        """Loads what a decision misses, and with it what the rest of the batch is going to miss."""
        streams, subjects = dict.fromkeys(missing.streams), dict.fromkeys(missing.subjects)
        for waiting in rest:
            try:
                self._decide_on_loaded(waiting)
            except Missing as further:
                streams.update(dict.fromkeys(further.streams))
                subjects.update(dict.fromkeys(further.subjects))
            except Exception:  # its own turn to be decided, and to fail, comes
                continue
        if streams:
            self.cache.put(await self.in_thread(self._snapshots.load, list(streams)))
        if subjects:
            found = await self.in_thread(self._log.subject_keys, list(subjects))
            self.subject_keys.learn(subjects, found)

    async def prepare(self, streams: Iterable[str]) -> None:
        """Loads states for commands to come, as far as there is room. Raises StoreUnavailable."""
        session = await self._log.session_async()
        if not self._session:
            self._session = session  # Nothing is in memory yet.
        missing = self.cache.unprepared(streams)
        for n in range(0, len(missing), PREPARED_AT_ONCE):
            loaded = await self.in_thread(self._snapshots.load, missing[n : n + PREPARED_AT_ONCE])
            if session != self._session:
                return  # They may be of another history than what is in memory.
            self.cache.prepare(loaded)

    def done(self, decided: Iterable[Decided]) -> None:
        """A batch is over: keeps its states the longest, and has their snapshots built."""
        written: set[str] = set()
        for one in decided:
            if one.decision is not None:
                self.cache.drop(one.decision.forget)
            self.cache.touch(one.entry.reads)
            written.update(stream for stream, _ in one.events)
        self._snapshot_writer.consider(self.cache, written)

    async def in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        """One blocking call at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
