"""Deletes versions of views that are gone, in a thread of its own: no live view waits for that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

import structlog

from projections.documents.keys import Pointer
from projections.engine.build import Build
from projections.engine.follower import TargetMoved, TargetUnavailable
from projections.engine.lane import RETRIES, Lane

logger = structlog.get_logger(__name__)


class _UnderWay(NamedTuple):
    lane: Lane
    build: Build
    gone: Pointer
    is_complete: Future[bool]


class Deletions:
    """One after the other. What is not deleted when the process ends the next one goes on with."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="delete")
        self._stopping = threading.Event()
        self._under_way: _UnderWay | None = None
        self._not_before = 0.0  # monotonic seconds
        self._pauses = RETRIES.pauses()

    def step(self, lanes: Sequence[Lane]) -> None:
        """Begins the next one of what these followers' builds have to delete, or notes that one is done."""
        if self._under_way is None:
            self._begin(lanes)
        elif self._under_way.is_complete.done():
            done, self._under_way = self._under_way, None
            self._ended(done)

    def close(self) -> None:
        """The step under way ends first."""
        self._stopping.set()
        self._executor.shutdown()

    def _begin(self, lanes: Sequence[Lane]) -> None:
        if time.monotonic() < self._not_before:
            return
        for lane in lanes:
            build = lane.build
            if build is None or lane.is_rebuild or not lane.is_open or not build.gone:
                continue
            gone = build.gone[0]

            def is_wanted(lane: Lane = lane, build: Build = build, gone: Pointer = gone) -> bool:
                return lane.is_open and gone in build.gone  # Not where the store was restored meanwhile.

            is_complete = self._executor.submit(self._delete, build.deletion(gone), is_wanted)
            self._under_way = _UnderWay(lane, build, gone, is_complete)
            return

    def _delete(self, steps: Generator[None, None, None], is_wanted: Callable[[], bool]) -> bool:
        with closing(steps):
            for _ in steps:
                if self._stopping.is_set() or not is_wanted():
                    return False
        return True

    def _ended(self, done: _UnderWay) -> None:
        lane, build, gone, is_complete = done
        try:
            complete = is_complete.result()
        except (TargetUnavailable, TargetMoved) as error:
            pause = next(self._pauses)
            self._not_before = time.monotonic() + pause
            logger.warning(
                "version not deleted yet", view=build.name, version=gone.version, reason=str(error)
            )
            return
        self._pauses = RETRIES.pauses()
        if complete and lane.is_open and gone in build.gone:
            logger.info("version deleted", view=build.name, version=gone.version)
            lane.guard(lambda: build.deleted(gone))
