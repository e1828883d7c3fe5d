"""Gift cards and store credit, for the operator."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from deploy.edge.problems import TOKEN_REQUIRED
from read_api.access import operator_only
from read_api.cursors import cursor_of_rank, rank_of_cursor
from read_api.freshness import fresh_document
from read_api.openapi import CreditPage, documented
from read_api.problems import INVALID_CURSOR, UNKNOWN_ACCOUNT, unknown
from read_api.requests import Cursor, Identifier, Limit, WantedFreshness
from read_api.responses import answer
from read_api.stores import stores_of

router = APIRouter(prefix="/api/v1/credit", tags=["credit"], dependencies=[Depends(operator_only)])


_decode = msgspec.json.Decoder(CreditPage).decode
_encode = msgspec.json.Encoder().encode


@router.get(
    "/{account_id}",
    summary="A gift card or store credit",
    **documented(CreditPage, TOKEN_REQUIRED, INVALID_CURSOR, UNKNOWN_ACCOUNT),
)
async def account(
    request: Request,
    account_id: Identifier,
    wanted: WantedFreshness,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Its balance, and what changed it, the newest first. A page counts from the oldest, so that what
    happens meanwhile moves none. Codes are stored nowhere."""
    found = await fresh_document(stores_of(request), "credit", account_id, wanted)
    if found.document is None:
        raise unknown(UNKNOWN_ACCOUNT, found.position, account_id=account_id)
    page = _decode(found.document)
    query = ("credit", account_id)
    below = len(page.movements) if cursor is None else rank_of_cursor(cursor, query)
    first = max(0, len(page.movements) - below)
    page.movements = page.movements[first : first + limit]
    left = below - len(page.movements)
    page.next = cursor_of_rank(left if left > 0 else None, query)
    return answer(_encode(page), found.position, request.headers, cache="holder")
