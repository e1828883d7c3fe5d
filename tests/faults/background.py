"""Work beside a test."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.waiting import SECONDS_MAX


@dataclass(kw_only=True)
class Background(ABC):
    """A coroutine in a thread of its own while the context is open; leaving raises its error."""

    _ending: threading.Event = field(default_factory=threading.Event)
    _error: BaseException | None = None

    @abstractmethod
    async def work(self) -> None:
        """Until `_ending` is set."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def wait_until(self, holds: Callable[[], bool], state: Callable[[], str]) -> None:
        """Fails with the state where it takes too long, and where the work failed."""
        deadline = time.monotonic() + SECONDS_MAX
        while not holds():
            assert self._error is None, self._error
            assert time.monotonic() < deadline, state()
            time.sleep(0.01)

    def _run(self) -> None:
        try:
            asyncio.run(self.work())
        except BaseException as error:
            self._error = error
