"""A projector in a process of its own that is stopped, or killed, at one step of what is requested of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from event_store.kafka.topic_admin import TopicAdmin
from event_store.postgres.log import PostgresLog
from projections.elasticsearch.build import ElasticsearchBuild
from projections.elasticsearch.versions import ElasticsearchVersions
from projections.engine.build import Build
from projections.engine.partitions import LEADER
from projections.engine.rebuild import Action, Progress, Rebuild
from projections.engine.versions import Numbers, Versions
from projections.kafka.state_build import StateBuild
from projections.redis.build import RedisBuild
from projections.redis.store import RedisStore
from projections.tantivy import versions as tantivy_versions
from projections.tantivy.build import TantivyBuild
from tests.projections.running import new_runner
from tests.waiting import SECONDS_MAX

HOLDER = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND"
    " (classid::bigint << 32 | objid::bigint) = hashtextextended('exclusive daybook projector', 0)"
)

REBUILDING = ["begin", "deleting", "deleted", "build", "drop", "dropped", "publish", "published"]
ROLLING_BACK = ["catch up", "roll back", "rolled back"]
DROPPING = ["drop kept", "dropped kept", "deleting", "deleted"]

STEPS: dict[Action, list[str]] = {"rebuild": REBUILDING, "rollback": ROLLING_BACK, "drop": DROPPING}
"""Where a projector is stopped or killed."""

_BUILDS = (RedisBuild, TantivyBuild, ElasticsearchBuild, StateBuild)


class Stopping:
    """Sends the signal to its own process at the step, once.

    What another thread has in hand stays so: the main thread stops the process where it is about to look
    whether it holds its lock still. Elsewhere it might have a page in hand too.
    """

    def __init__(self, what: signal.Signals) -> None:
        self._signal: signal.Signals | None = what
        self._is_reached = threading.Event()
        self._goes_on = threading.Event()

    def now(self) -> None:
        """The step is reached."""
        if self._signal is None:
            return
        if threading.current_thread() is threading.main_thread():
            self._stop()
        else:
            self._is_reached.set()
            self._goes_on.wait()

    def look(self) -> None:
        """The main thread is about to look whether it holds its lock still."""
        if self._is_reached.is_set():
            self._stop()

    def _stop(self) -> None:
        what, self._signal = self._signal, None
        if what is not None:
            os.kill(os.getpid(), what)
        self._goes_on.set()

    def before(self, owner: Any, name: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
        original = getattr(owner, name)

        def stopped(*arguments: Any, **named: Any) -> Any:
            if when(*arguments, **named):
                self.now()
            return original(*arguments, **named)

        setattr(owner, name, stopped)

    def after(self, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def done(*arguments: Any, **named: Any) -> Any:
            result = original(*arguments, **named)
            self.now()
            return result

        setattr(owner, name, done)


def arm(step: str, stopping: Stopping) -> None:
    """Prepares this process to be stopped there."""
    deletions = iter(range(100))
    match step:
        case "begin":
            stopping.after(Versions, "begin")
        case "build":
            for build in _BUILDS:
                stopping.before(build, "settle", lambda build, **_: is_beside(build) and build.position > 0)
        case "publish" | "roll back":
            stopping.before(Versions, "publish")
        case "published" | "rolled back":
            stopping.after(Versions, "publish")
        case "catch up":
            for build in _BUILDS:
                stopping.before(build, "settle", is_beside)
        case "drop kept":
            stopping.before(Versions, "drop_kept")
        case "dropped kept":
            stopping.after(Versions, "drop_kept")
        case "deleting":
            # A checkpoint is deleted, the documents are not; or some of a folder's files.
            stopping.before(RedisStore, "delete", lambda *_: next(deletions) == 1)
            stopping.before(tantivy_versions, "_remove", lambda *_: next(deletions) == 1)
            stopping.before(ElasticsearchVersions, "delete_version")
            stopping.before(TopicAdmin, "delete")
        case "deleted":
            stopping.before(Versions, "deleted")
        case "drop":
            Rebuild._compare = lambda rebuild, _: rebuild.give_up("asked to")  # type: ignore[method-assign]
            stopping.before(Versions, "give_up")
        case "dropped":
            Rebuild._compare = lambda rebuild, _: rebuild.give_up("asked to")  # type: ignore[method-assign]
            stopping.after(Versions, "give_up")
        case _:
            raise LookupError(step)


def is_beside(build: Any, **_: Any) -> bool:
    """Whether it writes a version next to the live one."""
    return build._pinned is not None


def act(
    postgres_url: str, new_build: Callable[[Numbers], Build], step: str, what: int, action: Action
) -> None:
    """Does it under the projector's lock, as long as it is held, until nothing is left to be done."""
    stopping = Stopping(signal.Signals(what))
    arm(step, stopping)
    log = PostgresLog.open(postgres_url)
    lock = log.try_exclusive(LEADER)
    assert lock is not None
    build = new_build(log)
    runner = new_runner(log, [build])
    reported: list[Progress] = []
    runner.request(action, build.name, reported.append)

    def goes_on() -> bool:
        stopping.look()
        is_over = bool(reported) and reported[-1].is_over
        return lock.still_held() and not (is_over and not build.gone)

    runner.run(goes_on)


@contextmanager
def stopped_at(
    step: str,
    what: signal.Signals,
    *,
    postgres_url: str,
    new_build: Callable[[Numbers], Build],
    action: Action = "rebuild",
) -> Iterator[multiprocessing.process.BaseProcess]:
    """The process, stopped or dead by then, its lock lost; whatever happens it ends."""
    process = multiprocessing.get_context("fork").Process(
        target=act, args=(postgres_url, new_build, step, int(what), action)
    )
    process.start()
    assert process.pid is not None
    try:
        status = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert status is not None and status.si_status == what, f"{step}: it was not reached"
        with psycopg.connect(postgres_url, autocommit=True) as sql:
            sql.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({HOLDER}) AS held".encode())
        yield process
    finally:
        process.kill()
        process.join()


def wake(process: multiprocessing.process.BaseProcess) -> None:
    """It goes on until it notices that it no longer holds its lock."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGCONT)
    process.join(SECONDS_MAX)
    assert process.exitcode == 0
