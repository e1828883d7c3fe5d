"""Elasticsearch is away: what was shown is shown again, the rest refused at once, and all recovers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from elasticsearch import Elasticsearch

from event_store.memory.log import MemoryLog
from projections.elasticsearch.build import ElasticsearchBuild
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.read_api.test_stores_gone import is_fresh, is_stale
from tests.shop.views import ViewShop
from tests.waiting import SECONDS_MAX, wait_until

SEARCH = "/api/v1/search?q=mug"


class Relay:
    """Passes connections on to a server, as long as there is a way to it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._server = (parts.hostname, parts.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{port}")
        self._open: list[socket.socket] = []
        self._is_cut = False
        self._accepting = threading.Thread(target=self._accept)
        self._passing: list[threading.Thread] = []
        self._accepting.start()

    def cut(self) -> None:
        """From now on nothing passes."""
        self._is_cut = True
        for one in self._open:
            _end(one)

    def mend(self) -> None:
        """New connections pass again."""
        self._is_cut = False

    def close(self) -> None:
        """Ends it."""
        _end(self._listening)
        self._accepting.join()
        self.cut()
        for passing in self._passing:
            passing.join()
        for one in (self._listening, *self._open):
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self._is_cut:
                    client.close()
                    continue
                server = socket.create_connection(self._server)
                self._open += [client, server]
                for pair in ((client, server), (server, client)):
                    self._passing.append(threading.Thread(target=_pass_on, args=pair))
                    self._passing[-1].start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while sent := source.recv(65_536):
            target.sendall(sent)
    _end(target)
    _end(source)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay_to(url: str) -> Iterator[Relay]:
    relay = Relay(url)
    try:
        yield relay
    finally:
        relay.close()


def test_a_search_server_that_cannot_be_reached_for_a_while(
    elasticsearch_url: str, client: Elasticsearch, fresh_redis: str, tmp_path: Path
) -> None:
    shop = ViewShop(ElasticsearchBuild(client, MemoryLog()))
    shop.lists("MUG", "CUP")
    with relay_to(elasticsearch_url) as relay:
        settings = QuerySettings(redis_url=fresh_redis, data_dir=tmp_path, elasticsearch_url=relay.url)
        with (
            running(build_query_app(settings, ready_position=lambda: 0)) as address,
            httpx.Client(base_url=address, timeout=SECONDS_MAX) as api,
        ):
            wait_until(is_fresh(api, SEARCH))
            before = api.get(SEARCH)
            relay.cut()
            wait_until(is_stale(api, SEARCH, before))
            refused = [api.get(f"/api/v1/search?q=other{n}") for n in range(50)]
            assert {one.status_code for one in refused} == {503}
            assert {one.json()["type"] for one in refused} == {"/problems/store-unavailable"}
            relay.mend()
            wait_until(is_fresh(api, SEARCH))
            wait_until(is_fresh(api, "/api/v1/search?q=other1"))
