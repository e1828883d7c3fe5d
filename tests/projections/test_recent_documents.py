"""Views of products in; what a visit looked at last out, until it is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from event_store.memory.log import MemoryLog
from projections.documents.keys import ViewKeys, document_key_at
from projections.engine.follower import Decoded
from projections.redis.build import RedisBuild
from projections.views import recent
from tests.projections.memory_views import MemoryView
from tests.shop.facts import NOON, VISIT, recorded, viewed

VIEW = recent.view(30)


def documents_of(*happened: Any) -> dict[str, Any]:
    built = MemoryView(VIEW)
    built.apply([Decoded(recorded(n, event), event) for n, event in enumerate(happened, start=1)])
    return {key: msgspec.json.decode(value) for key, value in built.documents.items()}


def test_a_visits_products_stand_newest_first_each_once() -> None:
    views = [viewed(sku, n) for n, sku in enumerate("ABCAD", start=1)]
    seen = int(NOON.timestamp())
    assert documents_of(*views) == {
        VISIT: {"visit_id": VISIT, "skus": ["D", "A", "C", "B"], "position": 5, "seen": seen}
    }


def test_visits_know_nothing_of_each_other_and_of_no_customer() -> None:
    of_anna = replace(viewed("A"), customer_id="anna")
    found = documents_of(of_anna, viewed("B", visit_id="w" * 32), viewed("C", 2))
    assert {key: document["skus"] for key, document in found.items()} == {VISIT: ["C", "A"], "w" * 32: ["B"]}
    assert "anna" not in str(found)


@given(st.lists(st.integers(0, 40).map(str), min_size=1, max_size=120))
def test_the_last_twenty_products_are_kept_whatever_was_looked_at(skus: list[str]) -> None:
    found = documents_of(*(viewed(sku, n) for n, sku in enumerate(skus, start=1)))
    assert found[VISIT]["skus"] == list(dict.fromkeys(reversed(skus)))[:20]


def at_days(*views: tuple[float, str, str]) -> list[Decoded]:
    """Days after the first event, the visit, and what it looked at."""
    batch = []
    for position, (days, visit, sku) in enumerate(views, start=1):
        event = viewed(sku, visit_id=visit)
        moment = NOON + timedelta(days=days)
        envelope = msgspec.structs.replace(recorded(position, event), recorded_at=moment, valid_at=moment)
        batch.append(Decoded(envelope, event))
    return batch


def folded(batch: Sequence[Decoded], sizes: Sequence[int] = ()) -> MemoryView:
    """In batches of these sizes, the rest in one."""
    built, rest = MemoryView(VIEW), list(batch)
    for size in sizes:
        built.apply(rest[:size])
        rest = rest[size:]
    built.apply(rest)
    return built


def test_a_visit_is_gone_when_the_log_has_gone_on_for_so_long_since_its_last_view() -> None:
    kept = folded(at_days((0, "one", "A"), (30, "two", "B")))
    assert sorted(kept.documents) == ["one", "two"]
    gone = folded(at_days((0, "one", "A"), (20, "two", "B"), (30.01, "three", "C")))
    assert sorted(gone.documents) == ["three", "two"]


def test_a_visit_that_comes_back_after_it_was_gone_begins_anew() -> None:
    built = folded(at_days((0, "one", "A"), (40, "one", "B")))
    assert msgspec.json.decode(built.documents["one"])["skus"] == ["B"]


visits = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 5, 20, 31]), st.sampled_from("abcd"), st.sampled_from("XYZ")),
    max_size=30,
)


@given(visits, st.lists(st.integers(1, 6), max_size=10))
def test_however_the_log_is_cut_into_batches_the_same_visits_are_there(
    steps: list[tuple[int, str, str]], sizes: list[int]
) -> None:
    batch = at_days(*after_each_other(steps))
    one, other = folded(batch), folded(batch, sizes)
    assert (one.documents, one.ranking) == (other.documents, other.ranking)


def after_each_other(steps: Sequence[tuple[int, str, str]]) -> Iterator[tuple[float, str, str]]:
    day = 0
    for days, visit, sku in steps:
        day += days
        yield day, visit, sku


@pytest.mark.parametrize("shards", [1, 3])
def test_in_redis_a_visit_is_gone_too_whatever_its_shard(redis: Redis, fresh_redis: str, shards: int) -> None:
    """Also where nothing else happens in its shard, and in a batch of other events."""
    views = [(n, f"v{n}", "A") for n in range(40)] + [
        (40.0, "v9", "B"),
        (41.0, "v35", "C"),
        (75.0, "v0", "D"),
    ]
    batch = at_days(*views)
    build = RedisBuild(VIEW, fresh_redis, MemoryLog(), shards=shards)
    build.open()
    for start in range(0, len(batch), 4):
        some = batch[start : start + 4]
        build.apply(some, up_to=some[-1].recorded.position, tailing=True)
        build.settle(may_hold_back=False)
        keys = ViewKeys("recent", build.version, shards)
        expected = folded(batch[: start + 4])
        found = {
            key: redis.get(name)
            for name in redis.scan_iter(f"{{recent.v{build.version}.*")
            if (key := document_key_at(name.decode())) is not None
        }
        assert found == expected.documents
        ranked = [one for shard in range(shards) for one in redis.zrange(keys.ranking("seen", shard), 0, -1)]
        assert sorted(ranked) == sorted(key.encode() for key in expected.documents)
    fresh = build.beside()
    fresh.apply(batch, up_to=len(batch), tailing=False)
    fresh.settle(may_hold_back=False)
    assert build.compare(fresh).differing_keys == []
    build.close()
    fresh.close()


def test_another_number_of_days_is_another_read_model() -> None:
    assert recent.view(7).model != VIEW.model
