"""What sold best in the newest days: the view's days, added up here.

The days that were read stay in memory, decoded; the view's ranking names those that changed since. So a
request reads what is new, however many days its window has, and all who ask at the same time share that.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import msgspec

from projections.documents.errors import ViewNotReady
from projections.documents.keys import ViewKeys
from projections.documents.redis_reader import RedisReader
from projections.documents.shapes import BestsellerDayDocument

DAYS_VIEW = "bestseller_days"

Window = Literal["day", "week", "month"]

DAYS: Mapping[Window, int] = {"day": 1, "week": 7, "month": 30}
"""How many days a window has; its last is the newest on which anything was ordered."""

_POSITION_MAX = 2**53
_CHANGED_MAX = 1_000_000  # days
_TRIES = 3  # beside a version of the view that is published meanwhile

_day = msgspec.json.Decoder(BestsellerDayDocument)


class Sold(msgspec.Struct, frozen=True):
    """SKUs with their units, the most first, then by falling SKU; and the position of the view."""

    ranked: list[tuple[str, int]]
    position: int

    def place_behind(self, seen: tuple[int, str]) -> int:
        """The place of the first behind these units and this SKU."""
        # In falling order; the list read backwards rises.
        return len(self.ranked) - bisect_left(self.ranked[::-1], seen, key=lambda one: (one[1], one[0]))


@dataclass(slots=True)
class _Days:
    """The days of the longest window, as of a position of one version of the view; by their ordinals."""

    keys: ViewKeys
    position: int = -1
    newest: int = 0
    units: dict[int, dict[str, int]] = field(default_factory=dict)
    ranked: dict[Window, list[tuple[str, int]]] = field(default_factory=dict)  # of those requested since


class BestsellerWindows:
    """Adds days up, in one process."""

    def __init__(self, documents: RedisReader) -> None:
        self._documents = documents
        self._days: _Days | None = None
        self._lock = asyncio.Lock()
        self._reads: dict[Window, asyncio.Task[Sold]] = {}

    async def sold(self, window: Window) -> Sold:
        """What sold best in the window. Raises ViewNotReady and ReadStoreUnavailable."""
        read = self._reads.get(window)
        if read is None:
            read = self._reads[window] = asyncio.create_task(self._read(window))
            read.add_done_callback(lambda done: self._done(window, done))
        return await asyncio.shield(read)

    def _done(self, window: Window, read: asyncio.Task[Sold]) -> None:
        del self._reads[window]
        if not read.cancelled():
            read.exception()  # Retrieved, also where all who waited have gone.

    async def _read(self, window: Window) -> Sold:
        async with self._lock:
            for _ in range(_TRIES):
                keys = await self._documents.pointer(DAYS_VIEW)
                days = self._days
                if days is None or days.keys != keys:
                    days = self._days = _Days(keys)
                try:
                    await self._refresh(days)
                except BaseException:
                    self._days = None  # It may have a part of what is new.
                    raise
                if await self._documents.pointer(DAYS_VIEW) == keys:
                    if window not in days.ranked:
                        days.ranked[window] = await _ranked(days, DAYS[window])
                    return Sold(days.ranked[window], days.position)
            raise ViewNotReady(DAYS_VIEW)

    async def _refresh(self, days: _Days) -> None:
        """Takes in the days that changed since they were read."""
        changed = await self._documents.ranking_between(
            DAYS_VIEW, "changed", days.position + 1, _POSITION_MAX, limit=_CHANGED_MAX
        )
        if not changed.members:
            days.position = max(days.position, changed.position)
            return
        try:
            named = [date.fromisoformat(key).toordinal() for key, _ in changed.members]
        except ValueError:  # No writer of ours wrote that.
            raise ViewNotReady(DAYS_VIEW) from None
        newest = max(days.newest, *named)
        oldest = newest - max(DAYS.values()) + 1
        wanted = [day for day in named if day >= oldest]
        keys = [date.fromordinal(day).isoformat() for day in wanted]
        found = await self._documents.documents(DAYS_VIEW, keys)
        for day, document in zip(wanted, found.documents, strict=True):
            days.units[day] = {} if document is None else _day.decode(document).units
        for day in [day for day in days.units if day < oldest]:
            del days.units[day]
        days.newest = newest
        days.ranked.clear()
        days.position = min(changed.position, found.position)


async def _ranked(days: _Days, count: int) -> list[tuple[str, int]]:
    """The units of the last `count` days, added up; others are served between two days."""
    sums: dict[str, int] = {}
    for back in range(count):
        for sku, units in days.units.get(days.newest - back, {}).items():
            sums[sku] = sums.get(sku, 0) + units
        await asyncio.sleep(0)
    sold = [(sku, units) for sku, units in sums.items() if units > 0]
    sold.sort(key=lambda one: (one[1], one[0]), reverse=True)
    return sold
