"""The HTTP contract: whatever fits the OpenAPI document is answered as the document says."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import unsupported_method

from commands.handlers import HANDLERS
from commands.handling import Handling
from commands.http.app import build_command_app
from commands.processes.manager import ProcessManagers
from commands.sandbox_gateway import SandboxGateway
from commands.settings import Settings
from event_store.memory_log import MemoryLog
from tests.commands.shop import CODEC


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A command API on a port of this machine."""
    folder: Path = tmp_path_factory.mktemp("contract")
    log = MemoryLog()
    handling = Handling(log, CODEC, HANDLERS)
    told = Settings(postgres_url="postgresql:///not-used", data_dir=folder)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        gateway = SandboxGateway(folder / "sandbox.sqlite")
        async with handling, ProcessManagers(log, CODEC, handling, gateway):
            yield

    app = build_command_app(told, handling, log, running=running())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def document(address: str) -> schemathesis.BaseSchema:
    """The API as it describes itself, with one product that random requests can meet."""
    httpx.post(
        f"{address}/api/v1/products",
        json={
            "sku": "A",
            "title": "A",
            "category": "A",
            "price": {"amount": 1, "currency": "GBP"},
        },
    ).raise_for_status()
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_documented(case: schemathesis.Case) -> None:
    case.call_and_validate(excluded_checks=[unsupported_method])
