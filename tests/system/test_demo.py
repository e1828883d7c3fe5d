"""`--demo sample`: the shop is full before anybody is told that it is ready."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.system.running import RunningSystem, call
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="daybook-demo-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def demo_process(system: RunningSystem) -> psutil.Process | None:
    for child in psutil.Process(system.process.pid).children():
        try:
            if "demo" in child.cmdline():
                return child
        except psutil.NoSuchProcess:
            continue
    return None


def test_both_sides_wait_for_the_sample_also_when_its_filling_is_killed(folder: Path) -> None:
    # The real data set is not there, so the sample is taken instead.
    system = RunningSystem(
        folder / "data", "--demo", "retail", environment={"DAYBOOK_DATASETS": str(folder / "nowhere")}
    )
    marker = folder / "data" / "run" / "demo-done"
    seen: set[int] = set()
    try:
        wait_until(lambda: demo_process(system) is not None)
        first = demo_process(system)
        assert first is not None
        first.kill()

        def filled() -> bool:
            for side in ("commands", "read"):
                status = call(f"{system.addresses[side]}/health/ready")[0]
                assert status == 503 or marker.exists(), f"{side} was ready too early"
                seen.add(status)
            return marker.exists()

        wait_until(filled)
        assert 503 in seen
        system.wait_ready()
        for side in ("commands", "read"):
            assert call(f"{system.addresses[side]}/health/ready")[0] == 200
        status, listing = call(f"{system.addresses['read']}/api/v1/products?limit=1")
        assert (status, listing["total"]) == (200, 201)
        assert "DAYBOOK_DATASETS" in system.complained
        assert system.stop() == 0
    finally:
        system.end()
