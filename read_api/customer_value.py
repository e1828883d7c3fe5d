"""What a customer is worth to the merchant."""

from __future__ import annotations

from datetime import date

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from deploy.edge.problems import TOKEN_REQUIRED
from projections.documents.shapes import CustomerValueDocument, Money
from read_api.access import operator_only
from read_api.freshness import fresh_document
from read_api.openapi import CustomerValue, CustomerValueSums, documented
from read_api.requests import Identifier, WantedFreshness
from read_api.responses import answer
from read_api.stores import stores_of

router = APIRouter(prefix="/api/v1", tags=["orders"])

_value = msgspec.json.Decoder(CustomerValueDocument)


@router.get(
    "/customers/{customer_id}/value",
    summary="A customer's value",
    dependencies=[Depends(operator_only)],
    **documented(CustomerValue, TOKEN_REQUIRED),
)
async def value(request: Request, customer_id: Identifier, wanted: WantedFreshness) -> Response:
    """Orders and sums by currency, canceled orders out. A customer without orders, known or not, has none.
    For the operator."""
    found = await fresh_document(stores_of(request), "customer_value", customer_id, wanted)
    document = (
        CustomerValueDocument(customer_id, found.position)
        if found.document is None
        else _value.decode(found.document)
    )
    return answer(msgspec.json.encode(_shown(document)), found.position, request.headers, cache="holder")


def _shown(document: CustomerValueDocument) -> CustomerValue:
    return CustomerValue(
        customer_id=document.customer_id,
        orders=document.orders,
        first_order_on=_day(document.first_order_on),
        last_order_on=_day(document.last_order_on),
        sums=[
            CustomerValueSums(
                currency=sums.currency,
                orders=sums.orders,
                gross=Money(sums.gross, sums.currency),
                returns=Money(sums.returns, sums.currency),
                net=Money(sums.net, sums.currency),
            )
            for sums in document.sums
        ],
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
