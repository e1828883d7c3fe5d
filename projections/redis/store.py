"""The writing half of the Redis adapter: fenced writes of a shard, the pointers, and whole versions of views.

Writes are pipelined: `begin_write` sends, `end_writes` reads the answers, and Redis works meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from event_store.records import Checkpoint
from projections.documents.keys import ViewKeys, pointer_key, position_in, record_key
from projections.engine.folding import Changes
from projections.engine.follower import TargetDamaged, TargetUnavailable
from projections.engine.versions import Stored

_KEYS_PER_CALL = 1_000


class EvictingStore(Exception):  # noqa: N818
    """The server drops keys when its memory is full: a read model with holes would be a wrong one."""


class Script:
    """A Lua script beside this file."""

    def __init__(self, name: str) -> None:
        self.text = Path(__file__).with_name(name).read_text(encoding="utf-8")
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_WRITE_SHARD = Script("write_shard.lua")
_CHANGE_RECORD = Script("change_record.lua")


class _Wire(Protocol):
    """A connection, as far as pipelining needs it; the driver leaves it untyped."""

    def send_command(self, *parts: Any) -> None:
        """Sends a command without reading its answer."""

    def read_response(self) -> Any:
        """The next answer."""

    def disconnect(self) -> None:
        """Closes it."""


class RedisStore:
    """One worker's door to Redis. Every call may raise TargetUnavailable or TargetDamaged; then `reconnect`
    before the next."""

    def __init__(self, url: str, *, timeout_seconds: float = 10.0) -> None:
        # Never retried within a call: only its checkpoint shows whether a write was done.
        self._redis = redis_at(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
        )
        self._connection: _Wire | None = None
        self._sent: list[Sequence[Any]] = []

    def reconnect(self) -> None:
        """Gives up writes under way, and checks the server's settings. Raises EvictingStore."""
        self.close()
        with wrapped():
            memory = self._redis.info("memory")
        policy = memory.get("maxmemory_policy")
        if policy != "noeviction":
            raise EvictingStore(f"Redis must be set to `maxmemory-policy noeviction`; it is {policy!r}")

    def close(self) -> None:
        """Gives back every connection."""
        self._sent.clear()
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None
        self._redis.close()

    def begin_write(
        self,
        keys: ViewKeys,
        shard: int,
        *,
        expected: Checkpoint | None,
        checkpoint: Checkpoint,
        changes: Changes,
    ) -> None:
        """Sends a shard's changes, for the checkpoint to go from `expected` (None: no checkpoint) on."""
        places = [keys.checkpoint(shard), keys.checkpoint_event(shard)]
        arguments: list[str | int | bytes] = ["", ""] if expected is None else [*_fields_of(expected)]
        arguments += (*_fields_of(checkpoint), len(changes.documents))
        for key, document in changes.documents.items():
            places.append(keys.document(key))
            arguments.append(document)
        for entry in changes.entries:
            places.append(keys.document(entry.key))
            arguments += (entry.score, entry.member)
        for name, member, score in changes.rankings:
            places.append(keys.ranking(name, shard))
            arguments += ("" if score is None else score, member)
        with wrapped():
            if self._connection is None:
                self._connection = cast("_Wire", self._redis.connection_pool.get_connection())
            rest = (len(places), *places, *arguments)
            self._connection.send_command("EVALSHA", _WRITE_SHARD.digest, *rest)
            self._sent.append(rest)

    def end_writes(self) -> list[bool]:
        """For each write begun, in order: whether it was done (or refused, by its checkpoint)."""
        sent, self._sent = self._sent, []
        if self._connection is None:
            return []
        done = []
        with wrapped():
            unknown = []
            for index in range(len(sent)):
                try:
                    done.append(self._connection.read_response() == 1)
                except NoScriptError:
                    done.append(False)
                    unknown.append(index)
            for index in unknown:
                self._connection.send_command("EVAL", _WRITE_SHARD.text, *sent[index])
                done[index] = self._connection.read_response() == 1
        return done

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """What lies at each key."""
        found: list[bytes | None] = []
        with wrapped():
            for start in range(0, len(keys), _KEYS_PER_CALL):
                found += cast("list[bytes | None]", self._redis.mget(keys[start : start + _KEYS_PER_CALL]))
        return found

    def documents(self, keys: Sequence[str]) -> list[bytes | None]:
        """The documents at these keys. TargetDamaged where something else lies; `get_all` skips it."""
        found: list[bytes | None] = []
        with wrapped():
            for start in range(0, len(keys), _KEYS_PER_CALL):
                some = keys[start : start + _KEYS_PER_CALL]
                pipeline = self._redis.pipeline(transaction=True)
                pipeline.mget(some)
                pipeline.exists(*some)
                documents, there = pipeline.execute()
                if there != sum(document is not None for document in documents):
                    strangers = [key for key, one in zip(some, documents, strict=True) if one is None]
                    raise TargetDamaged(f"no document lies at one of {', '.join(strangers[:9])}")
                found += documents
        return found

    def sorted_sets(self, keys: Sequence[str]) -> list[list[tuple[bytes, float]]]:
        """The members and scores of each sorted set; [] where there is none, or something else lies."""
        with wrapped():
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.zrange(key, 0, -1, withscores=True)
            found = pipeline.execute(raise_on_error=False)
        return [[] if isinstance(one, ResponseError) else [tuple(entry) for entry in one] for one in found]

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
        cursor = 0
        while True:
            with wrapped():
                cursor, found = cast(
                    "tuple[int, list[bytes]]", self._redis.scan(cursor, match=pattern, count=_KEYS_PER_CALL)
                )
            if found:
                yield found
            if cursor == 0:
                return


def redis_at(url: str, **options: Any) -> Redis:
    """A client of the server at this address. TargetUnavailable where it is none."""
    try:
        client: Redis = Redis.from_url(url, **options)
    except ValueError as error:
        raise TargetUnavailable(f"DAYBOOK_REDIS_URL: {error}") from error
    return client


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
    except (RedisError, OSError) as error:
        raise TargetUnavailable(f"Redis: {error}") from error
