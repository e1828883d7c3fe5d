"""The runner drives anything that follows the log: a view's build, or a follower without versions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from event_store.records import START, Checkpoint
from projections.engine.follower import Decoded, TargetMoved, TargetUnavailable, checkpoint_of
from projections.engine.runner import Runner
from tests.projections.running import eventually, new_runner, redis_builds, running, views_reach
from tests.projections.shop import Shop


class FileFollower:
    """Writes a line for every event; its checkpoint is the file's last line."""

    name = "lines"

    def __init__(self, file: Path) -> None:
        self.file = file
        self.refusals = 0  # calls of `apply` still to be refused
        self._taken = START
        self._lines: list[bytes] = []

    @property
    def checkpoint(self) -> Checkpoint:
        return self._taken

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:
        return [self._taken]

    @property
    def position(self) -> int:
        return self._taken.position

    def open(self) -> int:
        lines = self.file.read_bytes().splitlines() if self.file.exists() else []
        self._taken = msgspec.json.decode(lines[-1], type=Checkpoint) if lines else START
        self._lines = []
        return self.position

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        if self.refusals:
            self.refusals -= 1
            raise TargetUnavailable("the disk is away")
        self._lines += [msgspec.json.encode(recorded.checkpoint) for recorded, _ in batch]
        self._taken = checkpoint_of(batch, up_to)

    def settle(self, *, may_hold_back: bool) -> None:
        if self._lines:
            with self.file.open("ab") as file:
                file.writelines(line + b"\n" for line in self._lines)
            self._lines = []

    def check(self) -> None:
        if self.position and not self.file.exists():
            raise TargetMoved("the file is gone")

    def close(self) -> None:
        pass

    def positions(self) -> list[int]:
        lines = self.file.read_bytes().splitlines() if self.file.exists() else []
        return [msgspec.json.decode(line, type=Checkpoint).position for line in lines]


@pytest.fixture
def follower(tmp_path: Path) -> FileFollower:
    return FileFollower(tmp_path / "lines")


def runner_of(shop: Shop, redis_url: str, follower: FileFollower) -> Runner:
    return new_runner(shop.log, [*redis_builds(redis_url, shop.log), follower])


def test_a_follower_without_versions_is_driven_beside_the_views(
    shop: Shop, fresh_redis: str, follower: FileFollower
) -> None:
    with running(runner_of(shop, fresh_redis, follower)):
        shop.bustle(orders=5)
        views_reach(fresh_redis, shop.flush())
        eventually(lambda: len(follower.positions()) == shop.log.head(), "every event is written")
    shop.bustle(orders=5)
    head = shop.flush()
    with running(runner_of(shop, fresh_redis, FileFollower(follower.file))):
        eventually(lambda: len(follower.positions()) == head, "it goes on from its checkpoint")
    assert follower.positions() == list(range(1, head + 1))


def test_while_its_target_is_away_the_views_go_on_and_nothing_is_lost(
    shop: Shop, fresh_redis: str, follower: FileFollower
) -> None:
    follower.refusals = 3
    with running(runner_of(shop, fresh_redis, follower)):
        shop.bustle(orders=5)
        views_reach(fresh_redis, shop.flush())
        eventually(lambda: len(follower.positions()) == shop.log.head(), "every event is written")
    assert follower.refusals == 0
    assert follower.positions() == list(range(1, shop.log.head() + 1))


def test_a_target_that_was_emptied_is_followed_anew(
    shop: Shop, fresh_redis: str, follower: FileFollower
) -> None:
    with running(runner_of(shop, fresh_redis, follower)):
        shop.bustle(orders=5)
        shop.flush()
        eventually(lambda: len(follower.positions()) == shop.log.head(), "every event is written")
        follower.file.unlink()
        eventually(lambda: len(follower.positions()) == shop.log.head(), "every event is written again")


def test_what_has_no_versions_cannot_be_rebuilt(shop: Shop, fresh_redis: str, follower: FileFollower) -> None:
    reports: list[str | None] = []
    runner = runner_of(shop, fresh_redis, follower)
    runner.rebuild("lines", lambda progress: reports.append(progress.reason))
    assert reports == ["there is no view lines"]
