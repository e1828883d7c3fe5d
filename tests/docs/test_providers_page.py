"""docs/providers.md: its bridge, run as it stands there, prices the page's cart as the page shows."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from datetime import date
from pathlib import Path

import httpx
import msgspec
import pytest

from commands.providers.calls import ProviderCalls
from commands.providers.choose import Providers
from commands.providers.shipping import HttpShippingProvider
from commands.providers.tax import HttpTaxProvider
from deploy.sample.filling import fill_shop
from event_store.memory.log import MemoryLog
from projections.views import cart as cart_view
from tests.docs.test_pricing_page import filled, without_times
from tests.projections.memory_views import MemoryView
from tests.shop.facts import CODEC
from tests.shop.http import open_shop
from tests.shop.log import decoded

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
PATIENT_S = 60


@pytest.fixture
def bridge_url(tmp_path: Path) -> Iterator[str]:
    """Where the page's program listens; at a free port instead of its own."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    serving = 'ThreadingHTTPServer(("127.0.0.1", 8090), Bridge).serve_forever()'
    assert serving in program
    told = program.replace(
        serving,
        'server = ThreadingHTTPServer(("127.0.0.1", 0), Bridge)\n'
        "print(server.server_address[1], flush=True)\n"
        "server.serve_forever()",
    )
    file = tmp_path / "bridge.py"
    file.write_text(told, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        assert running.stdout is not None
        yield f"http://127.0.0.1:{int(running.stdout.readline())}"
        running.kill()


def test_the_cart_of_the_page_costs_what_its_bridge_says(bridge_url: str, tmp_path: Path) -> None:
    commands = next(
        block for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) if "CART=" in block
    )
    (shown,) = (json.loads(block) for block in re.findall(r"^```text\n(.*?)^```$", PAGE, re.M | re.S))

    async def fill_cart() -> None:
        log = MemoryLog()
        await fill_shop(log, CODEC, today=date(2026, 3, 1))
        calls = [
            ProviderCalls(port, f"{bridge_url}/{port}", call_seconds=PATIENT_S)
            for port in ("tax", "shipping")
        ]
        providers = Providers(
            tax=HttpTaxProvider(calls[0]), shipping=HttpShippingProvider(calls[1]), calls=tuple(calls)
        )
        async with aclosing(providers), open_shop(log, tmp_path, providers=providers) as shop:
            for path, body in re.findall(r"POST \$C(/\S+) .*-d '(.*?)'", commands):
                defined: httpx.Response = await shop.post(path, json.loads(body))
                assert defined.status_code == 201, defined.text
            cart_id = await filled(shop, commands)
        view = MemoryView(cart_view.VIEW)
        view.apply(decoded(log))
        document = msgspec.json.decode(view.documents[cart_id])
        assert {name: without_times(document[name]) for name in shown} == shown

    asyncio.run(fill_cart())
