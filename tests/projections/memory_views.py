"""Views built in memory from the log, and compared with what lies in Redis."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from event_store.codec import Codec
from event_store.records import EventReader
from projections.documents.keys import document_key_at
from projections.engine.folding import floor_of, fold_of
from projections.engine.follower import Decoded
from projections.redis.store import RedisStore
from projections.status import live_keys
from projections.views.view import EntriesView, View
from tests.shop.log import Shop, decoded

_PAGE_EVENTS = 5_000


class MemoryView:
    """A view folded in memory; what lies where is what a store of one shard would have."""

    def __init__(self, view: View) -> None:
        self.documents: dict[str, bytes] = {}
        self.entries: dict[str, dict[str, int]] = {}
        self.ranking: dict[str, int] = {}
        self.position = 0
        self._view = view
        self._fold = fold_of(view)

    def apply(self, batch: Sequence[Decoded]) -> None:
        """Folds the batch; what is not above the view's position is counted in it."""
        facts = [fact for fact in self._fold.facts_of(batch) if fact.recorded.position > self.position]
        changes = self._fold.fold(facts, self._load)
        self.documents.update(changes.documents)
        for entry in changes.entries:
            self.entries.setdefault(entry.key, {})[entry.member] = entry.score
        for _, member, score in changes.rankings:
            if score is None:
                self.ranking.pop(member, None)
            else:
                self.ranking[member] = score
        floor = floor_of(self._view, batch)
        for member in [
            one for one, score in self.ranking.items() if floor is not None and score < floor.score
        ]:
            del self.ranking[member], self.documents[member]
        if batch:
            self.position = max(self.position, batch[-1].recorded.position)

    def _load(self, keys: Collection[str]) -> Mapping[str, bytes]:
        return {key: self.documents[key] for key in keys if key in self.documents}


def read_decoded(log: EventReader, codec: Codec, *, after: int, up_to: int) -> list[Decoded]:
    """The next page of events; [] where the range is at its end."""
    events = log.read_all(after=after, limit=_PAGE_EVENTS, up_to=up_to)
    return [Decoded(recorded, codec.decode(recorded)) for recorded in events]


def differences(log: EventReader, codec: Codec, redis_url: str, view: View) -> list[str]:
    """The keys under which the live view is not, byte for byte, what the log makes of it.

    The view must stand still meanwhile, all its shards at one position; ValueError otherwise. Raises
    ViewNotReady.
    """
    store = RedisStore(redis_url)
    try:
        keys = live_keys(store, view.name)
        checkpoints = store.get_all([keys.checkpoint(shard) for shard in range(keys.shards)])
        if len(set(checkpoints)) != 1 or checkpoints[0] is None:
            raise ValueError(f"the shards of {view.name} stand at {checkpoints}")
        fresh = MemoryView(view)
        while batch := read_decoded(log, codec, after=fresh.position, up_to=int(checkpoints[0])):
            fresh.apply(batch)
        stored = {
            key
            for found in store.keys_of(view.name, keys.version)
            for key in (document_key_at(name.decode()) for name in found)
            if key is not None
        }
        if isinstance(view, EntriesView):
            every = sorted(stored | fresh.entries.keys())
            sets = store.sorted_sets([keys.document(key) for key in every])
            return [
                key
                for key, found in zip(every, sets, strict=True)
                if _scores(found) != fresh.entries.get(key)
            ]
        every = sorted(stored | fresh.documents.keys())
        documents = store.get_all([keys.document(key) for key in every])
        differing = [
            key for key, found in zip(every, documents, strict=True) if found != fresh.documents.get(key)
        ]
        if view.ranking is not None:
            name = view.ranking.name
            rankings = store.sorted_sets([keys.ranking(name, shard) for shard in range(keys.shards)])
            if _scores([entry for ranking in rankings for entry in ranking]) != fresh.ranking:
                differing.append(f"ranking {name}")
        return differing
    finally:
        store.close()


def _scores(entries: Sequence[tuple[bytes, float]]) -> dict[str, int]:
    return {member.decode(): int(score) for member, score in entries}


def built(shop: Shop, view: View) -> MemoryView:
    shop.flush()
    view_built = MemoryView(view)
    view_built.apply(decoded(shop.log))
    return view_built


def document(shop: Shop, view: View, key: str) -> Any:
    return msgspec.json.decode(built(shop, view).documents[key])
