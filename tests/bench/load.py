"""A load generator: so many connections, each with one request under way, for so many seconds."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier

Request = Callable[[int, int], bytes]
"""The nth request of a connection, as it goes over the wire."""


@dataclass(slots=True)
class Report:
    """What came back: latencies in seconds, statuses, and how long the run took."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, part: float) -> float:
        """The latency that `part` of the answers did not exceed, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000

    def line(self, name: str) -> str:
        """One row of the table."""
        return (
            f"{name:<34} {self.rate:>9,.0f}/s   p50 {self.percentile(0.5):6.2f} ms"
            f"   p99 {self.percentile(0.99):6.2f} ms   {dict(self.statuses)}"
        )


def in_processes(number: int, seconds: float, measure: Callable[..., Report], *arguments: object) -> Report:
    """`measure(ready, *arguments)` in so many processes; each calls `ready()` before its clock runs."""
    spawning = multiprocessing.get_context("spawn")
    barrier = spawning.Barrier(number)
    with ProcessPoolExecutor(number, spawning, initializer=_begin_at, initargs=(barrier,)) as workers:
        reports = [workers.submit(_measure, measure, *arguments) for _ in range(number)]
        return Report([latency for each in reports for latency in each.result().latencies], seconds=seconds)


_barriers: list[Barrier] = []


def _begin_at(barrier: Barrier) -> None:
    _barriers.append(barrier)


def _measure(measure: Callable[..., Report], *arguments: object) -> Report:
    return measure(_barriers[0].wait, *arguments)


def http_request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request of HTTP/1.1 on a connection that stays open."""
    said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    length = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{said}{length}\r\n".encode() + body


async def put_load(
    port: int, request: Request, *, connections: int = 32, seconds: float = 8.0, warm_up: float = 1.0
) -> Report:
    """Keeps `connections` busy with `request`s to this machine's `port`."""
    report = Report()
    begin = time.perf_counter() + warm_up
    end = begin + seconds
    await asyncio.gather(*(_keep_busy(port, request, n, begin, end, report) for n in range(connections)))
    report.seconds = seconds
    return report


async def _keep_busy(
    port: int, request: Request, number: int, begin: float, end: float, report: Report
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    turn = 0
    try:
        while (sent := time.perf_counter()) < end:
            writer.write(request(number, turn))
            turn += 1
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            if sent >= begin:
                report.latencies.append(time.perf_counter() - sent)
                report.statuses[int(head[9:12])] += 1
    finally:
        writer.close()
        await writer.wait_closed()
