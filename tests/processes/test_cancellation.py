"""A process manager stopped at any moment ends, and gives its lock back; nothing of its work is lost."""

import asyncio
import threading

import pytest

from commands.gateways.sandbox import SandboxGateway
from commands.processes import following
from commands.processes.manager import lock_of
from commands.processes.payment import Payment
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.retries import RetryPolicy
from tests.shop.commands import DyingHandling, Shop, eventually
from tests.suspensions import CancelAt
from tests.waiting import SECONDS_MAX

MOMENTS = pytest.mark.parametrize("when_done", [False, True], ids=["waiting", "answered"])
TASKS = pytest.mark.parametrize("task", ["_Manager.run", "Following._until_closed"])


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch):
    """And each of them saves: so every await there is comes soon."""
    monkeypatch.setattr(following, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(following, "WAIT_SECONDS_MAX", 0.02)


async def is_free(log):
    """Takes the lock, once the server has noticed that it was given back, and gives it back too."""
    locks = []

    def taken():
        locks.append(log.try_exclusive(lock_of(Payment)))
        return locks[-1] is not None

    await eventually(taken, lambda: "locked")
    locks[-1].release()


async def canceled_at(shop, number, task, *, when_done):
    """Whether the task came so far; then it was canceled there, and another goes on from the log."""
    order_id = f"{number:032x}"
    cancel = CancelAt(task, number, when_done=when_done)
    asyncio.get_running_loop().set_task_factory(cancel)
    async with shop.open() as first:
        try:
            async with first.managers(kinds=[Payment(first.gateway, clock=lambda: first.now)]):
                await first.sell(order_id, units=100)
                if task == "_Manager.run":  # It waits again and again.
                    await eventually(lambda: cancel.canceled is not None, lambda: cancel.suspensions)
                else:
                    await eventually(
                        lambda: cancel.canceled is not None or not first.open_steps(order_id),
                        lambda: cancel.suspensions,
                    )
                if cancel.canceled is not None:
                    await asyncio.wait((cancel.canceled,), timeout=SECONDS_MAX)
                    assert cancel.canceled.cancelled()
                    if task == "_Manager.run":
                        await is_free(shop.log)
        except RuntimeError as error:
            assert "was dropped" in str(error)  # the piece of work, and nobody asked for that
        asyncio.get_running_loop().set_task_factory(None)
        await is_free(shop.log)
        async with first.managers(retry_policy=RetryPolicy(pause_first=0.01, pause_max=30.0)):
            await first.until("confirmed", "authorized", order_id=order_id)
    return cancel.canceled is not None


@MOMENTS
@TASKS
def test_a_manager_that_is_canceled_at_any_await_ends_and_its_lock_is_free(shop, task, when_done):
    canceled = 0
    for number in range(1, 25):
        canceled += asyncio.run(canceled_at(shop, number, task, when_done=when_done))
    assert canceled >= (20 if task == "_Manager.run" else 3)
    assert shop.charged() == [("authorized", 0, 0)] * 24


@MOMENTS
def test_so_it_is_on_postgres(tmp_path, fresh_postgres, when_done):
    gateway = SandboxGateway(tmp_path / "sandbox.sqlite")
    log = PostgresLog.open(fresh_postgres)
    shop = Shop(log, gateway)
    for number in range(1, 13):
        assert asyncio.run(canceled_at(shop, number, "_Manager.run", when_done=when_done))
    assert shop.charged() == [("authorized", 0, 0)] * 12
    log.close()
    gateway.close()


def test_a_stop_that_is_itself_canceled_leaves_nothing_running_and_no_lock_taken(shop):
    async def run(number):
        async with shop.open() as first:
            await first.sell(f"{number:032x}", units=100)
            first.handling, handling = DyingHandling(), first.handling
            managers = first.managers()
            before = asyncio.all_tasks()
            await managers.__aenter__()
            async with asyncio.timeout(SECONDS_MAX):
                await first.handling.received.wait()
            cancel = CancelAt("", number, when_done=number % 2 == 0)
            stopping = asyncio.create_task(cancel.counted(managers.__aexit__()))
            await asyncio.wait((stopping,), timeout=SECONDS_MAX)
            assert stopping.done()
            await eventually(lambda: asyncio.all_tasks() == before, asyncio.all_tasks)
            await is_free(shop.log)
            first.handling = handling
            return cancel.canceled is not None

    reached = [asyncio.run(run(number)) for number in (1, 2, 3, 4)]
    assert reached[0]
    assert not reached[-1]


class SlowToTake(MemoryLog):
    """A server that gives the lock only after who asked for it was stopped."""

    def __init__(self):
        super().__init__()
        self.called, self.answer = threading.Event(), threading.Event()

    def try_exclusive(self, name):
        self.called.set()
        self.answer.wait(10)
        return super().try_exclusive(name)


def test_a_lock_that_is_given_after_the_stop_is_given_back(tmp_path):
    gateway, log = SandboxGateway(tmp_path / "sandbox.sqlite"), SlowToTake()

    async def run():
        async with Shop(log, gateway).open() as first:
            managers = first.managers(kinds=[Payment(gateway, clock=lambda: first.now)])
            await managers.__aenter__()
            await asyncio.to_thread(log.called.wait, 10)
            asyncio.get_running_loop().call_later(0.1, log.answer.set)
            await managers.__aexit__()
            await is_free(log)

    asyncio.run(run())
    gateway.close()
