"""Compares two versions of a view in Redis, byte for byte, also where they are cut into other shards.

The server gives digests of a range of documents of one shard, and the shard's checkpoint of the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from projections.documents.keys import ViewKeys, document_key_at
from projections.engine.build import Candidates, Compared
from projections.redis.store import Digest, Digests, RedisStore
from projections.views.view import EntriesView, View

_RANGE_KEYS = 200
"""Documents at once: the server does nothing else for about a millisecond."""

_NOTHING = Digest(b"", b"")


def candidates(store: RedisStore, view: View, one: ViewKeys, other: ViewKeys) -> Candidates:
    """Every document key of either version; those that may differ, since both may be written meanwhile."""
    documents = 0
    differing: set[str] = set()
    for version in (other, one):
        for found, is_document in _document_keys(store, view, version):
            for range_ in _ranges(found, one, other):
                ours, theirs = (_digests(store, view, keys, range_).documents for keys in (one, other))
                differing.update(
                    key for key, our, their in zip(range_, ours, theirs, strict=True) if our != their
                )
                if is_document:
                    documents += len(range_) if version is other else theirs.count(_NOTHING)
    return Candidates(documents, sorted(differing))


def compare_again(
    store: RedisStore, view: View, one: ViewKeys, other: ViewKeys, keys: Sequence[str]
) -> Compared:
    """Which of the keys' documents differ; a ranking that does is `ranking <name>`.

    Documents differ for certain where both shards stood at one checkpoint when they were read.
    """
    differing: set[str] = set()
    open_keys: list[str] = []
    for range_ in _ranges(keys, one, other):
        ours, theirs = (_digests(store, view, version, range_) for version in (one, other))
        for key, our, their in zip(range_, ours.documents, theirs.documents, strict=True):
            if our == their:
                continue
            if ours.checkpoint != theirs.checkpoint:
                open_keys.append(key)
                continue
            if our.content != their.content:
                differing.add(key)
            if our.score != their.score:
                differing.add(f"ranking {_ranking_of(view)}")
    return Compared(sorted(differing), open_keys)


def _ranking_of(view: View) -> str | None:
    return None if isinstance(view, EntriesView) or view.ranking is None else view.ranking.name


def _ranges(keys: Sequence[str], one: ViewKeys, other: ViewKeys) -> Iterator[list[str]]:
    """The keys in ranges that lie in one shard of either version."""
    by_shards: dict[tuple[int, int], list[str]] = {}
    for key in keys:
        by_shards.setdefault((one.shard_of(key), other.shard_of(key)), []).append(key)
    for together in by_shards.values():
        for start in range(0, len(together), _RANGE_KEYS):
            yield together[start : start + _RANGE_KEYS]


def _digests(store: RedisStore, view: View, keys: ViewKeys, range_: Sequence[str]) -> Digests:
    return store.digests(keys, keys.shard_of(range_[0]), range_, ranking=_ranking_of(view))


def _document_keys(store: RedisStore, view: View, keys: ViewKeys) -> Iterator[tuple[list[str], bool]]:
    """In lists, and whether they are of documents: otherwise they are what the ranking names."""
    for found in store.keys_of(keys.view, keys.version):
        document_keys = (document_key_at(key.decode()) for key in found)
        yield [key for key in document_keys if key is not None], True
    name = _ranking_of(view)
    for shard in range(keys.shards if name is not None else 0):
        for members in store.members(keys.ranking(str(name), shard)):
            yield [key for key in members if keys.shard_of(key) == shard], False
