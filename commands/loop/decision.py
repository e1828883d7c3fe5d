"""What travels through the handling loop: a command with its context, what was decided, what is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from aggregates.folds import kind_of
from aggregates.kernel import Reason
from event_store.errors import StoreUnavailable
from event_store.ids import new_command_id

State = TypeVar("State")

IMPORT_CHANNEL = "import"
"""The one channel whose commands may give `valid_at`, when their events were true."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a kind (anonymous, shopper, operator, process, import), an id within it, what they may do."""

    kind: str
    id: str = ""
    roles: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


OPERATOR_ROLE = "operator"
ANONYMOUS = Actor("anonymous")
SHOPPER = "shopper"
"""The kind of a client that showed an order's secret; its id is the order's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything about a command that is not its own content."""

    actor: Actor
    channel: str
    command_id: UUID = field(default_factory=new_command_id)
    key: bytes | None = None  # digest of actor and idempotency key
    request_hash: bytes | None = None
    correlation: str | None = None  # W3C trace id
    causation: str | None = None  # "event:<position>" that led to the command
    valid_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.valid_at is not None and self.channel != IMPORT_CHANNEL:
            raise ValueError("only the import channel may set valid_at")


@dataclass(frozen=True, slots=True)
class AwaitedStep:
    """A step of a process that the answer should wait for."""

    stream: str
    step: int


@dataclass(slots=True, kw_only=True)
class Decision:
    """What a handler decided: events by stream, in order, and the caller's answer.

    `stream` is the one whose version is answered; `created` makes the answer 201. No events: nothing
    was to be done, and the answer is the state as it stands. `forget`: streams that no command is about to
    need; their states give way to those of others. `folded`: the states that `after` was asked for, after all
    that was decided on their streams.
    """

    id: str
    stream: str
    events: list[tuple[str, Any]] = field(default_factory=list)
    created: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    awaited: AwaitedStep | None = None
    forget: tuple[str, ...] = ()
    folded: dict[str, Any] = field(default_factory=dict)

    def add(self, stream: str, events: Iterable[Any]) -> None:
        """Appends what one aggregate decided."""
        for event in events:
            self.events.append((stream, event))
            if stream in self.folded:
                self.folded[stream] = kind_of(stream).evolve(self.folded[stream], event)

    def after(self, stream: str, state: State) -> State:
        """`state`, the stream's, after what was decided on it here: for the next decision of one command.

        The state itself stays as it is: it is a copy that goes on.
        """
        if stream not in self.folded:
            decided = [event for name, event in self.events if name == stream]
            if not decided:
                return state
            self.folded[stream] = kind_of(stream).fold(copy_of(state), decided)
        after: State = self.folded[stream]
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command is answered with.

    `version` is the answered stream's after the command; `position` the command's last event's, or the
    stream's last where nothing was to be done (0 where the stream has none).
    """

    id: str
    version: int
    position: int
    created: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    awaited: AwaitedStep | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class TooLarge(Reason):
    """What this would write is larger than the log takes"""

    what: str
    size: int
    limit: int


class KeyReusedError(Exception):
    """The idempotency key was used for another request in the last 24 h."""


class KeyBusyError(Exception):
    """The first request with this key has not been answered yet, and the deadline is over."""


class BusyError(Exception):
    """Other writers kept moving what the command reads until its deadline was over."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A command in the queue, and the caller of it. `deadline` is in the event loop's time."""

    command: Any
    context: Context
    future: asyncio.Future[Answer]
    deadline: float
    moved: bool = False  # another process wrote what it was decided on

    def answer(self, answer: Answer) -> None:
        """Gives the caller the answer, unless they have gone."""
        if not self.future.done():
            self.future.set_result(answer)

    def refuse(self, error: BaseException) -> None:
        """Raises it where the caller waits, unless they have gone."""
        if not self.future.done():
            self.future.set_exception(error)

    def give_up(self) -> None:
        """The deadline is over. Whether a batch under way is written is not known; a retry will learn it."""
        self.refuse(BusyError() if self.moved else StoreUnavailable("the log does not answer in time"))


def copy_of(state: Any) -> Any:
    """The state, to be folded on beside the one it was: what a fold may change in it is copied.

    What is frozen is not, such as the events that a state holds: they are most of an order.
    """
    kind: Any = type(state)
    if not _may_change(kind):
        return state
    if isinstance(state, dict):
        held = copy(state)
        held.update({key: copy_of(value) for key, value in state.items()})
        return held
    if isinstance(state, list):
        return [copy_of(value) for value in state]
    if isinstance(state, set):
        return set(state)
    copied = kind.__new__(kind)
    for name in _fields(kind):
        setattr(copied, name, copy_of(getattr(state, name)))
    return copied


@cache
def _may_change(kind: Any) -> bool:
    """Whether a fold may change what is of this type."""
    if is_dataclass(kind):
        return not kind.__dataclass_params__.frozen  # type: ignore[union-attr]
    return issubclass(kind, dict | list | set)


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))
