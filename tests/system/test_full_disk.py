"""A disk that is full, or logs that cannot be written, stop nobody for good."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tests.system.running import RunningSystem, call
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

DISK_MB = 160


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the servers' user may walk through."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-full-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own, with little room."""
    disk = folder / "disk"
    disk.mkdir(mode=0o755)
    options = f"size={DISK_MB}m,mode=755"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a file system of a limited size")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("ab", 0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


def list_product(system: RunningSystem) -> tuple[int, str]:
    sku = f"MUG-{uuid4().hex[:8]}"
    product = {"sku": sku, "title": "Mug", "description": "", "category": "Kitchen > Mugs", "attributes": {}}
    body = product | {"price": {"amount": 1299, "currency": "GBP"}}
    return call(f"{system.addresses['commands']}/api/v1/products", body, key=f"list-{sku}-once-only")[0], sku


def can_be_read(system: RunningSystem, sku: str) -> bool:
    return call(f"{system.addresses['read']}/api/v1/products/{sku}")[0] == 200


def test_commands_are_refused_while_the_disk_is_full_and_taken_again_by_themselves(
    folder: Path, small_disk: Path
) -> None:
    system = RunningSystem(small_disk / "data", environment={"DAYBOOK_ACCESS_LOG": "true"}, output=folder)
    try:
        system.wait_ready()
        assert list_product(system)[0] == 201
        filler = fill(small_disk)

        def refused() -> bool:
            fill(small_disk)
            return list_product(system)[0] == 503

        wait_until(refused)
        for part in ("redis", "projector", "commands", "postgres"):  # What starts anew finds no room either.
            system.children()[part][0].kill()
        wait_until(lambda: "starting again" in system.complained)
        assert system.process.poll() is None
        filler.unlink()

        taken: list[str] = []

        def is_taken() -> bool:
            with suppress(OSError):  # A process that ends takes its connections with it.
                status, sku = list_product(system)
                taken.extend([sku] * (status == 201))
            return taken != []

        def is_read() -> bool:
            with suppress(OSError):
                return can_be_read(system, taken[0])
            return False

        wait_until(is_taken, why=lambda: system.complained)
        wait_until(is_read, why=lambda: system.complained)
        assert system.stop() == 0
    finally:
        system.end()


def test_commands_are_taken_where_no_log_can_be_written(folder: Path) -> None:
    data = folder / "data"
    (data / "logs").mkdir(parents=True)
    for name in ("commands", "projector", "query", "redis", "postgres"):
        (data / "logs" / f"{name}.log").symlink_to("/dev/full")
    for name in ("data.out", "data.err"):
        (folder / name).symlink_to("/dev/full")
    system = RunningSystem(data, environment={"DAYBOOK_ACCESS_LOG": "true"})
    try:

        def ready() -> bool:
            return (data / "run" / "addresses.json").exists() and all(
                call(f"{system.addresses[side]}/health/ready")[0] == 200 for side in ("commands", "read")
            )

        wait_until(ready)
        for _ in range(20):
            status, sku = list_product(system)
            assert status == 201
        wait_until(lambda: can_be_read(system, sku))
        before = system.children()["query"][0]
        before.send_signal(signal.SIGKILL)
        wait_until(lambda: system.children().get("query", [before])[0] != before)
        wait_until(lambda: can_be_read(system, sku))
        assert system.stop(signal.SIGHUP) == 0
    finally:
        system.end()
    assert (data / "logs" / "commands.log").readlink() == Path("/dev/full")
