"""A log in memory that can lose its last events, as one brought back from a backup has."""

from __future__ import annotations

from event_store.memory.log import MemoryLog


class RestoredLog(MemoryLog):
    """What is appended after a loss is another history; sessions and locks go with the server of before."""

    session = 1

    async def session_async(self) -> int:
        return self.session

    def lose(self, events: int) -> None:
        """As many of the last ones, with the commands that wrote them."""
        with self._open():
            self.session += 1
            self._exclusives.clear()
            kept = len(self._events) - events
            lost = self._events[kept:]
            del self._events[kept:]
            for event in lost:
                self._streams[event.stream].pop()
                if not self._streams[event.stream]:
                    del self._streams[event.stream]
                self._journal.pop(event.command_id, None)
