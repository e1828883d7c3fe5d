"""Reading what one has just written: `Daybook-Min-Position`, and how long a query waits for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from deploy.edge.problems import RETRY_SOON, ProblemError, ProblemType
from deploy.edge.requests import preferred_wait
from projections.documents.redis_reader import Read
from read_api.problems import INVALID_MIN_POSITION, VIEW_BEHIND, unknown
from read_api.stores import Stores

MIN_POSITION = "daybook-min-position"
VIEW_POSITION = "Daybook-View-Position"

POSITION_MAX = 2**63 - 1

_POSITION = re.compile(r"[0-9]{1,19}")
_STRICT = re.compile(r"(?:^|[,;])\s*handling\s*=\s*\"?strict\"?\s*(?:$|[,;])", re.IGNORECASE)


class Positioned(Protocol):
    """Something read, and where the view stood that it was read from."""

    @property
    def position(self) -> int:
        """The last position that the view had seen."""


Found = TypeVar("Found", bound=Positioned)
Wait = Callable[[int, float], Awaitable[object]]
"""Waits until the view stands at a position, but no longer than so many seconds."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """What the asker wants to see: events up to `position`; whether less will do; how long to wait."""

    position: int
    strict: bool = False
    wait_seconds: int | None = None


def freshness_of(headers: Mapping[str, str]) -> Freshness | None:
    """What the headers ask for; None is the usual case. Raises invalid-min-position."""
    text = headers.get(MIN_POSITION)
    if text is None:
        return None
    if not _POSITION.fullmatch(text) or int(text) > POSITION_MAX:
        raise ProblemError(INVALID_MIN_POSITION, f"Not a whole number from 0 to {POSITION_MAX}.")
    prefer = headers.get("prefer", "")
    return Freshness(int(text), _STRICT.search(prefer) is not None, preferred_wait(prefer))


async def read_fresh(
    read: Callable[[], Awaitable[Found]], wait: Wait, wanted: Freshness | None, wait_seconds: float
) -> Found:
    """Reads, and where that is older than what was asked for, waits for the view and reads again.

    All that one request waits for, it waits for at the same time: `wait_seconds` is the limit of all of it,
    or the asker's own where that is shorter. Raises view-behind where the asker would rather have nothing
    than the past.
    """
    found = await read()
    if wanted is None or found.position >= wanted.position:
        return found
    await wait(
        wanted.position,
        wait_seconds if wanted.wait_seconds is None else min(wanted.wait_seconds, wait_seconds),
    )
    found = await read()
    refuse_behind(found, wanted)
    return found


def refuse_behind(found: Positioned, wanted: Freshness | None) -> None:
    """Raises view-behind where the asker would rather have nothing than this."""
    if wanted is not None and wanted.strict and found.position < wanted.position:
        raise ProblemError(
            VIEW_BEHIND,
            f"The view stands at position {found.position}, not yet at {wanted.position}.",
            headers={VIEW_POSITION: str(found.position), **RETRY_SOON},
            view_position=found.position,
            min_position=wanted.position,
        )


async def fresh_document(stores: Stores, view: str, key: str, wanted: Freshness | None) -> Read:
    """One document, as fresh as asked, or as it is when the time is over."""
    if wanted is None:
        return await stores.documents.document(view, key)

    async def wait(position: int, seconds: float) -> int:
        return await stores.documents.wait_for(view, key, position, seconds)

    return await read_fresh(
        lambda: stores.documents.document(view, key), wait, wanted, stores.settings.min_position_wait_seconds
    )


class Present(NamedTuple):
    """A document that is there, and where its shard stood."""

    document: bytes
    position: int


def present(read: Read, kind: ProblemType, **facts: Any) -> Present:
    """The document; raises the problem, with these facts, where there is none."""
    if read.document is None:
        raise unknown(kind, read.position, **facts)
    return Present(read.document, read.position)
