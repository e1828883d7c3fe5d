"""Routes on orders: checkout, cancel, fulfilments, returns, refunds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from aggregates.orders.events import Address
from commands.fulfilment import FulfilOrder, ReturnLines
from commands.http import order_secrets
from commands.http.answers import answered, answered_after_step, documented, outcome, response_of
from commands.http.json_bodies import JsonRoute
from commands.http.limits import within
from commands.http.requests import (
    ORDER_SECRET_PARAMETER,
    operator_only,
    operator_or_secret,
    wait_asked,
)
from commands.http.shapes import (
    AMOUNT_MAX,
    INTEGRAL,
    PRINTABLE_LINE,
    AnswerBody,
    Body,
    IdPath,
    Line,
    LineQuantityBody,
    MoneyBody,
    OrderPartAnswer,
    Reason,
)
from commands.orders import CancelOrder, PlaceOrder
from commands.refunds import RefundOrder
from event_store.ids import new_id

router = APIRouter(route_class=JsonRoute, prefix="/api/v1", tags=["orders"])

STEP_SECONDS_MAX = 5.0
"""How long a refund or a fulfilment is kept waiting for the gateway before it is answered without it."""

Lines = Annotated[list[LineQuantityBody] | None, Field(min_length=1, max_length=1_000)]


class AddressBody(Body):
    """Where to send the order."""

    name: Line
    line1: Line
    line2: Line | None = None
    city: Line
    postal_code: Annotated[str, Field(pattern=PRINTABLE_LINE, max_length=20)]
    country: Annotated[str, Field(pattern=PRINTABLE_LINE, min_length=2, max_length=60, examples=["GB"])]


class PaymentBody(Body):
    """How to pay: the gateway's name for the means of payment."""

    method: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,255}$", examples=["pm_card_visa"])]


class CheckoutBody(Body):
    """What an order needs beside its cart."""

    email: Annotated[
        str,
        Field(pattern=r"^[^@\x00-\x20\x7f]{1,64}@[^@\x00-\x20\x7f]{1,190}$", examples=["anna@example.com"]),
    ]
    shipping_address: AddressBody
    payment: PaymentBody


class CancelBody(Body):
    """Why the order is given up."""

    reason: Reason = "canceled"


class FulfilmentBody(Body):
    """What is sent; without `lines` all that remains."""

    lines: Lines = None
    reason: Reason | None = None


class ReturnBody(Body):
    """What came back; without `lines` all that is out."""

    lines: Lines = None
    reason: Reason = "returned"
    restock: bool = True


class RefundAmount(MoneyBody):
    """An amount to be paid back."""

    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX), INTEGRAL]


class RefundBody(Body):
    """What is paid back: an amount, the worth of lines, or without either all that remains."""

    amount: RefundAmount | None = None
    lines: Lines = None
    reason: Reason = "refunded"


class CheckoutAnswer(AnswerBody):
    """The order that was placed, and what shows that it is the asker's."""

    order_secret: str


@router.post(
    "/carts/{cart_id}/checkout", summary="Check a cart out", **documented(CheckoutAnswer, key="required")
)
async def check_out(
    request: Request,
    cart_id: IdPath,
    body: CheckoutBody,
    prefer: Annotated[
        str | SkipJsonSchema[None], Header(description="`wait=SECONDS`: wait for the payment")
    ] = None,
) -> Response:
    """Cart, order and stock are committed together; the payment follows, and is read from the order.

    `Prefer: wait=SECONDS` waits for the payment's outcome. The answer's `id` is the order's; `order_secret`
    shows the order as the asker's later on, where that is asked for. A retry is told the same one.
    """
    settings, installation_secret = request.app.state.settings, request.app.state.secret
    order_id = new_id()
    now = datetime.now(UTC)
    address = body.shipping_address
    command = PlaceOrder(
        cart_id=cart_id,
        order_id=order_id,
        secret_hash=order_secrets.hash_of(order_secrets.order_secret(installation_secret, order_id)),
        email=body.email,
        shipping_address=Address(
            name=address.name,
            line1=address.line1,
            line2=address.line2,
            city=address.city,
            postal_code=address.postal_code,
            country=address.country,
        ),
        payment_method=body.payment.method,
        capture=settings.capture,
        placed_on=now.date(),
        expires_at=now + timedelta(seconds=settings.reservation_seconds),
    )
    answer = await outcome(request, command, keyed=True, step_seconds=wait_asked(prefer))
    return response_of(answer, order_secret=order_secrets.order_secret(installation_secret, answer.id))


@router.post(
    "/orders/{order_id}/cancel",
    summary="Cancel an order",
    dependencies=[Depends(operator_or_secret)],
    **documented(AnswerBody, created=False, key="taken", parameters=[ORDER_SECRET_PARAMETER]),
)
async def cancel_order(request: Request, order_id: IdPath, body: CancelBody | None = None) -> Response:
    """Possible until something was sent. Units go back on sale, and what was paid goes back.

    Where an operator token is set, for the operator and whoever holds the order's secret.
    """
    command = CancelOrder(order_id=order_id, reason=(body or CancelBody()).reason)
    return await answered_after_step(request, command, seconds=STEP_SECONDS_MAX)


@router.post(
    "/orders/{order_id}/fulfilments",
    summary="Send lines of an order",
    dependencies=[Depends(operator_only)],
    **documented(OrderPartAnswer, key="taken"),
)
async def fulfil_order(request: Request, order_id: IdPath, body: FulfilmentBody | None = None) -> Response:
    """The first fulfilment takes the money, in full. The answer's `id` is the fulfilment's."""
    command = FulfilOrder(
        order_id=order_id,
        fulfilment_id=new_id(),
        lines=_units((body or FulfilmentBody()).lines),
    )
    return await answered_after_step(request, command, seconds=STEP_SECONDS_MAX)


@router.post(
    "/orders/{order_id}/returns",
    summary="Take lines of an order back",
    dependencies=[Depends(operator_only)],
    **documented(OrderPartAnswer, key="taken"),
)
async def return_lines(request: Request, order_id: IdPath, body: ReturnBody | None = None) -> Response:
    """Units that were sent came back. Paying for them is a refund. The answer's `id` is the return's."""
    said = body or ReturnBody()
    command = ReturnLines(
        order_id=order_id,
        return_id=new_id(),
        restock=said.restock,
        reason=said.reason,
        lines=_units(said.lines),
    )
    return await answered(request, command)


@router.post(
    "/orders/{order_id}/refunds",
    summary="Pay money back",
    dependencies=[Depends(operator_only)],
    **documented(OrderPartAnswer, key="required"),
)
async def refund_order(request: Request, order_id: IdPath, body: RefundBody | None = None) -> Response:
    """Before anything was captured a refund of the whole gives up the hold and cancels the order.

    The answer's `id` is the refund's, and its credit note's. Needs an Idempotency-Key.
    """
    said = body or RefundBody()
    if said.amount is not None:
        within(request, "price_minor_max", said.amount.amount, "amount")
    command = RefundOrder(
        order_id=order_id,
        credit_note_id=new_id(),
        reason=said.reason,
        issued_on=datetime.now(UTC).date(),
        amount=said.amount.money() if said.amount else None,
        lines=_units(said.lines),
    )
    return await answered_after_step(request, command, seconds=STEP_SECONDS_MAX, keyed=True)


def _units(lines: list[LineQuantityBody] | None) -> Mapping[str, int] | None:
    """Units by line; what names a line twice means the sum."""
    if lines is None:
        return None
    units: Counter[str] = Counter()
    for line in lines:
        units[line.line_id] += line.quantity
    return units
