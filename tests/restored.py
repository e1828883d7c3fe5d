"""A log in memory that can lose its last events, as one brought back from a backup has."""

from __future__ import annotations

from event_store.memory_log import MemoryLog


class RestoredLog(MemoryLog):
    """What is appended after a loss is another history."""

    def lose(self, events: int) -> None:
        """As many of the last ones, with the commands that wrote them."""
        with self._open():
            kept = len(self._events) - events
            lost = self._events[kept:]
            del self._events[kept:]
            for event in lost:
                self._streams[event.stream].pop()
                if not self._streams[event.stream]:
                    del self._streams[event.stream]
                self._journal.pop(event.command_id, None)
