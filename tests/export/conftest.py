"""A shop whose log is exported."""

from __future__ import annotations

from pathlib import Path

import pytest

from replays.export.folder import Folder
from tests.restored import RestoredLog
from tests.shop.story import Story


@pytest.fixture
def shop() -> Story:
    shop = Story(RestoredLog())
    shop.whole_story()
    return shop


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "export"))
