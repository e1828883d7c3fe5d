"""Readers never see a mixture of two versions, nor nothing, whatever is done with them."""

from __future__ import annotations

import threading
from contextlib import suppress

import msgspec
import pytest

from projections.documents.errors import ReadError
from projections.engine.follower import TargetUnavailable
from projections.engine.rebuild import Action, Progress
from tests.projections.running import eventually, new_runner, running
from tests.shop.log import Shop
from tests.stores.store import NAMES, Store


class Reading:
    """A thread that reads two products all the time."""

    def __init__(self, store: Store) -> None:
        self.found: list[tuple[str, int]] = []  # what both titles begin with, and the position
        self.wrong: list[object] = []
        self._done = threading.Event()
        self._store = store
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Reading:
        self._thread.start()
        eventually(lambda: bool(self.found), "read")
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def reads(self, beginning: str) -> None:
        """Waits until it does."""
        eventually(lambda: self.found[-1][0] == beginning, f"{beginning} is read")

    def _read(self) -> None:
        reader = self._store.reader()
        while not self._done.is_set():
            try:
                seen = reader.read("MUG", "CUP")
            except ReadError as error:
                self.wrong.append(error)
                continue
            titles = [msgspec.json.decode(page)["title"] for page in seen.pages.values()]
            beginnings = {title.partition(" ")[0] for title in titles}
            if len(titles) != 2 or len(beginnings) != 1:
                self.wrong.append(titles)
            else:
                self.found.append((beginnings.pop(), seen.position))
        reader.close()


@pytest.mark.parametrize(
    "store",
    [pytest.param(name, marks=[pytest.mark.proof] if name == "kafka" else []) for name in NAMES],
    indirect=True,
)
def test_a_reader_throughout_sees_one_version_after_another_and_never_goes_back(
    store: Store, busy: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another read model is built beside at start, the code of before is started again, its view rebuilt and
    rolled back, and what is kept is dropped."""
    monkeypatch.setattr("projections.engine.runner._PAGE_EVENTS", 50)
    monkeypatch.setattr("projections.engine.runner._PAGE_EVENTS_BESIDE", 50)
    busy.lists("MUG")
    busy.lists("CUP")
    busy.bustle(orders=30)

    def runs(beginning: str, model: int, seed: int, *actions: Action) -> list[Progress]:
        ended: list[Progress] = []
        build = store.titled(beginning, model, busy.log, monkeypatch)
        runner = new_runner(busy.log, [build])
        with running(runner):
            busy.bustle(orders=3, seed=seed)
            head = busy.flush()
            eventually(lambda: is_read(model), "published")
            for action in actions:
                reported: list[Progress] = []
                runner.submit(lambda: runner.request(action, build.name, reported.append))  # noqa: B023
                eventually(lambda: bool(reported) and reported[-1].is_over, action)  # noqa: B023
                ended.append(reported[-1])
            busy.bustle(orders=3, seed=seed + 1)
            head = busy.flush()
            eventually(lambda: store.read().position >= head, "at the head")
        return ended

    def is_read(model: int) -> bool:
        with suppress(TargetUnavailable):  # What was just made may not be there yet.
            return store.live_model == model
        return False

    runs("before", 901, 10)
    first = store.live
    with Reading(store) as reading:
        runs("after", 902, 20)
        reading.reads("after")
        (refused,) = runs("after", 902, 30, "rollback")
        assert "was built by read model 901" in str(refused.reason)
        runs("before", 901, 40)
        assert store.live == first, "the code that built it goes on from it"
        reading.reads("before")
        rebuilt, back, forth, dropped = runs("before", 901, 50, "rebuild", "rollback", "rollback", "drop")
        assert [one.state for one in (rebuilt, back, forth, dropped)] == ["done"] * 4
        assert rebuilt.differing_keys == []
        assert (back.version, forth.version, dropped.version) == (first, rebuilt.version, first)
        assert store.live == rebuilt.version
        assert store.versions() == [rebuilt.version]
    assert reading.wrong == []
    seen = [beginning for beginning, _ in reading.found]
    switches = [one for one, last in zip(seen, [None, *seen], strict=False) if one != last]
    assert switches == ["before", "after", "before"]
    positions = [position for _, position in reading.found]
    assert positions == sorted(positions), "nobody went back"
