"""One caller alone beside a plain INSERT: twenty calls of each in turn, on one server."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import psycopg

from tests.bench import ours, peers
from tests.bench.server import cpu_seconds, own_postgres, writing_backend

TURNS = int(os.environ.get("BENCH_TURNS", "150"))
CALLS = 20
PLAIN, OURS = "plain INSERT, psycopg", "Daybook"


@dataclass
class Caller:
    """One of the kinds, with the process of the server that works for it."""

    call: Callable[[], None]
    pid: int
    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def take_turn(self) -> None:
        used = cpu_seconds(self.pid)
        for _ in range(CALLS):
            begun = time.perf_counter()
            self.call()
            self.seconds.append(time.perf_counter() - begun)
        self.cpu += cpu_seconds(self.pid) - used


def main() -> None:
    """Prints what a call takes, what the server takes of it, and the ratio."""
    with own_postgres() as server, ExitStack() as opened:
        peers.make_plain_table(server.url)
        connection = opened.enter_context(psycopg.connect(server.url, autocommit=True))
        callers = {PLAIN: Caller(peers.inserting(connection), connection.info.backend_pid)}
        log = opened.enter_context(ours.open_log(server.url))
        call = ours.appending(log)
        call()
        callers[OURS] = Caller(call, writing_backend(server.url))
        for _ in range(TURNS):
            callers[PLAIN].take_turn()
            callers[OURS].take_turn()
    for name, caller in callers.items():
        wall, cpu = statistics.median(caller.seconds) * 1e6, caller.cpu / len(caller.seconds) * 1e6
        print(f"{name:<30} {wall:5.0f} µs a call, of it {cpu:4.0f} the server's CPU")
    ratio = statistics.median(callers[PLAIN].seconds) / statistics.median(callers[OURS].seconds)
    print(f"one caller / one plain INSERT, same driver {ratio:6.2f}   to reach 0.75")
