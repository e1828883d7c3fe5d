"""The processes of a PostgreSQL server, for tests that end them."""

from __future__ import annotations

from contextlib import suppress

import psutil

from deploy.local.servers.postgres import PostgresServer


def kill(server: PostgresServer) -> None:
    """All of it, at once; waits until the first is gone."""
    for process in (psutil.Process(server.process.pid), *helpers_of(server)):
        kill_one(process)
    server.process.wait()


def kill_one(process: psutil.Process) -> None:
    """Ends it, unless it ended meanwhile."""
    with suppress(psutil.NoSuchProcess):
        process.kill()


def helpers_of(server: PostgresServer) -> list[psutil.Process]:
    """Every process but the first."""
    return psutil.Process(server.process.pid).children()


def idle_backend(server: PostgresServer) -> psutil.Process:
    """One that serves a client who asks for nothing just now."""
    while True:
        for process in helpers_of(server):
            with suppress(psutil.NoSuchProcess):
                if "idle" in " ".join(process.cmdline()):
                    return process
