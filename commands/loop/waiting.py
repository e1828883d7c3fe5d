"""A command in the handling loop's queue, and the caller who waits for what becomes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from commands.loop.decision import Answer, BusyError, Context
from event_store.errors import StoreUnavailable


@dataclass(slots=True, eq=False)
class Waiting:
    """`deadline` is in the event loop's time."""

    command: Any
    context: Context
    future: asyncio.Future[Answer]
    deadline: float
    moved: bool = False  # another process wrote what it was decided on

    def answer(self, answer: Answer) -> None:
        """Tells the caller, unless they have gone."""
        if not self.future.done():
            self.future.set_result(answer)

    def refuse(self, error: BaseException) -> None:
        """Raises it where the caller waits, unless they have gone."""
        if not self.future.done():
            self.future.set_exception(error)

    def give_up(self) -> None:
        """The deadline is over. Whether a batch under way is written is not known; a retry will be told."""
        self.refuse(BusyError() if self.moved else StoreUnavailable("the log does not answer in time"))
