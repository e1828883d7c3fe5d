"""Cancels a task at its nth suspension: as it begins to wait, or just when what it waits for is there.

The second is the moment in which a cancellation is most easily lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


class CancelAt:
    """A task factory. Counts the suspensions of every task that runs the coroutine called `name`."""

    def __init__(self, name: str, at: int, *, when_done: bool) -> None:
        self._name = name
        self._at = at
        self._when_done = when_done
        self.suspensions = 0
        self.canceled: asyncio.Task[Any] | None = None

    def __call__(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        if coroutine.__qualname__ != self._name:
            return asyncio.Task(coroutine, loop=loop, **options)
        task = asyncio.Task(self._counted(coroutine), loop=loop, **options)
        task.add_done_callback(lambda _: coroutine.close())  # which may never have begun
        return task

    async def counted(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The same within a task that is there already."""
        return await self._counted(coroutine)

    async def _counted(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return await _Steps(coroutine, self)

    def suspended(self, waits_for: Any) -> None:
        """The task under way begins to wait."""
        self.suspensions += 1
        if self.suspensions != self._at:
            return
        task = asyncio.current_task()
        assert task is not None

        def cancel(*_: object) -> None:
            self.canceled = task
            task.cancel()

        if self._when_done and isinstance(waits_for, asyncio.Future):
            waits_for.add_done_callback(cancel)  # before the task's own, which wakes it
        else:
            asyncio.get_running_loop().call_soon(cancel)


class _Steps:
    def __init__(self, coroutine: Coroutine[Any, Any, Any], told: CancelAt) -> None:
        self._coroutine = coroutine
        self._told = told

    def __await__(self) -> Generator[Any, Any, Any]:
        thrown: BaseException | None = None
        while True:
            try:
                waits_for = self._coroutine.send(None) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration as done:
                return done.value
            thrown = None
            self._told.suspended(waits_for)
            try:
                yield waits_for
            except BaseException as error:
                thrown = error
