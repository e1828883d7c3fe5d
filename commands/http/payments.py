"""Routes on payments: the gateway's news, a shopper's proof of who they are, and the operator's list."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.security import APIKeyHeader
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from aggregates.cart import cart
from aggregates.cart.cart import Cart, UnknownCart
from aggregates.folds import kind_of
from aggregates.kernel import Rejected
from aggregates.payments import payment
from aggregates.payments.payment import Payment, PaymentNotPossible
from commands.codec import CODEC
from commands.gateways.gateway import (
    Gateway,
    GatewayError,
    GatewayRefusal,
    NewsRejected,
)
from commands.http.problems import (
    CART_NOT_CHECKED_OUT,
    GATEWAY_UNAVAILABLE,
    NEWS_REJECTED,
    TOO_MANY_REQUESTS,
)
from commands.http.responses import PROBLEM
from commands.http.schemas import IdPath
from commands.processes.gateway_news import command_of, context_of
from deploy.edge.problems import ProblemError

router = APIRouter(prefix="/api/v1", tags=["payments"])
log_lines = structlog.get_logger("commands.http")

SIGNED = APIKeyHeader(
    name="Stripe-Signature",
    scheme_name="gateway",
    description="The gateway's signature of the body's bytes, under the secret that both sides share.",
    auto_error=False,
)
ACTIONS_PER_MINUTE = RateLimitItemPerMinute(12)
"""Of one cart, in each command process: each asks the gateway."""

_actions = FixedWindowRateLimiter(MemoryStorage())  # whose moving windows would keep every key for ever


class WebhookResponse(BaseModel):
    """The news was taken: `recorded` says whether it was written down, as what is not ours is not."""

    recorded: bool


class PaymentAction(BaseModel):
    """What the gateway's own script needs in the shopper's browser."""

    client_secret: str
    publishable_key: str | None


@router.post(
    "/payments/webhooks/stripe",
    summary="Take the gateway's news",
    response_model=WebhookResponse,
    dependencies=[Depends(SIGNED)],
    responses=dict.fromkeys((400, 405, 413, 415, 503), PROBLEM),
    openapi_extra={
        "parameters": [
            {
                "name": "Stripe-Signature",
                "in": "header",
                "required": True,
                "description": "Signs the body: `t=<seconds>,v1=<HMAC-SHA256, hex>`.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    },
)
async def take_news(request: Request) -> Response:
    """For the gateway alone: what is not signed by it is refused. Each news is written down once for ever.

    Answered once the news is durable; where the log is away with 503, and the gateway sends it again.
    """
    gateway: Gateway = request.app.state.gateway
    now = datetime.now(UTC)
    signature = ",".join(request.headers.getlist("stripe-signature"))
    try:
        news = gateway.news(await request.body(), signature, now)
    except NewsRejected as error:
        raise ProblemError(NEWS_REJECTED, str(error)) from None
    command = command_of(news, received_on=now)
    if command is None:
        if news.ignored in ("livemode", "account"):
            log_lines.error("news_of_another_account", reason=news.ignored, kind=news.kind, id=news.event_id)
        return JSONResponse({"recorded": False})
    if news.other_version:  # What it tells is not read: the payment is looked at instead.
        log_lines.error("webhook_has_another_api_version", kind=news.kind, id=news.event_id)
    await request.app.state.handling.handle(command, context_of(gateway, request.state.trace_id))
    return JSONResponse({"recorded": True})


@router.post(
    "/carts/{cart_id}/payment-action",
    summary="Prove who you are",
    response_model=PaymentAction,
    responses=dict.fromkeys((400, 404, 405, 409, 413, 415, 422, 429, 503), PROBLEM),
)
async def payment_action(request: Request, cart_id: IdPath) -> Response:
    """While the order's payment is `action_required`: the gateway's secret for the shopper's browser.

    For who knows the cart's id. The secret is asked of the gateway each time, and written down nowhere.
    """
    if not _actions.hit(ACTIONS_PER_MINUTE, cart_id):
        raise ProblemError(TOO_MANY_REQUESTS)
    held: Cart = await _state(request, cart.stream(cart_id))
    if held.status == "unknown":
        raise Rejected(UnknownCart(cart_id))
    if held.order_id is None:
        raise ProblemError(CART_NOT_CHECKED_OUT)
    paid: Payment = await _state(request, payment.stream(held.order_id))
    waiting = next((known.reference for known in paid.open if known.acting and not known.most), None)
    if waiting is None:
        raise Rejected(
            PaymentNotPossible(order_id=held.order_id, step="payment-action", payment_status=paid.status)
        )
    gateway: Gateway = request.app.state.gateway
    try:
        secret = await gateway.action(waiting)
    except GatewayRefusal:
        raise Rejected(
            PaymentNotPossible(order_id=held.order_id, step="payment-action", payment_status=paid.status)
        ) from None
    except GatewayError as error:
        if error.alarm:
            log_lines.critical("gateway_access_denied", code=error.code, request_id=error.request_id)
        raise ProblemError(GATEWAY_UNAVAILABLE) from None
    return JSONResponse(
        {"client_secret": secret.value, "publishable_key": gateway.publishable_key},
        headers={"Cache-Control": "no-store"},
    )


async def _state(request: Request, stream: str) -> Any:
    """The stream's state as the log has it."""
    kind = kind_of(stream)
    events = await asyncio.to_thread(request.app.state.log.read_stream, stream)
    return kind.fold(kind.initial(), map(CODEC.decode, events))
