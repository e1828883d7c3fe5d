"""How the partitions are shared out among processes that come and go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from event_store.postgres.log import PostgresLog
from projections.engine.partitions import PARTITIONS, Partitions, partition_holders, share_of, workers
from tests.projections.running import eventually

ALL = list(range(PARTITIONS))


@pytest.fixture
def log(fresh_postgres: str) -> Iterator[PostgresLog]:
    log = PostgresLog.open(fresh_postgres)
    yield log
    log.close()


def balanced(parts: list[Partitions]) -> None:
    """Each gives up and takes its share, until all partitions are held: the server sees who left."""

    def is_over() -> bool:
        for part in parts:
            part.balance()
        sizes = [len(part.held) for part in parts]
        are_all_held = sorted(one for part in parts for one in part.held) == ALL
        return are_all_held and max(sizes) - min(sizes) <= 1

    eventually(is_over, "all partitions are held, by each about as many")


@pytest.mark.parametrize("workers", range(1, 20))
def test_shares_make_up_all_and_differ_by_at_most_one(workers: int) -> None:
    shares = [share_of(rank, workers) for rank in range(workers)]
    assert sum(shares) == PARTITIONS
    assert max(shares) - min(shares) <= 1


def test_who_comes_gets_its_share_and_who_goes_leaves_it_to_the_others(log: PostgresLog) -> None:
    leases = [log.leases() for _ in range(4)]
    parts: list[Partitions] = []
    for lease in leases:
        parts.append(Partitions(lease))
        balanced(parts)
    assert None not in partition_holders(log)
    assert len(workers(log)) == 4
    while len(parts) > 1:
        leases.pop().release_all()
        assert parts.pop().held
        before = {id(part): set(part.held) for part in parts}
        balanced(parts)
        assert all(len(before[id(part)] - set(part.held)) <= 1 for part in parts), "the others keep theirs"
    leases.pop().release_all()


@pytest.mark.parametrize("shards", [1, 2, 4, 16, 32])
def test_views_of_few_shards_are_spread_too(log: PostgresLog, shards: int) -> None:
    leases = [log.leases() for _ in range(2)]
    parts = [Partitions(leases[0])]
    parts[0].balance()
    parts.append(Partitions(leases[1]))
    balanced(parts)
    counts = [sum(map(part.holds, range(shards))) for part in parts]
    assert sum(counts) == shards
    assert abs(counts[0] - counts[1]) <= 1
    assert parts[0].holds(0), "what was there goes on where it was"
    for lease in leases:
        lease.release_all()
