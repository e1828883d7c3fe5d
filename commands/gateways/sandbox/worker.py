"""The thread in which an event loop's process uses the books."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from commands.gateways.gateway import GatewayUnavailable
from commands.gateways.sandbox.books import Books

T = TypeVar("T")


class Worker:
    """A thread that works for the event loop; what gathers meanwhile is done with one write to the disk."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sandbox")
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._closed = False

    async def run(self, call: Callable[[], T]) -> T:
        """What the call returns or raises."""
        done: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise GatewayUnavailable("closed")
            self._waiting.append((call, done))
            if len(self._waiting) == 1:
                self._thread.submit(self._work)
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Waits for what was asked before."""
        with self._lock:
            self._closed = True
        self._thread.shutdown()

    def _work(self) -> None:
        with self._lock:
            work = [one for one in self._waiting if one[1].set_running_or_notify_cancel()]
            self._waiting.clear()
        try:
            results = self._books.together([call for call, _ in work])
        except Exception as error:  # the file is away: for every call
            results = [error] * len(work)
        for (_, done), result in zip(work, results, strict=True):
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)
