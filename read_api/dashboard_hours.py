"""The merchant's sales by hour of the shop's clocks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from deploy.edge.problems import ProblemError
from projections.documents.shapes import SalesHour, SalesHoursDocument
from read_api.access import operator_only
from read_api.dashboards import Day, LocalFirst, Rows, answer_rows, day_number, figures_of
from read_api.openapi import DashboardHour, documented_rows
from read_api.problems import TOO_MANY_DAYS
from read_api.requests import WantedFreshness
from read_api.stores import Stores

router = APIRouter(prefix="/api/v1/dashboards", tags=["dashboards"], dependencies=[Depends(operator_only)])

DAYS_SHOWN = 7
"""The last days that have data, where no dates are given."""

DAYS_MAX = 92
"""Days in one response; a bound that is not given is so far from the other."""

_FIGURES = ("orders", "units", "gross", "returns", "net", "discounts", "shipping", "tax")

_hours = msgspec.json.Decoder(SalesHoursDocument)

Last = Annotated[
    Day | None, Query(alias="to", description=f"The last day, included; at most {DAYS_MAX} in all.")
]


@router.get(
    "/hours", summary="Sales by hour and currency", **documented_rows("hours", DashboardHour, TOO_MANY_DAYS)
)
async def hours(
    request: Request, wanted: WantedFreshness, first: LocalFirst = None, last: Last = None
) -> Response:
    """A row per hour of the shop's time zone and currency that has data: as many hours as its day has."""
    if first is not None and last is not None and (last - first).days >= DAYS_MAX:
        raise ProblemError(
            TOO_MANY_DAYS, f"From {first} to {last} are more than {DAYS_MAX} days.", days_max=DAYS_MAX
        )
    return await answer_rows(
        request, "sales_hours", "hours", wanted, lambda stores: _found(stores, first, last)
    )


async def _found(stores: Stores, first: date | None, last: date | None) -> Rows[DashboardHour]:
    """The documents are by UTC day: a local day's hours are in its own, and in that before or after it."""
    ranking = stores.documents
    if first is None and last is None:
        newest = await ranking.ranking("sales_hours", "days", limit=DAYS_SHOWN + 1)
        entries, position = newest.members[::-1], newest.position
        first = date.min
        if len(entries) > DAYS_SHOWN:  # Of the local days up to the oldest some hours may be in older ones.
            first = _shifted(date.fromisoformat(entries[0][0]), 1)
        last = date.max
    else:
        first = first or _shifted(last or date.max, 1 - DAYS_MAX)
        last = last or _shifted(first, DAYS_MAX - 1)
        low, high = day_number(_shifted(first, -1)), day_number(_shifted(last, 1))
        between = await ranking.ranking_between("sales_hours", "days", low, high, limit=DAYS_MAX + 2)
        entries, position = between.members, between.position
    found = await stores.documents.documents("sales_hours", [day for day, _ in entries])
    documents = (_hours.decode(document) for document in found.documents if document is not None)
    wanted = (row for document in documents for row in document.rows if _is_between(row, first, last))
    rows = [DashboardHour(row.starts_at, row.local, **figures_of(row)) for row in _merged(wanted)]
    return Rows(rows, min(position, found.position))


def _is_between(row: SalesHour, first: date, last: date) -> bool:
    return first.isoformat() <= row.local[:10] <= last.isoformat()


def _merged(rows: Iterable[SalesHour]) -> list[SalesHour]:
    """In the order of time. Where the zone's hours begin within UTC's, two days share one: it is added up."""
    by_hour: dict[tuple[datetime, str], SalesHour] = {}
    for row in rows:
        merged = by_hour.setdefault((row.starts_at, row.currency), row)
        if merged is not row:
            for figure in _FIGURES:
                setattr(merged, figure, getattr(merged, figure) + getattr(row, figure))
    return [by_hour[key] for key in sorted(by_hour)]


def _shifted(day: date, days: int) -> date:
    """So many days later, as far as there are dates."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))
