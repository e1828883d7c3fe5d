"""What a failed call of Stripe means for the money: not done, never done, or nobody knows.

Stripe's exceptions hold the answer's body, with client secrets and shoppers in it. Only a code and the
request's id are taken from them, and each only in its known shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
import stripe

from commands.gateways.gateway import GatewayError, GatewayRefusal, GatewayUnavailable, GatewayUnclear

_CODE = re.compile(r"[a-z0-9_]{1,100}")
_REQUEST_ID = re.compile(r"req_[A-Za-z0-9_]{1,100}")
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def gateway_error(error: stripe.StripeError) -> GatewayError:
    """The port's error for the library's. Raise it outside the handler: its context would hold the body."""
    if error.http_status is None:
        never_sent = isinstance(error.__cause__, _NEVER_SENT)
        return GatewayUnavailable("no_connection") if never_sent else GatewayUnclear("no_answer")
    request_id = request_id_of(error.headers)
    inner = _inner(error) or {}
    code = _code(inner.get("code")) or _code(inner.get("type")) or f"status_{error.http_status}"
    match error.http_status:
        case 400 if inner.get("type") == "idempotency_error":
            return GatewayUnclear("idempotency_error", request_id=request_id, stored=True)
        case 401 | 403 if inner:
            return GatewayUnavailable(code, request_id=request_id, alarm=True)
        case 400 | 402 | 404 if inner and code != "rate_limit":
            return GatewayRefusal(code, request_id=request_id)
        case 400 | 409 | 424 | 429 if inner:
            return GatewayUnavailable(code, request_id=request_id)
        case status:
            # Stripe stores a 500 under the key; what other faults stand in front of it, nobody stores.
            replayed = (error.headers or {}).get("idempotent-replayed") == "true"
            return GatewayUnclear(code, request_id=request_id, stored=status == 500 or replayed)


def declined_intent(error: stripe.StripeError) -> Mapping[str, Any] | None:
    """The PaymentIntent whose attempt the bank declined, where the error is that."""
    inner = _inner(error) or {}
    intent = inner.get("payment_intent")
    if error.http_status != 402 or not isinstance(intent, Mapping):
        return None
    return {**intent, "last_payment_error": intent.get("last_payment_error") or inner}


def request_id_of(headers: Mapping[str, str] | None) -> str | None:
    """Stripe's name for the request: what its support asks for."""
    value = (headers or {}).get("request-id")
    return value if isinstance(value, str) and _REQUEST_ID.fullmatch(value) else None


def _inner(error: stripe.StripeError) -> Mapping[str, Any] | None:
    """The body's `error`; None where the body is not Stripe's. (The library puts headers there then.)"""
    body = error.json_body
    inner = body.get("error") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else None


def _code(value: object) -> str | None:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None
