"""The embedded servers keep what they were given, whatever is done to them."""

from __future__ import annotations

import psycopg
from redis import Redis


def test_postgres_is_durable_checksummed_and_on_no_port(postgres_url: str) -> None:
    def shown(name: str) -> str:
        row = connection.execute(f"SHOW {name}").fetchone()  # type: ignore[call-overload]
        assert row is not None
        return str(row[0])

    with psycopg.connect(postgres_url) as connection:
        assert shown("fsync") == "on"
        assert shown("synchronous_commit") == "on"
        assert shown("data_checksums") == "on"
        assert shown("listen_addresses") == ""
        assert shown("server_encoding") == "UTF8"
        assert connection.execute("SELECT 'a' > 'B', lower('Ä')").fetchone() == (True, "ä")


def test_each_test_gets_an_empty_database(fresh_postgres: str) -> None:
    with psycopg.connect(fresh_postgres) as connection:
        assert connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone() == (0,)
    assert len(fresh_postgres.split("host=")[1]) < 100


def test_redis_never_evicts_and_is_emptied(fresh_redis: str) -> None:
    with Redis.from_url(fresh_redis, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("port") == {"port": "0"}
        assert client.dbsize() == 0
