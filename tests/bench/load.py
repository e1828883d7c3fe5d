"""Loads, and what came of them: ours in Python for the log, `oha` for HTTP."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from pathlib import Path


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


@dataclass(frozen=True, slots=True)
class Responses:
    """What came back from a server: responses per second, milliseconds, and how often each status."""

    rate: float
    p50: float
    p95: float
    p99: float
    p999: float
    statuses: dict[str, int]

    @property
    def number(self) -> int:
        """All of them."""
        return sum(self.statuses.values())


def put_load(
    urls: Sequence[str],
    *,
    bodies: Sequence[str] = (),
    connections: int = 32,
    seconds: float = 5.0,
    arrivals: float | None = None,
) -> Responses:
    """Requests of any of the URLs, GET or, with `bodies`, POST of any of those as JSON, from another process.

    As many at once as there are connections; or, with `arrivals`, so many a second however the server keeps
    up: then a latency counts from the moment at which the request was due.
    """
    with tempfile.TemporaryDirectory(prefix="daybook-oha-") as folder:
        addresses, lines = Path(folder) / "urls", Path(folder) / "bodies"
        addresses.write_text("\n".join(urls))
        lines.write_text("\n".join(bodies))
        options = ["--no-tui", "--output-format", "json", "--worker-threads", "1", "-w"]
        if bodies:
            options += ["-m", "POST", "-T", "application/json", "-Z", str(lines)]
        if arrivals:
            options += ["-q", str(int(arrivals)), "--latency-correction"]
        options += ["-c", str(connections), "-z", f"{seconds:g}s", "--urls-from-file", str(addresses)]
        done = subprocess.run([_oha(), *options], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    if report["errorDistribution"]:
        raise SystemExit(f"not every request got a response: {report['errorDistribution']}")
    milliseconds = {name: value * 1000 for name, value in report["latencyPercentiles"].items()}
    return Responses(
        report["summary"]["requestsPerSec"],
        milliseconds["p50"],
        milliseconds["p95"],
        milliseconds["p99"],
        milliseconds["p99.9"],
        report["statusCodeDistribution"],
    )


def _oha() -> str:
    found = os.environ.get("OHA") or shutil.which("oha")
    if found is None:
        raise SystemExit(
            "This needs the load generator oha: `cargo install oha --locked`, on PATH or named by OHA."
        )
    return found
