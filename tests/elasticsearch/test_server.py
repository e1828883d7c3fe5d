"""The server that `daybook up --search elasticsearch` starts."""

from __future__ import annotations

import psutil
import pytest
from elasticsearch import ApiError, Elasticsearch

from deploy.local.errors import CannotRun
from deploy.local.servers import elasticsearch_programs as programs
from deploy.local.servers import java
from deploy.local.servers.elasticsearch import ElasticsearchServer


def test_it_is_a_stock_server_behind_a_password_and_keeps_what_it_has_over_a_kill(
    own_elasticsearch: ElasticsearchServer,
) -> None:
    server = own_elasticsearch
    server.start()
    with Elasticsearch(server.url) as client:
        assert client.cluster.health()["number_of_nodes"] == 1
        client.indices.create(index="kept")
        client.index(index="kept", id="1", document={"word": "kettle"}, version=5, version_type="external")
        with pytest.raises(ApiError, match="no such index"):
            client.index(index="never-made", document={})
    nobody = server.url.replace(server.url.split("@")[0].removeprefix("http://"), "daybook:guessed")
    with Elasticsearch(nobody) as client, pytest.raises(ApiError, match="unable to authenticate"):
        client.cluster.health()
    started = psutil.Process(server.process.pid)
    whole = [started, *started.children(recursive=True)]
    started.kill()  # The launcher alone: the server itself lives on, and is ended before the next is started.
    server.process.wait()
    server.start()
    with Elasticsearch(server.url) as client:
        assert client.get(index="kept", id="1")["_version"] == 5
    assert not any(process.is_running() for process in whole)
    server.stop()
    assert [file.name for file in (server.folder / "logs").iterdir()] == []


def test_without_java_or_maven_a_person_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(CannotRun, match="needs Java 17 or later, and there is none: install it"):
        programs.find_elasticsearch(print)
    monkeypatch.undo()
    monkeypatch.setattr(java, "JAVA_MIN", 999)
    with pytest.raises(CannotRun, match="needs Java 999 or later"):
        programs.find_elasticsearch(print)
