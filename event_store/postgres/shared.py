"""One log per address and schema in a process, for callers that do not know of each other.

Their synchronous calls so enter one queue, and travel together.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from event_store.postgres.log import PostgresLog


@dataclass
class _Shared:
    log: PostgresLog
    users: int


_logs: dict[tuple[str, str], _Shared] = {}
_mutex = threading.Lock()


def share_log(url: str, schema: str) -> PostgresLog:
    """The process's log at this place, opened for the first user. Give it back with `release_log`."""
    with _mutex:
        shared = _logs.get((url, schema))
        if shared is None:
            shared = _logs[url, schema] = _Shared(PostgresLog.open(url, schema=schema), 0)
        shared.users += 1
        return shared.log


def release_log(url: str, schema: str) -> None:
    """The last user's release closes the log."""
    with _mutex:
        shared = _logs[url, schema]
        shared.users -= 1
        if shared.users > 0:
            return
        del _logs[url, schema]
    shared.log.close()
