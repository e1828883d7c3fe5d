"""Routes on orders: checkout, cancel, fulfilments, returns, refunds."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from aggregates.credit.account import CreditUnknown
from aggregates.customers.shopper import guest_key
from aggregates.pricing.context import VatStatus
from commands.gift_codes import GiftCodes
from commands.handlers.cancel_order import CancelOrder
from commands.handlers.credit import NamedCredit
from commands.handlers.fulfilment import FulfilOrder, ReturnLines
from commands.handlers.orders import PlaceOrder
from commands.handlers.refunds import RefundOrder
from commands.http import order_secrets
from commands.http.addresses import check_address
from commands.http.guesses import Guesses
from commands.http.json_bodies import JsonRoute
from commands.http.order_bodies import (
    CancelBody,
    CheckoutBody,
    FulfilmentBody,
    RefundBody,
    ReturnBody,
)
from commands.http.requests import (
    ORDER_SECRET_PARAMETER,
    operator_only,
    operator_or_secret,
    wait_seconds,
)
from commands.http.responses import answered, answered_after_step, documented, outcome, response_of
from commands.http.schemas import (
    AnswerBody,
    IdPath,
    OrderPartAnswer,
)
from commands.http.validation_errors import check_limit
from commands.http.vat import check_vat_number
from event_store.ids import new_id

router = APIRouter(route_class=JsonRoute, prefix="/api/v1", tags=["orders"])

STEP_SECONDS_MAX = 5.0
"""How long a refund or a fulfilment is kept waiting for the gateway before it is answered without it."""


class CheckoutAnswer(AnswerBody):
    """The order that was placed, and what shows that it is the asker's.

    `vat_status`: what is known of the VAT number that came along; `unconfirmed` ones are taxed.
    """

    order_secret: str
    vat_status: VatStatus | None = None


class SoldGiftCard(BaseModel):
    """A unit of a gift card that was sent: its line, its account, its code."""

    line_id: str
    account_id: str
    code: str


class FulfilmentAnswer(OrderPartAnswer):
    """The fulfilment, and the gift cards in it; null where it has none."""

    gift_cards: list[SoldGiftCard] | None = None


@router.post(
    "/carts/{cart_id}/checkout",
    summary="Check a cart out",
    **documented(CheckoutAnswer, key="required", statuses=(429,)),
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

    `credits` pay first: gift cards by their codes, and the store credit of the cart's customer; lines that
    are gift cards they do not pay. An order that costs nothing, or that they pay, needs no `payment`, and is
    confirmed at once.
    `Prefer: wait=SECONDS` waits for the payment's outcome. The answer's `id` is the order's; `order_secret`
    shows the order as the asker's later on, where that is asked for. A retry gets the same one.
    """
    settings, installation_secret = request.app.state.settings, request.app.state.secret
    check_address(settings.address_check, body.shipping_address, "shipping_address")
    if body.billing_address is not None:
        check_address(settings.address_check, body.billing_address, "billing_address")
    order_id = new_id()
    now = datetime.now(UTC)
    codes: GiftCodes = request.app.state.gift_codes
    vat = await check_vat_number(request, body.vat_number, now, tries=request.app.state.vat_checks)
    command = PlaceOrder(
        cart_id=cart_id,
        order_id=order_id,
        secret_hash=order_secrets.hash_of(order_secrets.order_secret(installation_secret, order_id)),
        email=body.email,
        shipping_address=body.shipping_address.address(),
        billing_address=body.billing_address.address() if body.billing_address else None,
        vat_number=None if vat is None else vat.number,
        vat_check=None if vat is None else vat.check,
        payment_method=body.payment.means if body.payment else None,
        capture=settings.capture,
        at=now,
        locked_until=now + timedelta(seconds=settings.price_lock_seconds),
        shopper=guest_key(order_secrets.address_hash(installation_secret, body.email)),
        total=body.total.money() if body.total else None,
        credits=tuple(
            NamedCredit(
                account_id=codes.account_id(one.code) if one.code else one.account_id,
                by_code=bool(one.code),
                amount=one.amount.money() if one.amount else None,
            )
            for one in body.credits
        ),
        expires_at=now + timedelta(seconds=settings.reservation_seconds),
    )
    guesses: Guesses = request.app.state.guesses
    async with guesses.guess(request, CreditUnknown) if body.credits else nullcontext():
        answer = await outcome(request, command, keyed=True, step_seconds=wait_seconds(prefer))
    return response_of(answer, order_secret=order_secrets.order_secret(installation_secret, answer.id))


@router.post(
    "/orders/{order_id}/cancel",
    summary="Cancel an order",
    dependencies=[Depends(operator_or_secret)],
    **documented(AnswerBody, created=False, key="taken", parameters=[ORDER_SECRET_PARAMETER]),
)
async def cancel_order(request: Request, order_id: IdPath, body: CancelBody | None = None) -> Response:
    """Possible until something was sent. Units go back on sale, and what was paid goes back.

    Where an operator token is set, for the operator and clients that hold the order's secret.
    """
    command = CancelOrder(
        order_id=order_id,
        canceled_on=datetime.now(UTC).date(),
        reason=(body or CancelBody()).reason,
    )
    return await answered_after_step(request, command, seconds=STEP_SECONDS_MAX)


@router.post(
    "/orders/{order_id}/fulfilments",
    summary="Send lines of an order",
    dependencies=[Depends(operator_only)],
    **documented(FulfilmentAnswer, key="taken"),
)
async def fulfil_order(request: Request, order_id: IdPath, body: FulfilmentBody | None = None) -> Response:
    """The first fulfilment takes the money, in full. The answer's `id` is the fulfilment's. Each unit of a
    gift card is opened with its price; `gift_cards` has the codes, which are stored nowhere: only this
    request, repeated with its key, gets them again.
    """
    codes: GiftCodes = request.app.state.gift_codes
    command = FulfilOrder(
        order_id=order_id,
        fulfilment_id=new_id(),
        sent_at=datetime.now(UTC),
        lines=(body or FulfilmentBody()).units(),
        codes=codes,
    )
    answer = await outcome(request, command, step_seconds=STEP_SECONDS_MAX)
    cards: list[dict[str, Any]] = [
        {
            "line_id": card["line_id"],
            "account_id": card["account_id"],
            "code": codes.sold(order_id, card["line_id"], card["unit"]),
        }
        for card in answer.facts.get("gift_cards", ())
    ]
    return response_of(answer, gift_cards=cards) if cards else response_of(answer)


@router.post(
    "/orders/{order_id}/returns",
    summary="Take lines of an order back",
    dependencies=[Depends(operator_only)],
    **documented(OrderPartAnswer, key="taken"),
)
async def return_lines(request: Request, order_id: IdPath, body: ReturnBody | None = None) -> Response:
    """Units that were sent came back. Paying for them is a refund. The answer's `id` is the return's."""
    wanted = body or ReturnBody()
    command = ReturnLines(
        order_id=order_id,
        return_id=new_id(),
        restock=wanted.restock,
        reason=wanted.reason,
        lines=wanted.units(),
    )
    return await answered(request, command)


@router.post(
    "/orders/{order_id}/refunds",
    summary="Pay money back",
    dependencies=[Depends(operator_only)],
    **documented(OrderPartAnswer, key="required"),
)
async def refund_order(request: Request, order_id: IdPath, body: RefundBody) -> Response:
    """An amount, the worth of lines and of shipping, or all that remains: one of them is required.

    Units that lines or `all` name and that were not sent are not sent from now on, and go on sale again once
    the money is back. Before anything was captured a refund of the whole gives up the hold and cancels the
    order; so does one of the whole before anything was sent. The answer's `id` is the refund's, and its
    credit note's. Needs an Idempotency-Key.
    """
    if body.amount is not None:
        check_limit(request, "price_minor_max", body.amount.amount, "amount")
    command = RefundOrder(
        order_id=order_id,
        credit_note_id=new_id(),
        reason=body.reason,
        issued_on=datetime.now(UTC).date(),
        amount=body.amount.money() if body.amount else None,
        lines=body.units(),
        shipping=body.charges is not None,
        to=None if body.to is None else {one.tender: one.amount.money() for one in body.to},
    )
    return await answered_after_step(request, command, seconds=STEP_SECONDS_MAX, keyed=True)
