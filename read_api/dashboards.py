"""The merchant's figures."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from projections.documents.shapes import Money, SalesDocument, SalesHour, SalesRow
from read_api.access import operator_only
from read_api.freshness import Freshness, read_fresh
from read_api.openapi import ConversionDay, DashboardDay, documented_rows
from read_api.requests import WantedFreshness
from read_api.responses import answer
from read_api.stores import Stores, stores_of

router = APIRouter(prefix="/api/v1/dashboards", tags=["dashboards"], dependencies=[Depends(operator_only)])

DAYS_SHOWN = 30
"""The last days that have data, where no dates are given."""

_DAYS_MAX = 10_000  # 27 years; more than any range of dates that has data

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_sales_of = msgspec.json.Decoder(SalesDocument).decode
_conversion_of = msgspec.json.Decoder(ConversionDay).decode

Row = TypeVar("Row")


class Rows(msgspec.Struct, Generic[Row], frozen=True):
    """What a dashboard shows, and where its view stood."""

    rows: list[Row]
    position: int


def _day(text: object) -> object:
    """Pydantic would take a number for seconds since 1970."""
    if isinstance(text, str) and not _DAY.fullmatch(text):
        raise ValueError("not a day such as 2026-03-01")
    return text


Day = Annotated[date, BeforeValidator(_day)]
First = Annotated[Day | None, Query(alias="from", description="The first day, UTC, by valid time.")]
LocalFirst = Annotated[
    Day | None, Query(alias="from", description="The first day of the shop's zone, by valid time.")
]
Last = Annotated[Day | None, Query(alias="to", description="The last day, included.")]


@router.get("/sales", summary="Sales by day and currency", **documented_rows("days", DashboardDay))
async def sales(
    request: Request, wanted: WantedFreshness, first: First = None, last: Last = None
) -> Response:
    """A row per day and currency that has data. A bound not given is open; of all days the last 30 are shown
    where neither is."""
    return await answer_rows(request, "sales", "days", wanted, lambda stores: _sales(stores, first, last))


@router.get("/conversion", summary="From visits to orders, by day", **documented_rows("days", ConversionDay))
async def conversion(
    request: Request, wanted: WantedFreshness, first: LocalFirst = None, last: Last = None
) -> Response:
    """A row per day of the shop's time zone that has data, its days chosen as those of the sales. Imported
    orders came of no cart, and are in none."""
    return await answer_rows(
        request, "conversion", "days", wanted, lambda stores: _conversion(stores, first, last)
    )


async def answer_rows(
    request: Request,
    view: str,
    name: str,
    wanted: Freshness | None,
    read: Callable[[Stores], Awaitable[Rows[Any]]],
) -> Response:
    """`{name: rows}` of a view, as fresh as wanted. For the operator alone."""
    stores = stores_of(request)

    async def wait(position: int, seconds: float) -> int:
        return await stores.documents.wait_for(view, None, position, seconds)

    found = await read_fresh(lambda: read(stores), wait, wanted, stores.settings.min_position_wait_seconds)
    body = msgspec.json.encode({name: found.rows})
    return answer(body, found.position, request.headers, cache="holder")


async def _sales(stores: Stores, first: date | None, last: date | None) -> Rows[DashboardDay]:
    found = await _documents(stores, "sales", first, last)
    rows = [
        DashboardDay(date=row.date, **figures_of(row))
        for document in found.rows
        for row in _sales_of(document).rows
    ]
    return Rows(rows, found.position)


async def _conversion(stores: Stores, first: date | None, last: date | None) -> Rows[ConversionDay]:
    found = await _documents(stores, "conversion", first, last)
    return Rows([_conversion_of(document) for document in found.rows], found.position)


async def _documents(stores: Stores, view: str, first: date | None, last: date | None) -> Rows[bytes]:
    """The documents of a view that has one for each day, in their order."""
    if first is None and last is None:
        newest = await stores.documents.ranking(view, "days", limit=DAYS_SHOWN)
        entries = newest.members[::-1]
        position = newest.position
    else:
        between = await stores.documents.ranking_between(
            view, "days", day_number(first or date.min), day_number(last or date.max), limit=_DAYS_MAX
        )
        entries, position = between.members, between.position
    found = await stores.documents.documents(view, [day for day, _ in entries])
    documents = [document for document in found.documents if document is not None]
    return Rows(documents, min(position, found.position))


def day_number(day: date) -> int:
    """The score of a day in rankings of days: 2010-12-01 is 20101201."""
    return day.year * 10_000 + day.month * 100 + day.day


def figures_of(row: SalesRow | SalesHour) -> dict[str, Any]:
    """What is shown of a row's figures, by name."""
    amounts = ("gross", "returns", "net", "discounts", "shipping", "tax")
    return {
        **{name: getattr(row, name) for name in ("currency", "orders", "units")},
        **{name: Money(getattr(row, name), row.currency) for name in amounts},
    }
