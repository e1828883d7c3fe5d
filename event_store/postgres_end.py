"""What a connection knows of the log's end, from its own answers."""

from __future__ import annotations

UNDISTURBED_BATCHES = 16  # in a row, after somebody else wrote: then likely nobody else does
STREAMS_MOST = 1_000


class LogEnd:
    """Where this connection left the log.

    It holds as long as nobody else writes, which the next position proves by being free.
    """

    __slots__ = ("_undisturbed", "_versions", "head")

    def __init__(self) -> None:
        self.head = -1  # not known
        self._undisturbed = UNDISTURBED_BATCHES
        self._versions: dict[str, int] = {}

    @property
    def is_likely(self) -> bool:
        """Whether there is one that is known, and nobody else has written for a while."""
        return self.head > 0 and self._undisturbed >= UNDISTURBED_BATCHES

    def version(self, stream: str) -> int | None:
        """Where the stream stands; None when that is not known."""
        return self._versions.get(stream)

    def added(self, stream: str, version: int) -> None:
        """One event was added where the end was thought to be."""
        if len(self._versions) == STREAMS_MOST:
            self._versions.clear()
        self.head += 1
        self._versions[stream] = version

    def moved(self, before: int, head: int) -> None:
        """A batch found the head at `before` and left it at `head`."""
        self._undisturbed = self._undisturbed + 1 if self.head in (before, -1) else 0
        self.head = head
        self._versions.clear()

    def forget(self) -> None:
        """What is written next is not told here."""
        self.head = -1
