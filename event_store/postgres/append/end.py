"""What a connection knows of the log's end, from its own answers."""

from __future__ import annotations

import time

UNDISTURBED_ANSWERS = 16  # in a row, after somebody else wrote: then likely nobody else does
FRESH_SECONDS = 0.002  # so long is an answer taken for how things stand
STREAMS_MOST = 1_000
_NOT_KNOWN = -1


class LogEnd:
    """Where this connection left the log.

    It holds as long as nobody else writes, which the next position proves by being free.
    """

    __slots__ = ("_told_at", "_undisturbed", "_versions", "at", "head")

    def __init__(self) -> None:
        self.head = _NOT_KNOWN
        self.at = b""  # the head's recorded_at, as the server sends it
        self._told_at = 0.0  # monotonic seconds
        self._undisturbed = UNDISTURBED_ANSWERS
        self._versions: dict[str, int] = {}

    def is_likely(self, stream: str, version: int) -> bool:
        """Whether the log ends where it did a moment ago, with the stream at this version."""
        return (
            self._versions.get(stream) == version
            and self._undisturbed >= UNDISTURBED_ANSWERS
            and time.monotonic() - self._told_at < FRESH_SECONDS
        )

    def added(self, before: int, stream: str, version: int, at: bytes) -> None:
        """One event was added after the position `before`: the stream's, of this version."""
        if len(self._versions) >= STREAMS_MOST or before != self.head:
            self._versions.clear()
        self._versions[stream] = version
        self._told(before, before + 1, at)

    def moved(self, before: int, head: int, at: bytes) -> None:
        """A batch found the head at `before` and left it at `head`."""
        self._versions.clear()
        self._told(before, head, at)

    def forget(self) -> None:
        """Something did not go as it mostly does, or was written that is not told here."""
        self._versions.clear()
        self.head = _NOT_KNOWN
        self._undisturbed = 0

    def _told(self, before: int, head: int, at: bytes) -> None:
        self._undisturbed = self._undisturbed + 1 if self.head in (before, _NOT_KNOWN) else 0
        self.head, self.at = head, at
        self._told_at = time.monotonic()
