"""What can go wrong between us and the log."""

from __future__ import annotations


class EventStoreError(Exception):
    """The root of this package's errors."""


class StoreUnavailable(EventStoreError):  # noqa: N818
    """The server is away or does not answer in time; trying again later may work."""


class AnotherLog(StoreUnavailable):
    """Another log stands where this process began with one: what it keeps in memory is nothing to that."""


class AnotherHistory(EventStoreError):  # noqa: N818
    """The log has no such event where the reader has read one: what was read is no longer so.

    After a failover that lost events, or a restore. Nothing may be folded on top of it.
    """


class LogUnreadable(StoreUnavailable):
    """The server answers, but a table or a row of the log is not what it must be: somebody has to mend it."""


class LogGap(EventStoreError):  # noqa: N818
    """A position is missing: the log is damaged. Nothing may be folded past it."""


class InvalidEntry(EventStoreError):  # noqa: N818
    """The caller's entry can never be appended; nothing was sent."""


class EntryTooLarge(InvalidEntry):
    """What would be written is larger than the log takes."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what}: {size}, more than {limit}")
        self.what, self.size, self.limit = what, size, limit


class UnknownEvent(EventStoreError):  # noqa: N818
    """A stored name or schema number that this code does not know; it must not be skipped."""


class DecodingFailed(EventStoreError):  # noqa: N818
    """Stored bytes that do not fit the shape their name and number promise."""


class SchemaTooNew(EventStoreError):  # noqa: N818
    """The database was migrated by newer code than this."""


class SchemaMissing(EventStoreError):  # noqa: N818
    """The log is not there, or too old for this code, and this connection may not make it."""
