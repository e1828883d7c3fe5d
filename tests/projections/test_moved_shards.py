"""Shards move between two writers of one version, at any batch, and every event counts once."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from redis import Redis

from aggregates.inventory import stock
from projections.documents.keys import ViewKeys
from projections.engine.follower import TargetDamaged, TargetMoved, TargetUnavailable
from projections.engine.metrics import ProjectorMetrics
from projections.engine.runner import Runner
from projections.redis.build import RedisBuild
from projections.redis.joined import JoinedViews
from projections.redis.shards import JoinedShards
from projections.views import cart, catalog, inventory
from projections.views.registry import VIEWS
from projections.views.view import View
from tests.projections.memory_views import differences
from tests.projections.running import eventually, running
from tests.shop.facts import CODEC
from tests.shop.log import Shop, decoded
from tests.stores.store import delete_gone

SHARDS = 4


class Held:
    """The shards that one of the writers holds."""

    def __init__(self, *shards: int) -> None:
        self.shards = set(shards)

    def __call__(self, shard: int) -> bool:
        return shard in self.shards


class Pair:
    """A leader and another writer of the same view."""

    def __init__(self, view: View, url: str, shop: Shop) -> None:
        self.held = Held(*range(SHARDS)), Held()
        self.leader = RedisBuild(view, url, shop.log, shards=SHARDS, holds=self.held[0])
        self.leader.open()
        self.views = JoinedViews([view], url, self.held[1])

    @property
    def joined(self) -> JoinedShards:
        (follower,) = self.views.followers()
        return follower

    def move(self, *shards: int) -> None:
        """These are the other's from now on, all others the leader's."""
        self.held[0].shards = set(range(SHARDS)) - set(shards)
        self.held[1].shards = set(shards)

    def close(self) -> None:
        for follower in self.views.followers():
            follower.close()
        self.views.close()
        self.leader.close()


@pytest.fixture
def pair(shop: Shop, fresh_redis: str) -> Iterator[Pair]:
    shop.bustle(orders=10)
    shop.flush()
    pair = Pair(catalog.VIEW, fresh_redis, shop)
    yield pair
    pair.close()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_shards_that_move_at_any_batch_count_every_event_once(
    view: View, shop: Shop, fresh_redis: str
) -> None:
    chance = random.Random(view.name)
    shop.bustle(orders=25)
    head = shop.flush()
    events = decoded(shop.log)
    pair = Pair(view, fresh_redis, shop)
    for _ in range(25):
        pair.move(*chance.sample(range(SHARDS), chance.randrange(SHARDS + 1)))
        try:
            pair.leader.check()
        except TargetMoved:
            pair.leader.open()
        writers = [pair.leader]
        if pair.held[1].shards:
            joined = pair.joined
            try:
                if not joined.folding:
                    joined.open()
                joined.check()
            except TargetMoved:  # It was given up and taken again between two looks.
                joined.open()
            writers.append(joined)
        for writer in chance.sample(writers, len(writers)):
            if not writer.folding:
                continue
            up_to = min(writer.checkpoint.position + chance.randrange(1, head // 6), head)
            writer.apply(events[writer.checkpoint.position : up_to], up_to=up_to, tailing=True)
            writer.settle(may_hold_back=False)
    pair.move()
    pair.leader.check()
    pair.leader.apply(events[pair.leader.checkpoint.position :], up_to=head, tailing=True)
    pair.leader.settle(may_hold_back=False)
    pair.leader.publish()
    assert differences(shop.log, CODEC, fresh_redis, view) == []
    pair.close()


def test_a_view_stands_where_the_least_of_its_shards_does(pair: Pair, shop: Shop) -> None:
    events = decoded(shop.log)
    pair.move(1, 2)
    pair.leader.check()
    pair.leader.apply(events, up_to=len(events), tailing=True)
    pair.leader.settle(may_hold_back=False)
    assert (pair.leader.checkpoint.position, pair.leader.position) == (len(events), 0)
    joined = pair.joined
    assert joined.open() == 0
    joined.apply(events[:20], up_to=20, tailing=False)
    joined.settle(may_hold_back=False)
    pair.leader.check()
    assert pair.leader.position == 20
    assert list(joined.folding) == [1, 2]


def test_who_wakes_after_its_shard_was_moved_changes_nothing(pair: Pair, shop: Shop, redis: Redis) -> None:
    events = decoded(shop.log)
    pair.move(0, 1, 2, 3)
    pair.leader.check()
    paused = pair.joined
    paused.open()
    paused.apply(events[:20], up_to=20, tailing=False)
    paused.settle(may_hold_back=False)
    pair.move()
    pair.leader.check()
    pair.leader.apply(events[20:40], up_to=40, tailing=False)
    pair.leader.settle(may_hold_back=False)
    before = {key: redis.dump(key) for key in redis.scan_iter()}

    paused.apply(events[20:60], up_to=60, tailing=False)
    with pytest.raises(TargetMoved):
        paused.settle(may_hold_back=False)

    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


def test_a_version_that_is_gone_is_written_by_nobody(pair: Pair, shop: Shop, redis: Redis) -> None:
    pair.move(0)
    gone = pair.joined
    gone.open()
    pair.leader.restart()
    delete_gone(pair.leader)
    assert pair.joined.version == pair.leader.version == 2
    gone.apply(decoded(shop.log), up_to=shop.log.head(), tailing=True)
    with pytest.raises(TargetMoved):
        gone.settle(may_hold_back=False)
    with pytest.raises(TargetUnavailable):
        gone.open()
    assert not list(redis.scan_iter(match="{product.v1.*"))


def test_nobody_begins_a_shard_of_a_version_that_is_gone(pair: Pair, redis: Redis) -> None:
    joined = pair.joined
    joined.open()
    assert not joined.folding
    pair.leader.restart()
    delete_gone(pair.leader)
    pair.held[1].shards = {2}
    with pytest.raises(TargetMoved):
        joined.check()
    assert not list(redis.scan_iter(match="{product.v1.*"))


def test_what_another_finds_damaged_the_leader_builds_anew(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    for number in range(9):
        shop.lists(f"MUG-{number}")
    shop.flush()
    pair = Pair(inventory.VIEW, fresh_redis, shop)
    seen = decoded(shop.log)
    pair.leader.apply(seen, up_to=len(seen), tailing=True)
    pair.leader.publish()
    keys = ViewKeys(inventory.VIEW.name, 1, SHARDS)
    pair.move(keys.shard_of("MUG-3"))
    pair.leader.check()
    joined = pair.joined
    joined.open()
    redis.set(keys.document("MUG-3"), b"nonsense")
    shop.record(shop.decide(stock.receive, sku="MUG-3", quantity=1, reason="delivery"))
    shop.flush()
    with pytest.raises(TargetDamaged):
        joined.apply(decoded(shop.log)[len(seen) :], up_to=shop.log.head(), tailing=True)

    with pytest.raises(TargetMoved):
        pair.leader.check()
    pair.leader.open()
    assert (pair.leader.version, pair.leader.is_published) == (2, False)
    pair.close()


def test_what_another_read_model_made_is_left_to_its_own_code(pair: Pair, fresh_redis: str) -> None:
    pair.move(0)
    assert [follower.name for follower in pair.views.followers()] == ["product"]
    newer = dataclasses.replace(catalog.VIEW, model=catalog.VIEW.model + 1)
    views = JoinedViews([newer], fresh_redis, pair.held[1])
    assert views.followers() == []
    views.close()


def test_a_shard_in_which_nothing_changes_costs_no_call_for_each_batch(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    for number in range(40):
        shop.lists(f"MUG-{number}")
    head = shop.flush()
    events = decoded(shop.log)
    build = RedisBuild(catalog.VIEW, fresh_redis, shop.log, shards=16)
    build.open()
    before, begun = redis.info("commandstats")["cmdstat_evalsha"]["calls"], time.monotonic()
    for position, one in enumerate(events, start=1):
        build.apply([one], up_to=position, tailing=True)
        build.settle(may_hold_back=True)
    build.settle(may_hold_back=False)
    calls = redis.info("commandstats")["cmdstat_evalsha"]["calls"] - before
    moves = (time.monotonic() - begun) / 0.03  # Of idle checkpoints: more of them where batches take long.
    assert calls <= 3 * len(events) + 16 * moves, f"{calls} calls for {len(events)} batches of 16 shards"
    assert build.position == head
    assert set(build.folding.values()) == {events[-1].recorded.checkpoint}
    build.publish()
    assert differences(shop.log, CODEC, fresh_redis, catalog.VIEW) == []
    build.close()


def test_a_view_in_which_nothing_changes_costs_no_call_for_each_batch(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    for number in range(100):
        shop.lists(f"MUG-{number}")
    head = shop.flush()
    events = decoded(shop.log)
    build = RedisBuild(cart.VIEW, fresh_redis, shop.log)
    build.open()
    before, begun = redis.info("commandstats")["cmdstat_evalsha"]["calls"], time.monotonic()
    for position, one in enumerate(events, start=1):
        build.apply([one], up_to=position, tailing=True)
        build.settle(may_hold_back=True)
    build.settle(may_hold_back=False)
    calls = redis.info("commandstats")["cmdstat_evalsha"]["calls"] - before
    moves = (time.monotonic() - begun) / 0.03
    assert calls <= moves + 2, f"{calls} calls, where the checkpoint may move {moves:.0f} times"
    assert build.read_checkpoints() == [events[-1].recorded.checkpoint]
    assert build.position == head
    build.close()


def test_metrics_show_the_shards_that_a_process_writes(shop: Shop, fresh_redis: str) -> None:
    shop.bustle(orders=5)
    head = shop.flush()
    registry, held = CollectorRegistry(), Held(1, 2)
    pair = Pair(catalog.VIEW, fresh_redis, shop)
    pair.close()  # All shards are there, at position 0; nobody writes 0 and 3.
    follower = RedisBuild(catalog.VIEW, fresh_redis, shop.log, shards=SHARDS, holds=held)
    runner = Runner(shop.log, CODEC, [follower], ProjectorMetrics(registry))

    def shown() -> dict[str, float]:
        found = (
            registry.get_sample_value(
                "daybook_shard_lag_events", {"view": "product", "version": "1", "shard": str(shard)}
            )
            for shard in range(SHARDS)
        )
        return {str(shard): lag for shard, lag in enumerate(found) if lag is not None}

    with running(runner):
        eventually(lambda: shown() == {"1": 0, "2": 0}, "both are current")
        held.shards = {0}
        eventually(lambda: shown() == {"0": 0}, "another is held")
        lag = registry.get_sample_value("daybook_view_lag_events", {"view": "product", "version": "1"})
        assert lag == head, "shard 3 has taken in nothing"
    assert shown() == {}
