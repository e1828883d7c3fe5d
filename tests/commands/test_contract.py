"""The HTTP contract: whatever fits the OpenAPI document is answered as the document says."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import unsupported_method

from commands.gateways.sandbox import SandboxGateway
from commands.handlers.registry import HANDLERS
from commands.http.app import build_command_app
from commands.loop.handling import Handling
from commands.processes.kinds import all_kinds
from commands.processes.manager import ProcessManagers
from commands.settings import Settings
from event_store.memory.log import MemoryLog
from tests.commands.shop import CODEC

TOLD = Settings(postgres_url="postgresql:///not-used")
_LOG = MemoryLog()
document = schemathesis.openapi.from_dict(
    build_command_app(TOLD, Handling(_LOG, CODEC, HANDLERS), _LOG).openapi()
)
CASES = [
    (operation, mode)
    for operation in (found.ok() for found in document.get_all_operations())
    for mode in schemathesis.GenerationMode
    # Where nothing is given, nothing can be got wrong.
    if mode.is_positive or operation.body or list(operation.iter_parameters())
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A command API on a port of this machine, with one product that random requests can meet."""
    folder: Path = tmp_path_factory.mktemp("contract")
    log = MemoryLog()
    handling = Handling(log, CODEC, HANDLERS)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        gateway = SandboxGateway(folder / "sandbox.sqlite")
        async with handling, ProcessManagers(log, CODEC, handling, all_kinds(gateway)):
            yield

    app = build_command_app(TOLD, handling, log, running=running())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    price = {"amount": 1, "currency": "GBP"}
    listed = {"sku": "0", "title": "A", "category": "A", "price": price}
    httpx.post(f"{base}/api/v1/products", json=listed).raise_for_status()
    yield base
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize(
    ("operation", "mode"), CASES, ids=[f"{operation.label} {mode.value}" for operation, mode in CASES]
)
def test_every_answer_is_as_documented(
    operation: APIOperation, mode: schemathesis.GenerationMode, address: str
) -> None:
    @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        if 16 <= len((case.headers or {}).get("Idempotency-Key", "")) <= 255:
            # A key of its own: one that two requests share is refused, and rightly.
            case.headers["Idempotency-Key"] = secrets.token_hex(16)
        case.call_and_validate(base_url=address, excluded_checks=[unsupported_method])

    check()


def test_the_document_says_which_keys_are_taken(address: str) -> None:
    parameters = document.raw_schema["paths"]["/api/v1/carts"]["post"]["parameters"]
    (told,) = (one["schema"]["pattern"] for one in parameters if one["name"] == "Idempotency-Key")
    with httpx.Client(base_url=address) as client:
        for character in map(chr, [*range(0x20, 0x7F), *range(0x80, 0x100)]):
            key = f"{secrets.token_hex(8)}{character}{secrets.token_hex(8)}"
            headers = {b"Idempotency-Key": key.encode("latin-1")}
            taken = client.post("/api/v1/carts", json={"currency": "GBP"}, headers=headers).status_code == 201
            assert taken == bool(re.fullmatch(told, key)), key
