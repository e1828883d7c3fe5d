"""Stripe's objects and events as it sends them, with all that must never leave the adapter."""

from __future__ import annotations

from typing import Any

from commands.gateways.stripe_events import API_VERSION

ORDER = "5" * 32
STEP = f"checkout-{ORDER}/1"
INTENT, CHARGE, REFUND, DISPUTE = "pi_3Qx1", "ch_3Qx1", "re_3Qx1", "du_3Qx1"
CREATED = 1_795_000_000
PERSONAL = ("pi_3Qx1_secret_4ZkT", "Anna Ahlgren", "anna@example.com", "1 High Street", "4242", "fp_9Zq")
"""Each stands somewhere in these objects."""

Object = dict[str, Any]


def intent(status: str = "requires_capture", **members: Any) -> Object:
    held = 1299 if status == "requires_capture" else 0
    return {
        "id": INTENT,
        "object": "payment_intent",
        "amount": 1299,
        "amount_capturable": held,
        "amount_received": 1299 if status == "succeeded" else 0,
        "cancellation_reason": None,
        "client_secret": PERSONAL[0],
        "currency": "eur",
        "last_payment_error": None,
        "latest_charge": CHARGE,
        "livemode": False,
        "metadata": {"order": ORDER, "step": STEP},
        "receipt_email": PERSONAL[2],
        "shipping": {"name": PERSONAL[1], "address": {"line1": PERSONAL[3]}},
        "status": status,
    } | members


def charge(status: str = "succeeded", **members: Any) -> Object:
    return {
        "id": CHARGE,
        "object": "charge",
        "amount": 1299,
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": {"name": PERSONAL[1], "email": PERSONAL[2], "address": {"line1": PERSONAL[3]}},
        "captured": False,
        "currency": "eur",
        "failure_code": None,
        "metadata": {"order": ORDER, "step": STEP},
        "payment_intent": INTENT,
        "payment_method_details": {
            "card": {
                "capture_before": CREATED + 7 * 86400,
                "fingerprint": PERSONAL[5],
                "last4": PERSONAL[4],
                "multicapture": {"status": "unavailable"},
            },
            "type": "card",
        },
        "status": status,
    } | members


def refund(status: str | None = "succeeded", **members: Any) -> Object:
    return {
        "id": REFUND,
        "object": "refund",
        "amount": 500,
        "charge": CHARGE,
        "currency": "eur",
        "metadata": {"credit_note": "c" * 32, "step": f"checkout-{ORDER}/4"},
        "payment_intent": INTENT,
        "status": status,
    } | members


def transaction(name: str, amount: int, fee: int = 0, currency: str = "eur") -> Object:
    return {"id": name, "object": "balance_transaction", "amount": amount, "fee": fee, "currency": currency}


def dispute(*transactions: Object, status: str = "needs_response", **members: Any) -> Object:
    return {
        "id": DISPUTE,
        "object": "dispute",
        "amount": 1299,
        "balance_transactions": list(transactions),
        "charge": CHARGE,
        "currency": "eur",
        "evidence": {"customer_name": PERSONAL[1], "customer_email_address": PERSONAL[2]},
        "payment_intent": INTENT,
        "status": status,
    } | members


def event(kind: str, found: Object, **members: Any) -> Object:
    return {
        "id": "evt_3Qx1",
        "object": "event",
        "api_version": API_VERSION,
        "created": CREATED,
        "data": {"object": found, "previous_attributes": {"receipt_email": PERSONAL[2]}},
        "livemode": False,
        "request": {"id": "req_1", "idempotency_key": STEP},
        "type": kind,
    } | members


def thin(kind: str, related: str, **members: Any) -> Object:
    return {
        "id": "evt_65RCjT",
        "object": "v2.core.event",
        "created": "2026-11-18T11:06:40.123Z",
        "livemode": False,
        "context": None,
        "related_object": {"id": related, "type": "payment_intent", "url": f"/v1/payment_intents/{related}"},
        "snapshot_event": "evt_3Qx1",
        "type": kind,
    } | members
