"""How projector processes share the views' shards out among themselves.

Every view's shards fall into 16 partitions. A process holds partitions by a lease and folds their shards of
every version; each takes its share of what is free and gives up what is above it, so that partitions move
while events flow. That two never write one shard is not for the leases to see to but for the shard's
checkpoint, from which a writer has to have started.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

PARTITIONS = 16
"""Over so many processes views of as many shards can be spread."""

LEADER = "projector"
"""The lock of the one process that makes, publishes and deletes versions, and writes the search index."""

_WORKER = "projector worker"  # which every process shares
_PARTITION_LOCKS = [f"projector partition {partition}" for partition in range(PARTITIONS)]


class Holder(Protocol):
    """Who holds a lock."""

    @property
    def session(self) -> int:
        """Its lease's number."""

    @property
    def process(self) -> str:
        """Its name."""


class Leases(Protocol):
    """One process's lease; see `event_store.postgres.leases`. Every call may raise StoreUnavailable."""

    @property
    def session(self) -> int:
        """Its number."""

    def take(self, names: Sequence[str]) -> Collection[str]:
        """Takes those locks that are free; gives their names."""

    def share(self, name: str) -> bool:
        """Takes a lock that several may hold at once."""

    def release(self, names: Collection[str]) -> None:
        """Gives up locks that it holds."""

    def holders(self, names: Sequence[str]) -> Mapping[str, Sequence[Holder]]:
        """Who holds each of these locks; nothing under a name that nobody holds."""


class HoldersReader(Protocol):
    """Where locks are looked up."""

    def holders(self, names: Sequence[str]) -> Mapping[str, Sequence[Holder]]:
        """See Leases."""


class Partitions:
    """Those that this process holds."""

    def __init__(self, leases: Leases) -> None:
        """Holds none before `balance`."""
        self._leases = leases
        self._held: list[int] = []
        self._share = 0
        self._is_worker = False

    @property
    def held(self) -> Sequence[int]:
        """In order."""
        return self._held

    def holds(self, shard: int) -> bool:
        """Whether the shard is in one of them."""
        return partition_of(shard) in self._held

    @property
    def awaits_more(self) -> bool:
        """Whether it holds less than its share: another is about to give something up."""
        return len(self._held) < self._share

    def balance(self) -> None:
        """Gives up what is above this process's share, or takes what is free up to it.

        The first call makes it one of the workers. Nothing is being written meanwhile: from now on others
        write what was given up. Raises StoreUnavailable.
        """
        if not self._is_worker:
            self._is_worker = self._leases.share(_WORKER)
        holders = self._leases.holders([_WORKER, *_PARTITION_LOCKS])
        workers = sorted(holder.session for holder in holders.get(_WORKER, ()))
        self._share = share = share_of(workers.index(self._leases.session), len(workers))
        if len(self._held) > share:
            kept = _spread(self._held, share)
            given_up = [partition for partition in self._held if partition not in kept]
            self._held = kept  # First, so that what is lost in between is written by nobody.
            self._leases.release([_PARTITION_LOCKS[partition] for partition in given_up])
        elif len(self._held) < share:
            free = [one for one in range(PARTITIONS) if _PARTITION_LOCKS[one] not in holders]
            wanted = _spread(free, min(share - len(self._held), len(free)))
            taken = self._leases.take([_PARTITION_LOCKS[partition] for partition in wanted])
            self._held = sorted(self._held + [one for one in wanted if _PARTITION_LOCKS[one] in taken])


def partition_of(shard: int) -> int:
    """The partition into which a shard of any view falls."""
    return shard % PARTITIONS


def share_of(rank: int, workers: int) -> int:
    """How many partitions the worker at this place is to hold; no two workers differ by more than one."""
    return PARTITIONS // workers + (rank < PARTITIONS % workers)


def workers(log: HoldersReader) -> Sequence[Holder]:
    """The projector processes that run. Raises StoreUnavailable."""
    return log.holders([_WORKER]).get(_WORKER, ())


def leader(log: HoldersReader) -> str | None:
    """The process that leads; None: none does. Raises StoreUnavailable."""
    return next((holder.process for holder in log.holders([LEADER]).get(LEADER, ())), None)


def partition_holders(log: HoldersReader) -> list[str | None]:
    """The process that holds each partition; None: nobody does. Raises StoreUnavailable."""
    holders = log.holders(_PARTITION_LOCKS)
    return [holders[name][0].process if name in holders else None for name in _PARTITION_LOCKS]


def _spread(partitions: Sequence[int], count: int) -> list[int]:
    """So many of them, evenly spread, the first among them: so views of few shards are shared out, too."""
    return [partitions[place * len(partitions) // count] for place in range(count)]
