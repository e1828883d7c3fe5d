"""A projector that dies or stalls at any step disturbs nobody, and leaves nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from multiprocessing.process import BaseProcess

import pytest

from event_store.postgres.log import PostgresLog
from projections.engine.follower import TargetMoved
from projections.engine.rebuild import Action, Progress
from tests.projections.running import eventually, new_runner, running
from tests.shop.log import Shop
from tests.stores.stopping import STEPS, stopped_at, wake
from tests.stores.store import Store, able_to
from tests.stores.test_faults import differing

OTHERS = ["redis", "cluster", "tantivy", "elasticsearch", "kafka"]
"""What another process can write, too."""

DEAR = {"cluster", "elasticsearch"}
DEAREST = {"kafka"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def at_steps(stores: Sequence[str]) -> pytest.MarkDecorator:
    """All steps of each store; of the dear ones the first, the middle and the last, and all as a proof; of
    the dearest, all as a proof alone."""
    params = []
    for store in stores:
        if store in DEAR:
            params.append(pytest.param(store, some_of, id=f"{store}-some"))
            params.append(pytest.param(store, all_of, id=f"{store}-all", marks=pytest.mark.proof))
        elif store in DEAREST:
            params.append(pytest.param(store, all_of, id=store, marks=pytest.mark.proof))
        else:
            params.append(pytest.param(store, all_of, id=store))
    return pytest.mark.parametrize(("store", "steps_of"), params, indirect=["store"])


def all_of(action: Action) -> list[str]:
    return STEPS[action]


def some_of(action: Action) -> list[str]:
    steps = STEPS[action]
    return [steps[0], steps[len(steps) // 2], steps[-1]]


StepsOf = Callable[[Action], list[str]]
At = Callable[[str, signal.Signals, Action], AbstractContextManager[BaseProcess]]


@pytest.fixture
def busy(fresh_postgres: str) -> Iterator[Shop]:
    """A shop on a real log."""
    log = PostgresLog.open(fresh_postgres)
    shop = Shop(log)
    shop.bustle(orders=3, products=4)
    shop.lists("LATE")
    yield shop
    log.close()


@pytest.fixture
def at(store: Store, busy: Shop, fresh_postgres: str) -> At:
    """Something is requested of another projector, which is stopped or killed at a step."""

    def stopped(step: str, what: signal.Signals, action: Action) -> AbstractContextManager[BaseProcess]:
        return stopped_at(step, what, postgres_url=fresh_postgres, new_build=store.build, action=action)

    return stopped


def catches_up(store: Store, busy: Shop, action: Action | None = None) -> Progress | None:
    """A projector runs until the view is at the head, what is requested over, and what is gone deleted."""
    head = busy.flush()
    build = store.build(busy.log)
    runner = new_runner(busy.log, [build])
    reported: list[Progress] = []
    if action is not None:
        runner.request(action, build.name, reported.append)

    def done() -> bool:
        (lane, *more) = runner._lanes
        is_over = action is None or (bool(reported) and reported[-1].is_over)
        if more or not (is_over and lane.is_open and lane.build is not None and lane.build.is_published):
            return False
        with suppress(TargetMoved):  # It is closed just now.
            return not lane.build.gone and {one.position for one in lane.build.checkpoints} == {head}
        return False

    with running(runner):
        eventually(done, f"{build.name} at the head")
    return reported[-1] if reported else None


def requested(store: Store, busy: Shop, action: Action) -> Progress:
    """It was done."""
    progress = catches_up(store, busy, action)
    assert progress is not None and progress.state == "done", progress
    return progress


def sells(busy: Shop) -> None:
    """Something happens in between."""
    busy.bustle(orders=1, products=4)


@at_steps(OTHERS)
def test_a_rebuild_killed_at_any_step_leaves_nothing(
    store: Store, steps_of: StepsOf, busy: Shop, at: At
) -> None:
    """But the version that was read before where it had been published."""
    catches_up(store, busy)
    seen: set[int] = set()
    for step in steps_of("rebuild"):
        requested(store, busy, "rebuild")
        live = store.live
        assert live is not None
        assert live not in seen, f"before {step}: no number is used again"
        seen |= {*store.versions(), live}
        with at(step, signal.SIGKILL, "rebuild"):
            pass
        sells(busy)
        catches_up(store, busy)
        if step == "published":
            assert store.live not in seen, step
            assert store.versions() == [live, store.live], step
        else:
            assert (store.live, store.versions()) == (live, [live]), step
        seen |= set(store.versions())
    assert differing(store, busy) == []


@at_steps(OTHERS)
def test_a_rollback_killed_at_any_step_can_be_had_again(
    store: Store, steps_of: StepsOf, busy: Shop, at: At
) -> None:
    catches_up(store, busy)
    requested(store, busy, "rebuild")
    versions = store.versions()
    for step in steps_of("rollback"):
        live = store.live
        (other,) = set(versions) - {live}
        sells(busy)
        busy.flush()
        with at(step, signal.SIGKILL, "rollback"):
            pass
        sells(busy)
        catches_up(store, busy)
        assert store.live == (other if step == "rolled back" else live), step
        back = requested(store, busy, "rollback")
        assert back.version == store.live == (live if step == "rolled back" else other), step
        assert store.versions() == versions, step
    assert differing(store, busy) == []


@at_steps(OTHERS)
def test_what_is_dropped_by_who_is_killed_is_dropped(
    store: Store, steps_of: StepsOf, busy: Shop, at: At
) -> None:
    catches_up(store, busy)
    for step in steps_of("drop"):
        requested(store, busy, "rebuild")
        live = store.live
        with at(step, signal.SIGKILL, "drop"):
            pass
        sells(busy)
        progress = catches_up(store, busy, "drop")
        assert progress is not None
        assert progress.state == ("done" if step == "drop kept" else "failed"), step
        assert (store.live, store.versions()) == (live, [live]), step
        refused = catches_up(store, busy, "rollback")
        assert refused is not None and refused.reason == "no version is kept", step
    assert differing(store, busy) == []


@pytest.mark.parametrize("action", list(STEPS))
@at_steps([one for one in OTHERS if one in able_to("have two writers")])
def test_a_twin_that_stalled_at_any_step_changes_nothing_once_another_took_over(
    store: Store, steps_of: StepsOf, busy: Shop, at: At, action: Action
) -> None:
    catches_up(store, busy)
    for step in steps_of(action):
        requested(store, busy, "rebuild")
        with at(step, signal.SIGSTOP, action) as twin:
            sells(busy)
            requested(store, busy, "rebuild")
            live, before = store.live, store.content()
            wake(twin)
            assert store.content() == before, step
        sells(busy)
        catches_up(store, busy)
        assert store.live == live, step
    assert differing(store, busy) == []
