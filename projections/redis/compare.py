"""Compares two versions of a view in Redis, byte for byte, also where they are cut into other shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from projections.documents.keys import ViewKeys, document_key_at
from projections.engine.build import Comparison
from projections.redis.store import RedisStore
from projections.views.view import EntriesView, View


def compare_versions(store: RedisStore, view: View, one: ViewKeys, other: ViewKeys) -> Comparison:
    """Every document key of either version; a ranking that differs is reported as `ranking <name>`."""
    seen: set[str] = set()
    differing: set[str] = set()
    for keys in (one, other):
        for batch in _document_keys(store, keys):
            new = [key for key in batch if key not in seen]
            seen.update(new)
            if isinstance(view, EntriesView):
                ours: Sequence[object] = store.sorted_sets([one.document(key) for key in new])
                theirs: Sequence[object] = store.sorted_sets([other.document(key) for key in new])
            else:
                ours = store.get_all([one.document(key) for key in new])
                theirs = store.get_all([other.document(key) for key in new])
            pairs = zip(new, ours, theirs, strict=True)
            differing.update(key for key, our, their in pairs if our != their)
    if not isinstance(view, EntriesView) and view.ranking is not None:
        name = view.ranking.name
        if _ranking(store, one, name) != _ranking(store, other, name):
            differing.add(f"ranking {name}")
    return Comparison(len(seen), sorted(differing))


def _ranking(store: RedisStore, keys: ViewKeys, name: str) -> dict[bytes, float]:
    sets = store.sorted_sets([keys.ranking(name, shard) for shard in range(keys.shards)])
    return {member: score for entries in sets for member, score in entries}


def _document_keys(store: RedisStore, keys: ViewKeys) -> Iterator[list[str]]:
    for found in store.keys_of(keys.view, keys.version):
        document_keys = (document_key_at(key.decode()) for key in found)
        yield [key for key in document_keys if key is not None]
