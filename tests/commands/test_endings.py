"""The handling loop stopped, canceled or broken: whoever waits is told, and nothing goes on without it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from commands.handlers.cart import OpenCart
from commands.handlers.registry import HANDLERS
from commands.http.app import build_command_app
from commands.loop import handling as handling_module
from commands.loop import snapshots
from commands.loop.decision import Actor, AwaitedStep, BusyError, Context
from commands.loop.handling import Handling
from commands.settings import Settings
from event_store.errors import StoreUnavailable
from event_store.memory.log import MemoryLog
from event_store.records import EventLog
from tests.shop.facts import CODEC
from tests.shop.http import open_shop
from tests.suspensions import CancelAt
from tests.waiting import SECONDS_MAX

MOMENTS = pytest.mark.parametrize("when_done", [False, True], ids=["waiting", "answered"])


def context() -> Context:
    return Context(actor=Actor("operator"), channel="api")


def opening(number: int) -> OpenCart:
    return OpenCart(cart_id=f"{number:032x}", currency="GBP")


async def outcome_of(handling: Handling, number: int) -> str:
    """How a command ends for its caller."""
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await handling.handle(opening(number), context())
    except (BusyError, StoreUnavailable) as error:
        return type(error).__name__
    return "answered"


@MOMENTS
def test_a_loop_that_is_canceled_at_any_await_tells_whoever_waits(log: EventLog, when_done: bool) -> None:
    async def run(at: int) -> bool:
        failed: list[str] = []
        cancel = CancelAt("Handling._run", at, when_done=when_done)
        asyncio.get_running_loop().set_task_factory(cancel)
        handling = Handling(log, CODEC, HANDLERS, failed=lambda name, error: failed.append(name))
        async with handling:
            waiting = [asyncio.create_task(outcome_of(handling, 100 * at + n)) for n in range(3)]
            await asyncio.wait(waiting)
            await outcome_of(handling, 100 * at + 4)
            if cancel.canceled is not None:
                await asyncio.wait((cancel.canceled,), timeout=SECONDS_MAX)
                assert cancel.canceled.cancelled()
                assert not handling.lives
                assert await outcome_of(handling, 100 * at + 5) == "StoreUnavailable"
        return cancel.canceled is not None

    assert [asyncio.run(run(at)) for at in range(1, 7)].count(True) >= 4


@MOMENTS
def test_a_stop_that_is_canceled_at_any_await_leaves_no_loop(log: EventLog, when_done: bool) -> None:
    async def run(at: int) -> bool:
        handling = Handling(log, CODEC, HANDLERS)
        handling.start()
        waiting = [asyncio.create_task(outcome_of(handling, 100 * at + n)) for n in range(3)]
        await asyncio.sleep(0)
        cancel = CancelAt("", at, when_done=when_done)
        stopping = asyncio.create_task(cancel.counted(handling.stop()))
        await asyncio.wait((stopping, *waiting), timeout=SECONDS_MAX)
        assert stopping.done()
        assert all(one.done() for one in waiting)
        async with asyncio.timeout(SECONDS_MAX):
            while "handling" in {task.get_name() for task in asyncio.all_tasks()}:
                await asyncio.sleep(0)
        assert await outcome_of(handling, 100 * at + 5) == "BusyError"
        return cancel.canceled is not None

    assert asyncio.run(run(1))
    assert not asyncio.run(run(10))


class Silent(MemoryLog):
    """A server that takes a batch and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.has_taken = asyncio.Event()

    async def append_async(self, entries: Any, **_: Any) -> Any:
        self.has_taken.set()
        await asyncio.Event().wait()


def test_a_stop_does_not_wait_for_a_batch_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handling_module, "STOP_SECONDS_MAX", 0.05)

    async def run() -> None:
        log = Silent()
        handling = Handling(log, CODEC, HANDLERS)
        handling.start()
        waiting = asyncio.create_task(outcome_of(handling, 1))
        async with asyncio.timeout(SECONDS_MAX):
            await log.has_taken.wait()
            await handling.stop()
        assert await waiting == "StoreUnavailable"

    asyncio.run(run())


@MOMENTS
def test_who_waits_for_a_step_can_be_canceled_at_any_await(when_done: bool) -> None:
    async def run(at: int) -> None:
        async with Handling(MemoryLog(), CODEC, HANDLERS) as handling:
            cancel = CancelAt("", at, when_done=when_done)
            waits = handling.step_ended(AwaitedStep("checkout-1", 1), timeout_seconds=2 * SECONDS_MAX)
            waiting = asyncio.create_task(cancel.counted(waits))
            await asyncio.wait((waiting,), timeout=SECONDS_MAX)
            assert waiting.cancelled()
            assert handling._step_ends.watched == 0

    for at in range(1, 6):
        asyncio.run(run(at))


def test_what_an_awaited_checkout_watched_is_forgotten_with_it(log: EventLog, tmp_path: Path) -> None:
    async def run() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=10)
            for _ in range(3):
                ordered = await shop.checkout(await shop.cart(MUG=1))
                assert ordered.status_code == 201
            assert shop.handling._step_ends.watched == 0

    asyncio.run(run())


class Unwritable:
    """A log that no line can be written to, where `says` is what it is to say."""

    def __init__(self, says: str) -> None:
        self._says = says

    def __getattr__(self, level: str) -> Any:
        def say(event: str, **_: Any) -> None:
            if event == self._says:
                raise OSError("No space left on device")

        return say


NOT_CALLED: Any = None


def test_a_loop_that_breaks_answers_what_is_written_says_so_and_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handling_module, "log_lines", Unwritable("command"))
    failed: list[tuple[str, str]] = []

    async def run() -> None:
        log = MemoryLog()
        handling = Handling(
            log, CODEC, HANDLERS, failed=lambda name, error: failed.append((name, type(error).__name__))
        )
        settings = Settings(postgres_url="postgresql:///not-used", data_dir=tmp_path)
        app = build_command_app(settings, handling, log, NOT_CALLED)
        async with (
            handling,
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
        ):
            assert (await client.get("/health/ready")).status_code == 200
            assert await outcome_of(handling, 1) == "answered"
            assert await outcome_of(handling, 2) == "StoreUnavailable"
            ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["detail"]) == (503, "The handling loop has ended.")
            assert (await client.get("/health/live")).status_code == 200

    asyncio.run(run())
    assert failed == [("the handling loop", "OSError")]


def test_a_batch_that_fails_is_refused_though_nothing_can_be_said_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handling_module, "log_lines", Unwritable("batch_failed"))
    failed: list[str] = []

    class Broken(MemoryLog):
        async def append_async(self, entries: Any, **_: Any) -> Any:
            raise KeyError("our mistake")

    async def run() -> None:
        async with Handling(
            Broken(), CODEC, HANDLERS, failed=lambda name, error: failed.append(name)
        ) as handling:
            with pytest.raises(KeyError):
                await handling.handle(opening(1), context())

    asyncio.run(run())
    assert failed == ["the handling loop"]


def test_a_snapshot_that_fails_by_our_mistake_is_counted_and_commands_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshots, "EVENTS_MOST", 1)

    class Full(MemoryLog):
        def save_snapshot(self, snapshot: Any) -> None:
            raise ValueError("our mistake")

    before = snapshots.FAILURES._value.get()

    async def run() -> None:
        log = Full()
        async with Handling(log, CODEC, HANDLERS) as handling:
            await handling.handle(opening(1), context())
            async with asyncio.timeout(SECONDS_MAX):
                while snapshots.FAILURES._value.get() == before:
                    await asyncio.sleep(0.01)
            assert await outcome_of(handling, 2) == "answered"

    asyncio.run(run())
