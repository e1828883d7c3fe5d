"""The embedded servers keep what they were given, whatever is done to them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest
from redis import Redis

from deploy.local.errors import FolderUnusable, ServerFailed
from deploy.local.servers.account import Account
from deploy.local.servers.postgres import PostgresServer
from deploy.local.servers.redis import RedisServer
from tests.conftest import ServerPlace
from tests.servers import idle_backend, kill


@pytest.fixture
def place(server_place: ServerPlace) -> Iterator[ServerPlace]:
    """A folder of its own for servers that are hurt."""
    folder = server_place.folder / uuid4().hex[:8]
    folder.mkdir()
    folder.chmod(0o711)
    sockets = folder / "s"
    sockets.mkdir()
    if not server_place.account.is_us:
        shutil.chown(sockets, server_place.account.uid)
    yield ServerPlace(folder, sockets, server_place.account, server_place.binaries)
    shutil.rmtree(folder)


def postgres_in(place: ServerPlace) -> PostgresServer:
    return PostgresServer(
        programs=place.binaries.postgres,
        folder=place.folder / "postgres",
        sockets=place.sockets,
        account=place.account,
        log=place.folder / "postgres.log",
    )


def redis_in(place: ServerPlace) -> RedisServer:
    return RedisServer(
        program=place.binaries.redis_server,
        folder=place.folder / "redis",
        sockets=place.sockets,
        account=place.account,
        log=place.folder / "redis.log",
    )


def shown(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_postgres_is_durable_checksummed_and_on_no_port(place: ServerPlace) -> None:
    server = postgres_in(place)
    server.start()
    try:
        with psycopg.connect(server.url()) as connection:
            assert shown(connection, "fsync") == "on"
            assert shown(connection, "synchronous_commit") == "on"
            assert shown(connection, "data_checksums") == "on"
            assert shown(connection, "listen_addresses") == ""
            assert shown(connection, "server_encoding") == "UTF8"
            # Sorted by code point, upper and lower case by Unicode: the same on every machine.
            assert connection.execute("SELECT 'a' > 'B', lower('Ä')").fetchone() == (True, "ä")
    finally:
        server.stop()


def test_each_test_gets_an_empty_database(fresh_postgres: str) -> None:
    with psycopg.connect(fresh_postgres) as connection:
        assert connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone() == (0,)


def test_redis_never_evicts_and_is_emptied(fresh_redis: str) -> None:
    with Redis.from_url(fresh_redis, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("port") == {"port": "0"}
        assert client.dbsize() == 0


def test_what_postgres_committed_survives_a_kill_of_all_its_processes(place: ServerPlace) -> None:
    server = postgres_in(place)
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n integer)")
        connection.execute("INSERT INTO kept VALUES (7)")
    kill(server)
    assert (server.folder / "postmaster.pid").exists()

    again = postgres_in(place)
    again.start()
    try:
        with psycopg.connect(again.url()) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    finally:
        again.stop()


def test_a_worker_that_was_stopped_when_its_server_was_killed_keeps_no_other_from_starting(
    place: ServerPlace,
) -> None:
    left = postgres_in(place)
    left.start()
    with psycopg.connect(left.url()):
        worker = idle_backend(left)
        worker.suspend()
        left.process.kill()
        left.process.wait()
        new = postgres_in(place)
        new.start()
    try:
        psycopg.connect(new.url()).close()
    finally:
        new.stop()


def test_a_server_left_running_is_ended_before_a_new_one_starts(place: ServerPlace) -> None:
    left = postgres_in(place)
    left.start()
    new = postgres_in(place)
    new.start()
    try:
        assert left.process.poll() is not None
        psycopg.connect(new.url()).close()
    finally:
        new.stop()


def test_files_that_name_a_stranger_as_the_server_hurt_neither(place: ServerPlace) -> None:
    server = postgres_in(place)
    server.start()
    server.stop()
    user = None if place.account.is_us else place.account.uid  # PostgreSQL looks at its own user's alone.
    with subprocess.Popen(["sleep", "60"], user=user) as stranger:
        try:
            for file in (server.folder / "postmaster.pid", Path(f"{server.socket}.lock")):
                file.write_text(f"{stranger.pid}\n{server.folder}\n")
            server.start()
            server.stop()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_cluster_without_its_version_is_left_as_it_is(place: ServerPlace) -> None:
    server = postgres_in(place)
    server.start()
    server.stop()
    version = server.folder / "PG_VERSION"
    version.write_text("garbage")
    with pytest.raises(FolderUnusable, match="PG_VERSION says 'garbage'"):
        server.start()
    assert version.read_text() == "garbage"
    version.unlink()
    with pytest.raises(FolderUnusable, match="PG_VERSION"):
        server.start()
    assert not version.exists()


def test_an_interrupted_setting_up_leaves_nothing_that_looks_like_a_cluster(place: ServerPlace) -> None:
    server = postgres_in(place)
    broken = PostgresServer(
        programs=place.folder,
        folder=server.folder,
        sockets=place.sockets,
        account=place.account,
        log=place.folder / "broken.log",
    )
    (place.folder / "initdb").write_text('#!/bin/sh\ntouch "$2/PG_VERSION"\necho no space left >&2\nexit 1\n')
    (place.folder / "initdb").chmod(0o755)
    with pytest.raises(ServerFailed, match="no space left"):
        broken.start()
    assert not server.folder.exists()
    assert not list(place.folder.glob("postgres-making-*"))


def test_redis_keeps_what_it_was_given_through_a_kill(place: ServerPlace) -> None:
    server = redis_in(place)
    server.start()
    with Redis.from_url(server.url) as client:
        for number in range(100):
            client.set(f"key-{number}", number)
    server.process.kill()
    server.process.wait()
    again = redis_in(place)
    again.start()
    try:
        with Redis.from_url(again.url) as client:
            assert client.dbsize() == 100
    finally:
        again.stop()


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b"the cat sat on the keyboard\r\n" * 10),
        lambda file: file.write_bytes(b"*1\r\n$4\r\nMEOW\r\n"),
        lambda file: file.write_bytes(b"REDIS0009" + bytes(1_000)),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: os.chown(file, 0, 0) if os.geteuid() == 0 else file.chmod(0),
    ],
    ids=["garbage", "unknown command", "zeroes", "a folder", "closed"],
)
def test_what_redis_cannot_load_is_put_aside_and_it_begins_empty(
    place: ServerPlace, damage: Callable[[Path], object]
) -> None:
    server = redis_in(place)
    server.start()
    with Redis.from_url(server.url) as client:
        client.set("key", "value")
    server.stop()
    damage(server.folder / "appendonly.aof")
    reported: list[str] = []
    server.report = reported.append
    server.start()
    try:
        with Redis.from_url(server.url) as client:
            assert client.dbsize() == 0
        (line,) = reported
        assert str(place.folder / "redis.damaged") in line
        assert (place.folder / "redis.damaged" / "appendonly.aof").exists()
    finally:
        server.stop()


def test_what_redis_can_load_in_part_is_used(place: ServerPlace) -> None:
    server = redis_in(place)
    server.start()
    with Redis.from_url(server.url) as client:
        for number in range(10):
            client.set(f"key-{number}", number)
    server.stop()
    os.truncate(server.folder / "appendonly.aof", (server.folder / "appendonly.aof").stat().st_size - 5)
    server.start()
    try:
        with Redis.from_url(server.url) as client:
            assert client.dbsize() == 9
    finally:
        server.stop()


def test_a_redis_left_running_is_ended_before_a_new_one_starts(place: ServerPlace) -> None:
    left = redis_in(place)
    left.start()
    new = redis_in(place)
    new.start()
    try:
        assert left.process.poll() is not None
    finally:
        new.stop()


def test_servers_open_no_port(postgres_server: PostgresServer, redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        redis_pid = int(client.info("server")["process_id"])
    for pid in (postgres_server.process.pid, redis_pid):
        sockets = psutil.Process(pid).net_connections(kind="inet")
        assert [one for one in sockets if one.status == psutil.CONN_LISTEN] == []


def test_reach_goes_by_the_bits_that_count_for_the_user(tmp_path: Path) -> None:
    closed = tmp_path / "home" / "project"
    closed.mkdir(parents=True)
    for folder in (tmp_path, closed):
        folder.chmod(0o755)
    closed.parent.chmod(0o700)
    owner = closed.parent.stat()
    assert not Account(uid=owner.st_uid + 4242, gid=owner.st_gid + 4242).may_enter(closed)
    closed.parent.chmod(0o710)
    stranger = Account(uid=owner.st_uid + 4242, gid=owner.st_gid + 4242)
    assert not stranger.may_enter(closed)
    assert closed.parent.stat().st_mode & 0o777 == 0o710
