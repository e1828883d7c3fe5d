"""Stripe's objects, as the sandbox makes, stores and shows them.

Amounts are in Stripe's units, times in seconds since 1970. What is stored has neither a client secret nor the
card holder's name: `shown` puts them in.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec

Object = dict[str, Any]

_ENCODER = msgspec.json.Encoder(order="deterministic")

HOLD_SECONDS = 7 * 24 * 3600
DISPUTE_FEE = 1500
CARD_HOLDER = "Jenny Rosen"
_BILLING = {
    "address": {"city": "Poole", "country": "GB", "line1": "27 Fredrick Ave", "postal_code": "BH12 1EQ"},
    "email": "jenny.rosen@example.com",
    "name": CARD_HOLDER,
    "phone": None,
}


def payment_intent(
    identity: str, *, amount: int, currency: str, created: int, metadata: dict[str, str], in_parts: bool
) -> Object:
    """A payment that nobody has tried to make yet."""
    return {
        "id": identity,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "manual",
        "client_secret": None,
        "confirmation_method": "automatic",
        "created": created,
        "currency": currency,
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata,
        "next_action": None,
        "payment_method": None,
        "payment_method_options": {
            "card": {"request_multicapture": "if_available"} if in_parts else {},
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "setup_future_usage": None,
        "shipping": None,
        "status": "requires_payment_method",
    }


def charge(identity: str, intent: Object, *, created: int, error: Object | None) -> Object:
    """An attempt at the payment; `error` says why the bank refused it."""
    in_parts = "request_multicapture" in intent["payment_method_options"]["card"]
    card = {
        "brand": "visa",
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "last4": "4242",
        "multicapture": {"status": "available" if in_parts else "unavailable"},
        "network": "visa",
    }
    if error is None:
        card["capture_before"] = created + HOLD_SECONDS
    return {
        "id": identity,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": None,
        "captured": False,
        "created": created,
        "currency": intent["currency"],
        "disputed": False,
        "failure_code": error["code"] if error else None,
        "failure_message": error["message"] if error else None,
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "outcome": {
            "network_status": "declined_by_network" if error else "approved_by_network",
            "reason": error["decline_code"] if error else None,
            "type": "issuer_declined" if error else "authorized",
        },
        "paid": error is None,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": {"card": card, "type": "card"},
        "refunded": False,
        "status": "failed" if error else "succeeded",
    }


def refund(
    identity: str, charge: Object, *, amount: int, created: int, status: str, metadata: dict[str, str]
) -> Object:
    """Money on its way back to the card."""
    return {
        "id": identity,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "pending_reason": "processing" if status == "pending" else None,
        "reason": None,
        "status": status,
    }


def dispute(
    identity: str, charge: Object, *, amount: int, created: int, status: str, reason: str = "fraudulent"
) -> Object:
    """The card holder says that the charge is wrong; an inquiry where the status is a warning."""
    return {
        "id": identity,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "is_charge_refundable": status.startswith("warning"),
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": status,
    }


def balance_transaction(
    identity: str, source: Object, *, category: str, amount: int, fee: int, created: int
) -> Object:
    """A movement of our balance at the gateway. Of disputes the type is an adjustment."""
    return {
        "id": identity,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created,
        "created": created,
        "currency": source["currency"],
        "exchange_rate": None,
        "fee": fee,
        "net": amount - fee,
        "reporting_category": category,
        "source": source["id"],
        "status": "available",
        "type": "adjustment" if category.startswith("dispute") else category,
    }


def charge_fee(amount: int, currency: str) -> int:
    """What the sandbox takes of a charge: 1.5 % and 25; a multiple of 100 in ISK and UGX."""
    fee = amount * 15 // 1000 + 25
    return fee // 100 * 100 if currency in ("isk", "ugx") else fee


def event(
    identity: str, kind: str, about: Object, *, created: int, request: Object, api_version: str
) -> Object:
    """Something happened; with the object as it was then."""
    return {
        "id": identity,
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": 1,
        "request": request,
        "type": kind,
    }


def packed(value: Any) -> str:
    """The value as JSON, the same for the same value."""
    return _ENCODER.encode(value).decode()


def unpacked(text: str) -> Any:
    """What was packed. ValueError for what is no JSON."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError("no JSON") from error


def listed(objects: list[Object], url: str, *, more: bool) -> Object:
    """A page of a list."""
    return {"object": "list", "data": objects, "has_more": more, "url": url}


def client_secret(intent_id: str, secret: str) -> str:
    """What lets a shopper act on the payment: made from the sandbox's secret, so stored nowhere."""
    proof = hmac.new(secret.encode(), intent_id.encode(), hashlib.sha256).hexdigest()
    return f"{intent_id}_secret_{proof[:24]}"


def shown(value: Any, secret: str) -> Any:
    """The value with client secrets and the card holder, as Stripe shows it; changed in place."""
    if isinstance(value, list):
        for part in value:
            shown(part, secret)
    elif isinstance(value, dict):
        kind = value.get("object")
        if kind == "payment_intent":
            value["client_secret"] = client_secret(value["id"], secret)
        elif kind == "charge" and isinstance(value.get("amount"), int):
            value["billing_details"] = _BILLING
        for part in value.values():
            if isinstance(part, dict | list):
                shown(part, secret)
    return value
