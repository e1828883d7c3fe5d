"""Connections to Redis: to one server, or to the masters of a Cluster; and how scripts are sent over them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import NoScriptError
from redis.retry import Retry

from projections.engine.follower import TargetUnavailable

AnyRedis = Redis | RedisCluster

_PACKED_BYTES_MAX = 65_536

_FAILOVER_TRIES = 3
"""Of a command whose master does not answer, with the cluster's masters looked up anew in between. What is
not over by then is TargetUnavailable, and tried again by the projector."""


class Script:
    """A Lua script beside this file."""

    def __init__(self, name: str) -> None:
        self.text = Path(__file__).with_name(name).read_text(encoding="utf-8")
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Scripts(Protocol):
    """Runs one script many times: `send` for each, then `results` of all."""

    def send(self, arguments: Sequence[Any]) -> None:
        """Begins one run: the number of keys, the keys, the other arguments. It may wait for `flush`."""

    def flush(self) -> None:
        """Has every run begun that can be, while the caller goes on."""

    def results(self) -> list[Any]:
        """What each run gave, in the order in which they were sent."""

    def close(self) -> None:
        """Gives up what was sent."""


_TIMEOUT_SECONDS = 5.0  # of a LateClient


def connect(url: str, *, retries: int = 0, **options: Any) -> AnyRedis:
    """A client of the server at this address, or of the Cluster that it belongs to.

    `retries` of each command on one server: 0 where only what it changed shows whether it was done.
    Raises the driver's errors; TargetUnavailable where the address is none.
    """
    try:
        client = Redis.from_url(url, retry=Retry(NoBackoff(), retries), **options)
    except ValueError as error:
        raise TargetUnavailable(f"DAYBOOK_REDIS_URL: {error}") from error
    try:
        is_cluster = client.info("cluster").get("cluster_enabled") == 1
    except BaseException:
        client.close()
        raise
    if not is_cluster:
        return client
    client.close()
    again = Retry(ExponentialBackoff(cap=1.0, base=0.1), _FAILOVER_TRIES)
    return RedisCluster.from_url(url, retry=again, **options)


def scripts_over(client: AnyRedis, script: Script) -> Scripts:
    """How the script is run over this client."""
    return _ClusterScripts(client, script) if isinstance(client, RedisCluster) else _Pipelined(client, script)


class _Wire(Protocol):
    """A connection, as far as pipelining needs it; the driver leaves it untyped."""

    def send_command(self, *parts: Any) -> None:
        """Sends a command without reading its answer."""

    def pack_command(self, *parts: Any) -> list[bytes]:
        """A command as it is sent."""

    def send_packed_command(self, packed: list[bytes]) -> None:
        """Sends what was packed."""

    def read_response(self) -> Any:
        """The next answer."""

    def disconnect(self) -> None:
        """Closes it."""


class _Pipelined:
    """On one connection of one server, which works while more is sent."""

    def __init__(self, client: Redis, script: Script) -> None:
        self._script = script
        self._wire = cast("_Wire", client.connection_pool.get_connection())
        self._sent: list[Sequence[Any]] = []
        self._packed: list[bytes] = []  # Sent together: each sending costs more than most of the runs.
        self._packed_bytes = 0

    def send(self, arguments: Sequence[Any]) -> None:
        for part in self._wire.pack_command("EVALSHA", self._script.digest, *arguments):
            self._packed.append(part)
            self._packed_bytes += len(part)
        self._sent.append(arguments)
        if self._packed_bytes > _PACKED_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        packed, self._packed, self._packed_bytes = self._packed, [], 0
        if packed:
            self._wire.send_packed_command([b"".join(packed)])

    def results(self) -> list[Any]:
        self.flush()
        sent, self._sent = self._sent, []
        given: list[Any] = []
        unknown = []
        for index in range(len(sent)):
            try:
                given.append(self._wire.read_response())
            except NoScriptError:
                given.append(None)
                unknown.append(index)
        for index in unknown:
            self._wire.send_command("EVAL", self._script.text, *sent[index])
            given[index] = self._wire.read_response()
        return given

    def close(self) -> None:
        self._wire.disconnect()


class _ClusterScripts:
    """One after the other, each on the master that its keys lie on by now."""

    def __init__(self, client: RedisCluster, script: Script) -> None:
        self._client = client
        self._script = script
        self._sent: list[Sequence[Any]] = []

    def send(self, arguments: Sequence[Any]) -> None:
        self._sent.append(arguments)

    def flush(self) -> None:
        """Nothing is sent ahead."""

    def results(self) -> list[Any]:
        sent, self._sent = self._sent, []
        return [self._run(arguments) for arguments in sent]

    def close(self) -> None:
        self._sent.clear()

    def _run(self, arguments: Sequence[Any]) -> Any:
        try:
            return self._client.evalsha(self._script.digest, *arguments)
        except NoScriptError:
            return self._client.eval(self._script.text, *arguments)


class LateClient:
    """A client that is made when it is first used, and again after `close`. From one thread at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: AnyRedis | None = None

    @property
    def _redis(self) -> AnyRedis:
        if self._client is None:
            self._client = connect(self._url, retries=1, socket_timeout=_TIMEOUT_SECONDS)
        return self._client

    def close(self) -> None:
        """Gives back the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None
