"""The writing half of the Redis adapter: fenced writes of a shard, the pointers, and whole versions of views.

Writes are pipelined: `begin_write` and `flush_writes` send, `end_writes` reads the answers, and Redis works
meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from event_store.records import Checkpoint
from projections.documents.keys import ViewKeys, pointer_key, position_in, record_key
from projections.engine.folding import Changes
from projections.engine.follower import TargetDamaged, TargetUnavailable
from projections.engine.versions import Stored
from projections.redis.connections import AnyRedis, Script, Scripts, connect, scripts_over

_KEYS_PER_CALL = 1_000


class EvictingStore(Exception):  # noqa: N818
    """The server drops keys when its memory is full: a read model with holes would be a wrong one."""


_WRITE_SHARD = Script("write_shard.lua")
_CHANGE_RECORD = Script("change_record.lua")
_DIGEST_DOCUMENTS = Script("digest_documents.lua")


class Digest(NamedTuple):
    """Of a document; empty where there is none, or no score in the ranking."""

    content: bytes
    score: bytes


class Digests(NamedTuple):
    """Of documents of one shard, at one moment."""

    checkpoint: tuple[bytes, bytes]
    documents: list[Digest]


class RedisStore:
    """One worker's door to Redis. Every call may raise TargetUnavailable or TargetDamaged; then `reconnect`
    before the next."""

    def __init__(self, url: str, *, timeout_seconds: float = 10.0) -> None:
        self._url = url
        self._options: dict[str, Any] = {
            "socket_timeout": timeout_seconds,
            "socket_connect_timeout": timeout_seconds,
        }
        self._client: AnyRedis | None = None
        self._writes: Scripts | None = None

    @property
    def _redis(self) -> AnyRedis:
        if self._client is None:
            self._client = connect(self._url, **self._options)
        return self._client

    def reconnect(self) -> None:
        """Gives up writes under way, and checks the servers' settings. Raises EvictingStore."""
        self.close()
        with wrapped():
            policies = self._policies()
        for policy in policies:
            if policy != "noeviction":
                raise EvictingStore(f"Redis must be set to `maxmemory-policy noeviction`; it is {policy!r}")

    def close(self) -> None:
        """Gives back every connection."""
        if self._writes is not None:
            self._writes.close()
            self._writes = None
        if self._client is not None:
            self._client.close()
            self._client = None

    def begin_write(
        self,
        keys: ViewKeys,
        shard: int,
        *,
        expected: Checkpoint | None,
        checkpoint: Checkpoint,
        changes: Changes,
    ) -> None:
        """Begins to write a shard's changes; its checkpoint goes on from `expected` (None: there is none)."""
        places = [keys.checkpoint(shard), keys.checkpoint_event(shard)]
        arguments: list[str | int | bytes] = ["", ""] if expected is None else [*_fields_of(expected)]
        floor = changes.floor
        arguments += (*_fields_of(checkpoint), len(changes.documents), "" if floor is None else floor.score)
        for key, document in changes.documents.items():
            places.append(keys.document(key))
            arguments.append(document)
        for entry in changes.entries:
            places.append(keys.document(entry.key))
            arguments += (entry.score, entry.member)
        for name, member, score in changes.rankings:
            places.append(keys.ranking(name, shard))
            arguments += ("" if score is None else score, member)
        if floor is not None:
            places.append(keys.ranking(floor.ranking, shard))
        with wrapped():
            if self._writes is None:
                self._writes = scripts_over(self._redis, _WRITE_SHARD)
            self._writes.send((len(places), *places, *arguments))

    def flush_writes(self) -> None:
        """Sends what `begin_write` still holds, so that Redis works while the caller goes on."""
        if self._writes is not None:
            with wrapped():
                self._writes.flush()

    def end_writes(self) -> list[bool]:
        """For each write begun, in order: whether it was done (or refused, by its checkpoint)."""
        if self._writes is None:
            return []
        with wrapped():
            return [result == 1 for result in self._writes.results()]

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """What lies at each key."""
        found: list[bytes | None] = []
        with wrapped():
            for start in range(0, len(keys), _KEYS_PER_CALL):
                found += self._mget(keys[start : start + _KEYS_PER_CALL])
        return found

    def _policies(self) -> list[object]:
        """What each server does when its memory is full."""
        redis = self._redis
        if not isinstance(redis, RedisCluster):
            return [redis.info("memory").get("maxmemory_policy")]
        answers = redis.info("memory", target_nodes=RedisCluster.PRIMARIES)
        return [answer.get("maxmemory_policy") for answer in answers.values()]

    def _mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """A Cluster is asked slot by slot: what is to be of one moment has one hash tag."""
        redis = self._redis
        found = redis.mget_nonatomic(keys) if isinstance(redis, RedisCluster) else redis.mget(keys)
        return cast("list[bytes | None]", found)

    def documents(self, keys: Sequence[str]) -> list[bytes | None]:
        """The documents at these keys. TargetDamaged where something else lies; `get_all` skips it."""
        found: list[bytes | None] = []
        with wrapped():
            for start in range(0, len(keys), _KEYS_PER_CALL):
                found += self._documents(keys[start : start + _KEYS_PER_CALL])
        return found

    def _documents(self, keys: Sequence[str]) -> list[bytes | None]:
        redis = self._redis
        pipeline = redis.pipeline(transaction=not isinstance(redis, RedisCluster))
        if isinstance(redis, RedisCluster):  # Its pipelines take no command of several keys.
            for key in keys:
                pipeline.get(key)
            return cast("list[bytes | None]", pipeline.execute())
        pipeline.mget(keys)
        pipeline.exists(*keys)
        documents, there = pipeline.execute()
        if there != sum(document is not None for document in documents):
            strangers = [key for key, one in zip(keys, documents, strict=True) if one is None]
            raise TargetDamaged(f"no document lies at one of {', '.join(strangers[:9])}")
        return cast("list[bytes | None]", documents)

    def sorted_sets(self, keys: Sequence[str]) -> list[list[tuple[bytes, float]]]:
        """The members and scores of each sorted set; [] where there is none, or something else lies."""
        with wrapped():
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.zrange(key, 0, -1, withscores=True)
            found = pipeline.execute(raise_on_error=False)
        return [[] if isinstance(one, ResponseError) else [tuple(entry) for entry in one] for one in found]

    def digests(
        self, keys: ViewKeys, shard: int, document_keys: Sequence[str], *, ranking: str | None
    ) -> Digests:
        """Of documents of one shard, and its checkpoint at that moment; see digest_documents.lua."""
        places = [keys.checkpoint(shard), keys.checkpoint_event(shard), *map(keys.document, document_keys)]
        if ranking is not None:
            places.append(keys.ranking(ranking, shard))
        with wrapped():
            found: object = self._redis.eval(_DIGEST_DOCUMENTS.text, len(places), *places, *document_keys)
        checkpoint, event, *digests = cast("list[bytes]", found)
        return Digests((checkpoint, event), list(map(Digest, digests[::2], digests[1::2])))

    def members(self, key: str) -> Iterator[list[str]]:
        """The members of a sorted set, in lists; some may come twice. None where something else lies."""
        found: list[str] = []
        with wrapped():
            if self._redis.type(key) != b"zset":
                return
            for member, _ in self._redis.zscan_iter(key, count=_KEYS_PER_CALL):
                found.append(member.decode(errors="replace"))
                if len(found) == _KEYS_PER_CALL:
                    yield found
                    found = []
        if found:
            yield found

    def delete(self, keys: Collection[str | bytes]) -> None:
        """Deletes keys."""
        with wrapped():
            if keys:
                self._redis.unlink(*keys)

    def checkpoints(self, keys: ViewKeys) -> list[Checkpoint | None]:
        """Each shard's checkpoint; None where there is none."""
        return checkpoints_in(self.get_all(checkpoint_keys(keys)))

    def change_record(self, view: str, expected: Stored, new: Stored) -> bool:
        """See `VersionStore.change`."""
        with wrapped():
            done: object = self._redis.eval(
                _CHANGE_RECORD.text,
                2,
                record_key(view),
                pointer_key(view),
                *(value or b"" for value in (*expected, *new)),
            )
        return done == 1

    def keys_of(self, view: str, version: int | None = None) -> Iterator[list[bytes]]:
        """Every key of a version of a view (None: of all versions), in lists; some may come twice."""
        pattern = f"{{{view}.v{'*' if version is None else version}.*}}:*"
        found: list[bytes] = []
        with wrapped():
            for key in self._redis.scan_iter(match=pattern, count=_KEYS_PER_CALL):
                found.append(key)
                if len(found) == _KEYS_PER_CALL:
                    yield found
                    found = []
        if found:
            yield found


def checkpoint_keys(keys: ViewKeys) -> list[str]:
    """Where every shard's checkpoint lies: all positions, then all events."""
    shards = range(keys.shards)
    return [*map(keys.checkpoint, shards), *map(keys.checkpoint_event, shards)]


def checkpoints_in(found: Sequence[bytes | None]) -> list[Checkpoint | None]:
    """What lay there, where it is a position; an event that is not noted is not known."""
    shards = len(found) // 2
    return [
        None if position is None else Checkpoint(position, (event or b"").decode(errors="replace"))
        for position, event in zip(map(position_in, found[:shards]), found[shards:], strict=True)
    ]


def _fields_of(checkpoint: Checkpoint) -> tuple[int, str]:
    return checkpoint.position, checkpoint.event


@contextmanager
def wrapped() -> Iterator[None]:
    """The driver's errors as ours."""
    try:
        yield
    except ResponseError as error:
        if "WRONGTYPE" in str(error):
            raise TargetDamaged(f"Redis: {error}") from error
        raise TargetUnavailable(f"Redis: {error}") from error
    except (RedisError, RedisClusterException, OSError) as error:
        raise TargetUnavailable(f"Redis: {error}") from error
