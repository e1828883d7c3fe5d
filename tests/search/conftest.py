"""A shop per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shop.views import SearchShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SearchShop]:
    shop = SearchShop(tmp_path / "index")
    yield shop
    shop.close()
