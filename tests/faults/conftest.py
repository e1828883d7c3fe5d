"""The systems that this folder's tests hurt."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.shop import Shop


@pytest.fixture(scope="session")
def faults_folder() -> Iterator[Path]:
    """Where the servers' user may walk through, with paths short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-faults-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def shop(faults_folder: Path) -> Iterator[Shop]:
    """One system for all tests that leave it whole; its books grow from test to test."""
    shop = Shop(faults_folder / "shop")
    yield shop
    shop.close()
