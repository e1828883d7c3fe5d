"""Coupons and batches of them, for the operator."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from deploy.edge.problems import TOKEN_REQUIRED
from projections.documents.shapes import CouponBatchDocument, CouponDocument
from read_api.access import operator_only
from read_api.freshness import VIEW_POSITION, fresh_document, read_fresh
from read_api.openapi import documented, documented_csv
from read_api.problems import UNKNOWN_BATCH, UNKNOWN_COUPON, unknown
from read_api.requests import Identifier, WantedFreshness
from read_api.responses import answer
from read_api.stores import Stores, stores_of

router = APIRouter(prefix="/api/v1", tags=["coupons"], dependencies=[Depends(operator_only)])

COLUMNS = ("code", "promotion_id", "ends_at", "uses", "revoked")
PAGE = 1_000
"""Rows that are read at once: all that the process ever holds of a batch."""

_batch = msgspec.json.Decoder(CouponBatchDocument)
_coupon = msgspec.json.Decoder(CouponDocument)


class _Page(msgspec.Struct, frozen=True):
    """Some codes of a batch, the newest first; `last` is the position of the last of them, None after all."""

    batch: CouponBatchDocument | None
    rows: bytes
    last: int | None
    position: int


@router.get(
    "/coupons/{code}", summary="A coupon", **documented(CouponDocument, TOKEN_REQUIRED, UNKNOWN_COUPON)
)
async def coupon(request: Request, code: Identifier, wanted: WantedFreshness) -> Response:
    """With the number of orders that have it. Small letters are made capital."""
    found = await fresh_document(stores_of(request), "coupon", code.upper(), wanted)
    if found.document is None:
        raise unknown(UNKNOWN_COUPON, found.position, code=code)
    return answer(found.document, found.position, request.headers, cache="holder")


@router.get(
    "/coupon-batches/{batch_id}.csv",
    summary="The coupons of a batch",
    **documented_csv(TOKEN_REQUIRED, UNKNOWN_BATCH),
)
async def batch_coupons(request: Request, batch_id: Identifier, wanted: WantedFreshness) -> Response:
    """A row for each code that is issued when the answer begins, the newest first; `revoked` is true or
    false."""
    stores = stores_of(request)

    async def wait(position: int, seconds: float) -> None:
        await asyncio.gather(
            stores.documents.wait_for("coupon_batches", batch_id, position, seconds),
            stores.documents.wait_for("batch_coupons", batch_id, position, seconds),
            stores.documents.wait_for("coupon", None, position, seconds),
        )

    async def first_page() -> _Page:
        read = await stores.documents.document("coupon_batches", batch_id)
        if read.document is None:
            return _Page(None, b"", None, read.position)
        page = await _page(stores, _batch.decode(read.document), None)
        return msgspec.structs.replace(page, position=min(page.position, read.position))

    first = await read_fresh(first_page, wait, wanted, stores.settings.min_position_wait_seconds)
    if first.batch is None:
        raise unknown(UNKNOWN_BATCH, first.position, batch_id=batch_id)
    headers = {
        VIEW_POSITION: str(first.position),
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Daybook-Order-Secret",
        "Content-Disposition": 'attachment; filename="coupons.csv"',
    }
    rows = _rows(stores, first.batch, first)
    return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)


@router.get(
    "/coupon-batches/{batch_id}",
    summary="A batch of coupons",
    **documented(CouponBatchDocument, TOKEN_REQUIRED, UNKNOWN_BATCH),
)
async def batch(request: Request, batch_id: Identifier, wanted: WantedFreshness) -> Response:
    """With the number of its codes that are issued so far. The codes themselves are its `.csv`."""
    found = await fresh_document(stores_of(request), "coupon_batches", batch_id, wanted)
    if found.document is None:
        raise unknown(UNKNOWN_BATCH, found.position, batch_id=batch_id)
    return answer(found.document, found.position, request.headers, cache="holder")


async def _rows(stores: Stores, of: CouponBatchDocument, page: _Page) -> AsyncIterator[bytes]:
    """The header, the page, and those after it."""
    yield _csv([COLUMNS])
    while page.last is not None:
        yield page.rows
        page = await _page(stores, of, page.last)


async def _page(stores: Stores, of: CouponBatchDocument, below: int | None) -> _Page:
    entries = await stores.documents.newest_entries("batch_coupons", of.id, limit=PAGE, below=below)
    codes = [code for code, _ in entries.members]
    if not codes:
        return _Page(of, b"", None, entries.position)
    read = await stores.documents.documents("coupon", codes)
    ends_at = "" if of.ends_at is None else of.ends_at.isoformat().replace("+00:00", "Z")
    rows = []
    for code, document in zip(codes, read.documents, strict=True):
        # Where the list has seen a code that the coupon's own view has not, nobody has used it so far.
        uses, revoked = (0, False) if document is None else _standing(_coupon.decode(document))
        rows.append((code, of.promotion_id, ends_at, uses, str(revoked).lower()))
    return _Page(of, _csv(rows), entries.members[-1][1], min(entries.position, read.position))


def _standing(coupon: CouponDocument) -> tuple[int, bool]:
    return coupon.uses, coupon.revoked


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    """As RFC 4180 writes them."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
