"""HTTP servers side by side: what each answers when it has nothing to do, and the product page on each.

By second of the server's own processor time, so that what else runs on the machine counts for little.

Those that are not installed are left out (`pip install granian hypercorn`). Figures: docs/decisions/0011.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from starlette.responses import Response

from tests.bench.bare import BODY, free_port, wait_listening
from tests.bench.load import put_load
from tests.system.running import RunningSystem

SERVERS = ("edge", "uvicorn httptools", "uvicorn h11", "uvicorn zttp", "granian", "hypercorn")
ROUNDS = 3
SECONDS = 3.0


def bare() -> Any:
    """The application that has nothing to do."""
    return Response(BODY)


def page() -> Any:
    """The query process's, as it is served."""
    from deploy.edge.middleware import behind_the_edge
    from deploy.edge.settings import EdgeSettings
    from deploy.local.query_process import build_query_process_app
    from event_store.postgres.log import PostgresLog
    from read_api.settings import QuerySettings

    log = PostgresLog(os.environ["DAYBOOK_POSTGRES_URL"], "daybook", read_only=True)
    return behind_the_edge(build_query_process_app(QuerySettings(), log), EdgeSettings(), methods=["GET"])


def serve(server: str, port: int, which: str) -> None:
    """Runs one server with one of the two applications."""
    name, _, parser = server.partition(" ")
    if name == "granian":
        import granian
        from granian.constants import Interfaces, Loops

        factory = f"tests.bench.servers:{which}"
        options: dict[str, Any] = {"interface": Interfaces.ASGI, "loop": Loops.uvloop, "websockets": False}
        granian.Granian(factory, port=port, factory=True, log_level="error", **options).serve()
        return
    app = {"bare": bare, "page": page}[which]()
    if name == "hypercorn":
        import uvloop
        from hypercorn.asyncio import serve as serve_hypercorn
        from hypercorn.config import Config

        config = Config()
        config.bind, config.errorlog = [f"127.0.0.1:{port}"], None
        uvloop.run(serve_hypercorn(app, config))
        return
    import uvicorn

    from deploy.edge.protocol import EdgeProtocol
    from deploy.edge.serving import Server

    http: Any = parser or EdgeProtocol
    quiet: dict[str, Any] = {
        "log_config": None,
        "log_level": "error",
        "access_log": False,
        "server_header": False,
    }
    options = {"loop": "uvloop", "ws": "none", "interface": "asgi3", "proxy_headers": False}
    config_of = uvicorn.Config(app, port=port, http=http, **quiet, **options)
    (uvicorn.Server if parser else Server)(config_of).run()


@contextmanager
def running(server: str, which: str, environment: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """Its port and its process."""
    port = free_port()
    words = [sys.executable, "-m", "tests.bench.servers", server, str(port), which]
    process = subprocess.Popen(words, env=dict(os.environ) | environment)
    try:
        wait_listening(port)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def installed(server: str) -> bool:
    return server == "edge" or importlib.util.find_spec(server.rpartition(" ")[2]) is not None


def main() -> None:
    """Prints the table: answers per processor second, the best of some rounds."""
    with tempfile.TemporaryDirectory(prefix="daybook-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        system = RunningSystem(Path(folder) / "data", "--demo", "sample")
        try:
            system.wait_ready()
            found = system.addresses
            skus = [
                one["sku"] for one in httpx.get(f"{found['read']}/api/v1/products?limit=200").json()["items"]
            ]
            size = len(httpx.get(f"{found['read']}/api/v1/products/{skus[0]}").content)
            environment = {
                "DAYBOOK_POSTGRES_URL": found["postgres"],
                "DAYBOOK_REDIS_URL": found["redis"],
                "DAYBOOK_DATA_DIR": str(system.data),
                "BARE_BYTES": str(size),
            }
            best: dict[tuple[str, str], float] = {}
            for _ in range(ROUNDS):
                for server in filter(installed, SERVERS):
                    for which in ("bare", "page"):
                        with running(server, which, environment) as (port, process):
                            rate = _rate(port, process, which, skus)
                        best[server, which] = max(best.get((server, which), 0.0), rate)
            for server in filter(installed, SERVERS):
                raw, pages = best[server, "bare"], best[server, "page"]
                print(f"{server:<20} bare {raw:>8,.0f}/s   page {pages:>8,.0f}/s   ratio {pages / raw:.2f}")
        finally:
            system.end()


def _rate(port: int, process: psutil.Process, which: str, skus: list[str]) -> float:
    paths = [f"api/v1/products/{sku}" for sku in skus] if which == "page" else [""]
    urls = [f"http://127.0.0.1:{port}/{path}" for path in paths]
    put_load(urls, seconds=1.0)
    before = _processor_seconds(process)
    responses = put_load(urls, seconds=SECONDS)
    assert set(responses.statuses) == {"200"}
    return responses.number / (_processor_seconds(process) - before)


def _processor_seconds(process: psutil.Process) -> float:
    everyone = [process, *process.children(recursive=True)]
    return sum(one.cpu_times().user + one.cpu_times().system for one in everyone)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
