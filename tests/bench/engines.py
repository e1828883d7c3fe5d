"""The two engines of the search index, each on a server and in a folder of its own, for measuring."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.servers.account import Account, server_account
from deploy.local.servers.binaries import find_binaries
from deploy.local.servers.elasticsearch import ElasticsearchServer
from deploy.local.servers.elasticsearch_programs import find_elasticsearch
from deploy.local.servers.redis import RedisServer

ENGINES = os.environ.get("BENCH_ENGINES", "tantivy elasticsearch").split()
"""Those that are measured; elasticsearch needs Java and Maven."""


@dataclass(frozen=True)
class Place:
    """Where an engine's index may lie."""

    folder: Path
    elasticsearch_url: str | None


@contextmanager
def engine_place(engine: str) -> Iterator[Place]:
    """A folder, and for `elasticsearch` its server, gone afterwards."""
    with _servers_folder() as (folder, account):
        if engine == "tantivy":
            yield Place(folder, None)
            return
        server = ElasticsearchServer(
            programs=find_elasticsearch(print),
            folder=folder / "elasticsearch",
            account=account,
            log=folder / "elasticsearch.log",
        )
        server.start()
        try:
            yield Place(folder, server.url)
        finally:
            server.stop()


@contextmanager
def own_redis() -> Iterator[str]:
    """The URL of a Redis, started empty, gone afterwards."""
    with _servers_folder() as (folder, account):
        sockets = folder / "s"
        sockets.mkdir()
        sockets.chmod(0o777)
        server = RedisServer(
            program=find_binaries(account).redis_server,
            folder=folder / "redis",
            sockets=sockets,
            account=account,
            log=folder / "redis.log",
        )
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


@contextmanager
def _servers_folder() -> Iterator[tuple[Path, Account]]:
    folder = Path(tempfile.mkdtemp(prefix="daybook-bench-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder, server_account()
    finally:
        shutil.rmtree(folder)
