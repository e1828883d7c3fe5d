"""The ledger of the code before: its charges become payments with refunds of their own, its calls stay."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from typing import Any

from aggregates.kernel import Money
from commands.gateways.sandbox import objects
from commands.gateways.sandbox.objects import Object, packed, unpacked
from commands.gateways.stripe_amounts import to_stripe

_OPERATIONS = {
    "authorize": "payment_intents.create",
    "capture": "payment_intents.capture",
    "void": "payment_intents.cancel",
    "refund": "refunds.create",
}


def set_aside(ledger: sqlite3.Connection) -> bool:
    """Renames the old tables; False where there are none."""
    tables = {name for (name,) in ledger.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "charges" not in tables:
        return False
    ledger.execute("ALTER TABLE charges RENAME TO charges_before")
    ledger.execute("ALTER TABLE calls RENAME TO calls_before")
    return True


def migrate(ledger: sqlite3.Connection) -> None:
    """Moves what the old tables hold into the new ones. A payment keeps its reference, a call its key."""
    now = int(time.time())
    calls = [
        (key, unpacked(request), unpacked(answer))
        for key, request, answer in ledger.execute(
            "SELECT key, request, answer FROM calls_before ORDER BY rowid"
        ).fetchall()
    ]
    steps = {_reference(key): key for key, request, _ in calls if request[0] == "authorize"}
    payments: dict[str, Object] = {}
    charges: dict[str, Object] = {}
    rows = ledger.execute(
        "SELECT reference, order_id, method, currency, amount, status, captured, refunded"
        " FROM charges_before ORDER BY rowid"
    )
    refunded: dict[str, int] = {}
    for reference, order_id, method, currency, *amounts, in_all in rows.fetchall():
        amount, status, captured = amounts
        intent, charge = _payment(
            reference, order_id, method, currency, amount, status, captured, now, steps.get(reference, "")
        )
        payments[reference], charges[reference] = intent, charge
        refunded[reference] = in_all
        _save(ledger, intent, intent["id"], order_id)
        if intent["latest_charge"]:
            _save(ledger, charge, intent["id"])
        if captured:
            fee = objects.charge_fee(charge["amount_captured"], charge["currency"])
            charge["balance_transaction"] = _move(
                ledger, charge, charge, "charge", charge["amount_captured"], fee
            )
    for key, request, answer in calls:
        body: Object
        status = 200
        if request[0] == "refund":
            body = _refund(ledger, charges[request[1]], Money(*request[2:]), now, key)
            refunded[request[1]] -= request[2]
        else:
            body = payments[_reference(key) if request[0] == "authorize" else request[1]]
            if answer[0] == "Declined":
                status = 402
                error = body["last_payment_error"]
                body = {"error": error | {"payment_intent": body}}
        ledger.execute(
            "INSERT INTO calls (key, created, request, status, body, request_id) VALUES (?, ?, ?, ?, ?, ?)",
            (
                key,
                now,
                packed([_OPERATIONS[request[0]]]),
                status,
                packed(body),
                f"req_before_{_digest(key)}",
            ),
        )
    for reference, amount in refunded.items():
        if amount > 0:  # a refund whose call is not in the ledger
            _refund(
                ledger, charges[reference], Money(amount, charges[reference]["currency"].upper()), now, ""
            )
    for charge in charges.values():
        if charge["id"] == payments[charge["payment_intent"]]["latest_charge"]:
            _save(ledger, charge, charge["payment_intent"])
    ledger.execute("DROP TABLE charges_before")
    ledger.execute("DROP TABLE calls_before")


def _payment(
    reference: str,
    order_id: str,
    method: str,
    currency: str,
    amount: int,
    status: str,
    captured: int,
    now: int,
    step: str,
) -> tuple[Object, Object]:
    intent = objects.payment_intent(
        reference,
        amount=to_stripe(Money(amount, currency)),
        currency=currency.lower(),
        created=now,
        metadata={"order": order_id, "step": step},
        in_parts=False,
    )
    intent["payment_method"] = method
    error: Object | None = None
    if status == "declined":
        error = {
            "code": "card_declined",
            "decline_code": "generic_decline",
            "message": "Your card was declined.",
            "payment_method": {"id": method, "object": "payment_method", "type": "card"},
            "type": "card_error",
        }
        intent["last_payment_error"] = error
    charge = objects.charge(f"ch_{_digest(reference)}", intent, created=now, error=error)
    if status != "action_required":
        intent["latest_charge"] = charge["id"]
    taken = to_stripe(Money(captured, currency))
    match status:
        case "authorized":
            intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        case "action_required":
            action = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
            intent |= {"status": "requires_action", "next_action": action}
        case "captured":
            intent |= {"status": "succeeded", "amount_received": taken}
            charge |= {"captured": True, "amount_captured": taken}
        case "voided":
            intent |= {"status": "canceled", "canceled_at": now}
    return intent, charge


def _refund(ledger: sqlite3.Connection, charge: Object, amount: Money, now: int, step: str) -> Object:
    given = to_stripe(amount)
    charge["amount_refunded"] += given
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    refund = objects.refund(
        f"re_{_digest(charge['id'] + step)}",
        charge,
        amount=given,
        created=now,
        status="succeeded",
        metadata={"step": step} if step else {},
    )
    refund["balance_transaction"] = _move(ledger, refund, charge, "refund", -given, 0)
    _save(ledger, refund, charge["payment_intent"])
    return refund


def _move(
    ledger: sqlite3.Connection, source: Object, charge: Object, category: str, amount: int, fee: int
) -> str:
    moved = objects.balance_transaction(
        f"txn_{_digest(source['id'])}",
        source,
        category=category,
        amount=amount,
        fee=fee,
        created=source["created"],
    )
    _save(ledger, moved, charge["payment_intent"])
    return str(moved["id"])


def _save(ledger: sqlite3.Connection, one: Object, payment: str, order_id: Any = None) -> None:
    ledger.execute(
        "INSERT INTO objects (id, kind, payment, order_id, created, body) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
        (one["id"], one["object"], payment, order_id, one["created"], packed(one)),
    )


def _reference(key: str) -> str:
    return f"ch_sandbox_{_digest(key)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
