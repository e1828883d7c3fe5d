"""What goes into the log and what comes out of it: the shapes that every store of events shares.

The log knows streams, versions and positions; it knows nothing of carts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from event_store.progress import ProgressStore

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class NewEvent(msgspec.Struct, frozen=True):
    """An event to be appended; its version follows from the stream's, its position from the log's."""

    stream: str
    type: str  # the stored name, `context.name`
    schema_number: int
    data: bytes  # UTF-8 JSON, personal fields already encrypted


class RecordedEvent(msgspec.Struct, frozen=True):
    """An event as it stands in the log."""

    position: int  # from 1, without gaps, in commit order
    stream: str
    version: int  # from 1, without gaps within the stream
    type: str
    schema_number: int
    data: bytes
    command_id: UUID
    correlation: str | None  # W3C trace id, 32 hex digits
    causation: str | None  # what led to the command: "event:<position>" or null
    actor: str  # "<kind>:<id>"
    recorded_at: datetime  # UTC, never backwards along positions
    valid_at: datetime  # UTC, when it was true in the world; recorded_at unless given

    @property
    def identity(self) -> str:
        """Distinguishes it from any other event at its position, in any history of the log: 32 hex digits."""
        recorded = (self.recorded_at - _EPOCH) // _MICROSECOND
        content = f"{self.position}\n{self.stream}\n{self.version}\n{self.command_id}\n{recorded}"
        return sha256(content.encode()).hexdigest()[:32]

    @property
    def checkpoint(self) -> Checkpoint:
        """The place of who has read as far as this."""
        return Checkpoint(self.position, self.identity)


class Checkpoint(msgspec.Struct, frozen=True, order=True):
    """How far a reader has come: a position, and which event it found there.

    A standby that was promoted with events missing, or a restored backup, goes on with other events at the
    same positions: another history. Before the first event the identity is "", and so it is where it is not
    known, which no history has.
    """

    position: int
    event: str = ""  # RecordedEvent.identity


START = Checkpoint(0)


class Snapshot(msgspec.Struct, frozen=True):
    """A stream's folded state at a version. Disposable: without one the stream is folded.

    `shape` is a fingerprint of the state's fields and fold; a snapshot of another shape is never read.
    """

    stream: str
    version: int
    shape: str
    data: bytes
    event: str  # the identity of the stream's event at that version


Verdict = Literal["accepted", "refused", "unchanged"]


class Entry(msgspec.Struct, kw_only=True):
    """One command's entry: its events and its journal row, written together or not at all.

    `reads` names every stream the decision read or will write, with the version it saw (0: no such
    stream); the append refuses the entry when one of them has moved. Events of one stream follow each
    other from that version. `decided_on` names the commands of the same call whose events it saw: when
    one of them is refused, so is this one.
    """

    command_id: UUID
    name: str  # imperative, `place_order`
    verdict: Verdict
    reads: Mapping[str, int]
    events: Sequence[NewEvent] = ()
    decided_on: Sequence[UUID] = ()
    actor: str
    channel: str
    key: bytes | None = None  # digest of actor and idempotency key; None: not to be replayed
    request_hash: bytes | None = None  # HMAC of method, path and body; with `key`
    arguments: bytes = b"{}"  # UTF-8 JSON, personal parts encrypted
    answer: bytes = b"{}"  # UTF-8 JSON: the body that a retry gets, without positions
    correlation: str | None = None
    causation: str | None = None
    valid_at: datetime | None = None  # of every event of the entry; None: recorded_at
    new_subject_keys: Mapping[str, bytes] = {}  # subject → 32 bytes; saved with the events
    subject_keys: Mapping[str, bytes] = {}  # those that were read, which must still be so

    @property
    def size_bytes(self) -> int:
        """What it writes, names aside."""
        return len(self.arguments) + len(self.answer) + sum([len(event.data) for event in self.events])


class Appended(msgspec.Struct, frozen=True):
    """The entry is in the log. Both positions are None where it had no events."""

    first_position: int | None
    last_position: int | None
    recorded_at: datetime


class Replayed(msgspec.Struct, frozen=True):
    """The entry's key was accepted before, less than 24 h ago, with the same request: its row.

    Also when the command itself is in the journal, because its entry was sent again.
    """

    row: JournalRow


class KeyReused(msgspec.Struct, frozen=True):
    """The entry's key was accepted before, less than 24 h ago, with another request."""


class Moved(msgspec.Struct, frozen=True):
    """The entry was decided on a state that is no longer so: read `streams` anew and decide again.

    Also when a batch-mate it was decided on was refused, or a subject's key was made or destroyed elsewhere
    meanwhile (then `subjects` names it).
    """

    streams: Sequence[str]
    subjects: Sequence[str] = ()


Outcome = Appended | Replayed | KeyReused | Moved


class JournalRow(msgspec.Struct, frozen=True):
    """A command as the journal keeps it."""

    command_id: UUID
    name: str
    verdict: Verdict
    actor: str
    channel: str
    arguments: bytes
    answer: bytes
    key: bytes | None
    request_hash: bytes | None
    correlation: str | None
    causation: str | None
    first_position: int | None
    last_position: int | None
    recorded_at: datetime


NO_VERSIONS: Mapping[str, int] = {}


class OrderedEvents(Protocol):
    """The events of a log in order: all that a projection needs of it. Calls may come from any thread."""

    def read_all(self, *, after: int, limit: int, up_to: int | None = None) -> list[RecordedEvent]:
        """See EventReader."""

    def head(self) -> int:
        """See EventReader."""

    def wait(self, *, after: int, timeout_seconds: float) -> int:
        """See EventReader."""


class EventReader(Protocol):
    """The reading side of a log. Every call may be made from any thread."""

    def read_all(
        self, *, after: int, limit: int, types: Collection[str] = (), up_to: int | None = None
    ) -> list[RecordedEvent]:
        """Events of every stream in commit order.

        `after` is a position (0 reads from the start); `limit` is 1 to 10,000; `types` keeps those
        stored names only. Without `types` fewer than `limit` means that the end (or `up_to`) was
        reached, and a gap in positions is corruption: LogGap. Raises StoreUnavailable.
        """

    def read_stream(
        self, stream: str, *, after_version: int = 0, limit: int | None = None
    ) -> list[RecordedEvent]:
        """Events of one stream by version; [] where there is no such stream."""

    def read_streams(
        self, streams: Sequence[str], *, after: Mapping[str, int] = NO_VERSIONS
    ) -> dict[str, list[RecordedEvent]]:
        """Streams in one call, each whole or above its version in `after`; each asked for is a key."""

    def read_positions(self, positions: Collection[int]) -> list[RecordedEvent]:
        """The events at these positions, by position, in one call; those that are not there are missing."""

    def snapshots(self, shapes: Mapping[str, str]) -> dict[str, Snapshot]:
        """The newest snapshot of each stream that has one of the shape named for it, of this history."""

    def log_id(self) -> str:
        """The log's identity: made with it, and the same in its backups and standbys."""

    def head(self) -> int:
        """The last position; 0 for an empty log."""

    def journal_head(self) -> int:
        """The last position that any command's row names, 0 where none does; above `head()` where events
        were cut off. Reads the whole journal.
        """

    def wait(self, *, after: int, timeout_seconds: float) -> int:
        """The head, as soon as it is above `after`, or when the time is over."""

    def subject_keys(self, subjects: Collection[str]) -> dict[str, bytes]:
        """The keys that exist among `subjects`; erased and unknown ones are missing."""

    def journal_row(self, command_id: UUID) -> JournalRow | None:
        """One command's row, or None."""

    def journal_rows(self, *, first_position: int, last_position: int) -> list[JournalRow]:
        """The commands any of whose events lie in the range, both ends included, in order."""

    def close(self) -> None:
        """Gives back every connection. A closed log raises StoreUnavailable."""


class EventLog(EventReader, ProgressStore, Protocol):
    """The log: one gapless sequence of events, and the journal of the commands that wrote them."""

    def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Appends every entry that still holds, in order, in one durable step; an outcome for each.

        Entries never hurt each other, except through `decided_on`. Blocks until durable; calls from
        several threads share one round trip. Raises StoreUnavailable when the server is away or does
        not answer in time: then it is not known whether the entries were written, and only an entry
        with a key, or one whose `reads` name a stream it writes, may be sent again.
        Raises InvalidEntry, before anything is sent, for an event over the size limit, a name out of
        form or an event of a stream that `reads` does not name.
        """

    async def append_async(self, entries: Sequence[Entry], *, session: int | None = None) -> list[Outcome]:
        """The same for callers of an event loop: those of one loop share its round trips, without threads.

        May be called from any running loop. With the `session` in which the entries were decided they are
        appended in that one only; in a later one each has Moved.
        """

    async def session_async(self) -> int:
        """The loop's session with the server that appends, begun where there is none.

        Another number is another connection, perhaps to a server with another history: what was read before
        it is no lock on what is there now. Raises StoreUnavailable.
        """

    def installation_secret(self) -> bytes:
        """32 random bytes made when the log was: the key of every HMAC that must outlive a process."""

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keeps it in place of the stream's older ones, where the log has the event it was built from."""

    def checkpoint(self, name: str) -> int:
        """How far the named reader got (`tracking`); 0 at first, and where that was in another history."""

    def save_checkpoint(self, name: str, position: int, *, seen: Checkpoint | None = None) -> None:
        """Notes how far the named reader got; never backwards.

        For a reader without open work that keeps its place here and not with what it writes: a relay of
        events to another system, a sealer of old ones.

        `seen` is the last event it has read, at `position` or beyond: where the log has another one there,
        or none, nothing is noted.
        """

    def next_number(self, name: str, *, above: int) -> int:
        """A number that was never given out under this name before, and is above `above`."""

    def try_exclusive(self, name: str) -> Exclusive | None:
        """Takes the named session lock, for what may run only once; None while another holds it."""


class Exclusive(Protocol):
    """A held session lock."""

    def still_held(self) -> bool:
        """False once the connection that held it is gone: stop at once."""

    def release(self) -> None:
        """Lets the next one in."""
