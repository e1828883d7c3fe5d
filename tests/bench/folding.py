"""Every view of a real shop's year, built anew: events a second, and what each view costs.

The year is `online_retail.csv.gz` of DAYBOOK_DATASETS (../shared/data); without it, the sample shop.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from projections.documents.search import VIEW as SEARCH
from projections.engine.rebuild import Progress
from projections.operate import run_action
from tests.system.running import RunningSystem, started

DATASETS = Path(os.environ.get("DAYBOOK_DATASETS", "../shared/data"))


def main() -> None:
    """Prints the table."""
    year = any(DATASETS.rglob("online_retail.csv.gz"))
    environment = {"DAYBOOK_DATASETS": str(DATASETS.resolve())}
    demo = "retail-year" if year else "sample"
    print(f"demo {demo}", flush=True)
    with started("--demo", demo, environment=environment) as system:
        _wait_for_views(system)
        events = _head(system)
        projector = psutil.Process(system.children()["projector"][0].pid)
        print(f"{events:,} events; projector {projector.memory_info().rss / 2**20:.0f} MiB")
        print("| view | s | events/s | CPU µs per event | projector MiB at most |")
        print("| --- | ---: | ---: | ---: | ---: |")
        views = _views(system)
        in_redis = [view for view in views if view != SEARCH]
        for view, rebuilt in (
            ("all in Redis", in_redis),
            ("all", views),
            *((view, [view]) for view in views),
        ):
            before, begun = _cpu(projector), time.perf_counter()
            memory = _rebuild(system, rebuilt, projector)
            took, cpu = time.perf_counter() - begun, _cpu(projector) - before
            print(
                f"| {view} | {took:.1f} | {events / took:,.0f} | {cpu / events * 1e6:.1f} | {memory:.0f} |",
                flush=True,
            )


def _rebuild(system: RunningSystem, views: list[str], projector: psutil.Process) -> float:
    """The most memory, in MiB, that the projector had meanwhile."""
    most = 0

    def look(_: Progress) -> None:
        nonlocal most
        most = max(most, projector.memory_info().rss)

    addresses = system.addresses
    ended = run_action(
        "rebuild",
        views,
        postgres_url=addresses["postgres"],
        redis_url=addresses["redis"],
        data_dir=system.data,
        report=look,
    )
    assert [one.state for one in ended] == ["done"] * len(views), ended
    return most / 2**20


def _head(system: RunningSystem) -> int:
    ready = httpx.get(f"{system.addresses['commands']}/health/ready").json()
    return int(ready["position"])


def _views(system: RunningSystem) -> list[str]:
    return [one["view"] for one in json.loads(_daybook(system, "projections", "status", "--json"))]


def _wait_for_views(system: RunningSystem) -> None:
    """The import has ended, and every view stands at the head."""
    before = -1
    while True:
        head = _head(system)
        lag = [one["lag"] for one in json.loads(_daybook(system, "projections", "status", "--json"))]
        if head == before > 0 and not any(lag):
            return
        before = head
        time.sleep(10.0)


def _daybook(system: RunningSystem, *arguments: str) -> str:
    daybook = [sys.executable, "-m", "daybook", *arguments, "--data", str(system.data)]
    return subprocess.run(daybook, check=True, capture_output=True, text=True).stdout


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
