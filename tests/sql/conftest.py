"""Questions about a shop's log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from event_store.records import EventReader
from replays.duckdb.questions import Questions, Tail
from replays.export.export import export
from replays.export.folder import Folder
from tests.restored import RestoredLog
from tests.shop.story import Story

Ask = Callable[[str], list[tuple[object, ...]]]


def rows_of(questions: Questions, sql: str) -> list[tuple[object, ...]]:
    """The rows of the answer to the last statement."""
    found: list[tuple[object, ...]] = []
    for answer in questions.answers(sql):
        found.clear()
        answer.give(
            lambda rows: found.extend(
                row for batch in rows for row in zip(*(one.to_pylist() for one in batch.columns), strict=True)
            )
        )
    return found


def questions_about(log: EventReader, folder: Folder, *, in_files: int | None) -> Questions:
    """The first events in files, so many, the others newer than those; None: no files at all."""
    if in_files is None:
        return Questions(tail=Tail(log))
    manifest = export(Until(log, in_files), folder)
    return Questions(folder, manifest, Tail(log, manifest.checkpoint))


class Until:
    """A log as it was when it ended at a position."""

    def __init__(self, log: EventReader, head: int) -> None:
        self._log, self._head = log, head

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    def head(self) -> int:
        return self._head


@pytest.fixture
def shop() -> Story:
    shop = Story(RestoredLog())
    shop.whole_story()
    return shop


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "export"))


@pytest.fixture(scope="module")
def asked_folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(str(tmp_path_factory.mktemp("asked") / "export"))


@pytest.fixture(scope="module")
def ask(asked_folder: Folder) -> Iterator[Ask]:
    """The whole story, half in files; every test asks the same session."""
    shop = Story(RestoredLog())
    shop.whole_story()
    with questions_about(shop.log, asked_folder, in_files=shop.log.head() // 2) as questions:
        yield lambda sql: rows_of(questions, sql)
