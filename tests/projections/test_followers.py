"""The runner drives anything that follows the log: a view's build, or a follower without versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
import structlog
from prometheus_client import CollectorRegistry

from event_store.records import START, Checkpoint
from projections.engine.follower import Decoded, TargetDamaged, TargetMoved, TargetUnavailable, checkpoint_of
from projections.engine.metrics import ProjectorMetrics
from projections.engine.runner import Runner
from tests.projections.running import eventually, new_runner, redis_builds, running, views_reach
from tests.shop.facts import CODEC
from tests.shop.log import Shop


class FileFollower:
    """Writes a line for every event; its checkpoint is the file's last line."""

    name = "lines"
    version = 1
    events = None

    def __init__(self, file: Path) -> None:
        self.file = file
        self.refusals = 0  # calls of `apply` still to be refused
        self.refusal: type[Exception] = TargetUnavailable
        self.opened = 0  # times
        self._taken = START
        self._lines: list[bytes] = []

    @property
    def checkpoint(self) -> Checkpoint:
        return self._taken

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:
        return [self._taken]

    @property
    def folding(self) -> Mapping[int, Checkpoint]:
        return {0: self._taken}

    @property
    def position(self) -> int:
        return self._taken.position

    def open(self) -> int:
        self.opened += 1
        lines = self.file.read_bytes().splitlines() if self.file.exists() else []
        self._taken = msgspec.json.decode(lines[-1], type=Checkpoint) if lines else START
        self._lines = []
        return self.position

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        if self.refusals:
            self.refusals -= 1
            raise self.refusal("the disk will not")
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


class Batches(FileFollower):
    """Knows which positions came together."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.batches: list[list[int]] = []

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        super().apply(batch, up_to=up_to, tailing=tailing)
        self.batches.append([recorded.position for recorded, _ in batch])


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


@pytest.mark.parametrize("refusal", [TargetUnavailable, TargetDamaged])
def test_while_its_target_is_away_or_damaged_the_views_go_on_and_nothing_is_lost(
    shop: Shop, fresh_redis: str, follower: FileFollower, refusal: type[Exception]
) -> None:
    follower.refusals, follower.refusal = 3, refusal
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
    runner.request("rebuild", "lines", lambda progress: reports.append(progress.reason))
    assert reports == ["there is no view lines"]


@pytest.mark.parametrize("refusal", [TargetUnavailable, TargetDamaged])
def test_what_fails_with_every_batch_is_tried_after_growing_pauses(
    shop: Shop, follower: FileFollower, refusal: type[Exception]
) -> None:
    shop.bustle(orders=1)
    shop.flush()
    follower.refusals, follower.refusal = 4, refusal
    with structlog.testing.capture_logs() as lines, running(new_runner(shop.log, [follower])):
        eventually(lambda: len(follower.positions()) == shop.log.head(), "every event is written")
    pauses = [line["pause_seconds"] for line in lines if "pause_seconds" in line]
    assert pauses == [0.1, 0.2, 0.4, 0.8]


def test_who_has_followed_another_history_writes_nothing_of_this_one(
    shop: Shop, fresh_redis: str, follower: FileFollower
) -> None:
    of_another = msgspec.json.encode(Checkpoint(3, "0" * 32)) + b"\n"
    follower.file.write_bytes(of_another)
    shop.bustle(orders=5)
    head = shop.flush()
    with structlog.testing.capture_logs() as lines, running(runner_of(shop, fresh_redis, follower)):
        views_reach(fresh_redis, head)
        eventually(lambda: follower.opened > 1, "it is tried again")
    assert follower.file.read_bytes() == of_another
    reasons = [line["reason"] for line in lines if line["event"] == "follower's target is damaged"]
    assert reasons and set(reasons) == {"lines has followed another history of the log"}


def test_what_is_appended_within_a_round_is_one_batch(shop: Shop, tmp_path: Path) -> None:
    follower = Batches(tmp_path / "lines")
    metrics = ProjectorMetrics(CollectorRegistry())
    runner = Runner(shop.log, CODEC, [follower], metrics, round_seconds=3.0)
    with running(runner):
        eventually(lambda: follower.opened == 1, "it follows")
        for number in range(4):
            shop.lists(f"MUG-{number}")
            shop.flush()
            eventually(lambda: bool(follower.batches), "the first waits for nothing")
        eventually(lambda: follower.position == shop.log.head(), "all is taken in")
    first, *later = follower.batches
    assert first[0] == 1
    assert len(later) == 1, "those after the first are one batch"
