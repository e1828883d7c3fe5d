"""Stripe's API as far as a shop needs it: operations by their names in Stripe's library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from commands.gateways.sandbox import objects
from commands.gateways.sandbox.objects import Object, unpacked
from commands.gateways.sandbox.payments import Payments, Refused
from commands.gateways.stripe_amounts import chargeable, from_stripe

Parameters = Mapping[str, Any]
"""As in a request's form: text, and maps and lists of it. `id` is the object that the path names."""

_KINDS = {
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "balance_transactions": "balance_transaction",
}


def perform(payments: Payments, operation: str, parameters: Parameters) -> tuple[int, Object]:
    """The response's status and body. Refused for what Stripe answers with an error: nothing was done."""
    if (change := _CHANGES.get(operation)) is not None:
        status, body = change(payments, parameters)
    else:
        status, body = 200, _read(payments, operation, parameters)
    for path in parameters.get("expand") or ():
        _expand(payments, body, str(path).split("."))
    return status, body


# Changes


def _create(payments: Payments, given: Parameters) -> tuple[int, Object]:
    options = (given.get("payment_method_options") or {}).get("card") or {}
    method = given.get("payment_method") or given.get("confirmation_token")
    if "payment_method_types" in given:
        code = "payment_method_types_no_longer_supported"
        raise Refused(code, "Use allowed_payment_method_types.", stored=False, param="payment_method_types")
    if "automatic_payment_methods" in given and "allowed_payment_method_types" in given:
        raise Refused("parameter_invalid", "The two exclude each other.", stored=False)
    intent = payments.create(
        amount=_amount(given, str(given.get("currency"))),
        currency=str(given["currency"]).lower(),
        metadata=_metadata(given),
        in_parts=options.get("request_multicapture") == "if_available",
        method=str(method) if method and _flag(given, "confirm") else None,
    )
    return _attempted(intent)


def _confirm(payments: Payments, given: Parameters) -> tuple[int, Object]:
    intent = payments.load(given["id"], "payment_intent")
    method = given.get("payment_method") or given.get("confirmation_token") or intent["payment_method"]
    payments.attempt(intent, str(method))
    return _attempted(intent)


def _attempted(intent: Object) -> tuple[int, Object]:
    """A card's refusal is an error that carries the payment."""
    error = intent["last_payment_error"]
    if intent["status"] != "requires_payment_method" or error is None:
        return 200, intent
    return 402, {"error": {**error, "payment_intent": intent}}


def _capture(payments: Payments, given: Parameters) -> tuple[int, Object]:
    intent = payments.load(given["id"], "payment_intent")
    named = "amount_to_capture"
    amount = _amount(given, intent["currency"], named) if named in given else None
    payments.capture(intent, amount, final=_flag(given, "final_capture", default=True))
    return 200, intent


def _cancel(payments: Payments, given: Parameters) -> tuple[int, Object]:
    intent = payments.load(given["id"], "payment_intent")
    payments.cancel(intent, given.get("cancellation_reason"))
    return 200, intent


def _refund(payments: Payments, given: Parameters) -> tuple[int, Object]:
    named = given.get("payment_intent")
    if named is None and "charge" in given:
        named = payments.load(given["charge"], "charge")["payment_intent"]
    if named is None:
        raise Refused("parameter_missing", "One of charge and payment_intent is needed.", stored=False)
    intent = payments.load(named, "payment_intent")
    amount = _amount(given, intent["currency"]) if "amount" in given else None
    return 200, payments.refund(intent, amount, _metadata(given))


_CHANGES: dict[str, Callable[[Payments, Parameters], tuple[int, Object]]] = {
    "payment_intents.create": _create,
    "payment_intents.confirm": _confirm,
    "payment_intents.capture": _capture,
    "payment_intents.cancel": _cancel,
    "refunds.create": _refund,
}


# Reads


def _read(payments: Payments, operation: str, given: Parameters) -> Object:
    name, _, verb = operation.partition(".")
    if verb == "retrieve" and name in _KINDS:
        return payments.load(given["id"], _KINDS[name])
    if operation == "events.retrieve":
        row = payments.ledger.row("SELECT body FROM events WHERE id = ?", (given["id"],))
        if row is None:
            raise Refused("resource_missing", f"No such event: '{given['id']}'", status=404, stored=False)
        event: Object = unpacked(row[0])
        return event
    if operation == "webhook_endpoints.list":
        endpoints = unpacked(payments.ledger.setting("webhook_endpoints") or "[]")
        return objects.listed(endpoints, "/v1/webhook_endpoints", more=False)
    if verb == "list" and (name in _KINDS or name == "events"):
        return _list(payments, name, given)
    raise Refused("url_invalid", f"Unrecognized operation {operation}", status=404, stored=False)


def _list(payments: Payments, name: str, given: Parameters) -> Object:
    """Newest first, as Stripe lists."""
    table, kind = ("events", None) if name == "events" else ("objects", _KINDS[name])
    statement = f"SELECT body FROM {table} WHERE 1"
    values: list[Any] = []
    if kind is not None:
        statement += " AND kind = ?"
        values.append(kind)
    created = given.get("created") or {}
    for word, sign in (("gte", ">="), ("gt", ">"), ("lte", "<="), ("lt", "<")):
        if word in created:
            statement += f" AND created {sign} ?"
            values.append(int(created[word]))
    if types := given.get("types"):
        statement += f" AND type IN ({', '.join('?' * len(types))})"
        values += types
    elif name == "events" and "type" in given:
        statement += " AND type = ?"
        values.append(given["type"])
    if kind is not None and "payment_intent" in given:
        statement += " AND payment = ?"
        values.append(given["payment_intent"])
    for name_of in ("charge", "source", "type") if kind is not None else ():
        if name_of in given:
            statement += f" AND json_extract(body, '$.{name_of}') = ?"
            values.append(given[name_of])
    backwards = "ending_before" in given
    for word, sign in (("starting_after", "<"), ("ending_before", ">")):
        if word in given:
            statement += f" AND (created, rowid) {sign} (SELECT created, rowid FROM {table} WHERE id = ?)"
            values.append(given[word])
    limit = int(given.get("limit", 10))
    direction = "ASC" if backwards else "DESC"
    statement += f" ORDER BY created {direction}, rowid {direction} LIMIT ?"
    rows = payments.ledger.rows(statement, [*values, limit + 1])
    found = [unpacked(body) for (body,) in rows[:limit]]
    if kind == "payment_intent":
        found = [payments.load(one["id"]) for one in found]  # a hold may be over by now
    return objects.listed(found[::-1] if backwards else found, f"/v1/{name}", more=len(rows) > limit)


def _expand(payments: Payments, found: Any, path: list[str]) -> None:
    """Puts the object in the place of its id."""
    if isinstance(found, list):
        for one in found:
            _expand(payments, one, path)
    elif isinstance(found, dict) and path:
        name, *rest = path
        if isinstance(found.get(name), str):
            found[name] = payments.load(found[name])
        _expand(payments, found.get(name), rest)


def _metadata(given: Parameters) -> dict[str, str]:
    metadata = {name: str(value) for name, value in (given.get("metadata") or {}).items()}
    if len(metadata) > 50 or any(len(name) > 40 or len(value) > 500 for name, value in metadata.items()):
        raise Refused(
            "metadata_invalid", "At most 50 of 40 and 500 characters", stored=False, param="metadata"
        )
    return metadata


def _amount(given: Parameters, currency: str, name: str = "amount") -> int:
    """An amount in Stripe's unit, with the digits that the currency wants."""
    amount = _whole(given, name)
    try:
        fits = chargeable(from_stripe(amount, currency))
    except ValueError as error:
        fits = str(error)
    if fits is not None:
        code = "invalid_currency" if fits.startswith("currency") else "invalid_amount"
        raise Refused(code, f"{amount} {currency}: {fits}", stored=False, param=name)
    return amount


def _whole(given: Parameters, name: str) -> int:
    try:
        return int(given[name])
    except (KeyError, ValueError):
        raise Refused(
            "parameter_invalid_integer", f"Invalid integer: {name}", stored=False, param=name
        ) from None


def _flag(given: Parameters, name: str, *, default: bool = False) -> bool:
    return str(given[name]).lower() == "true" if name in given else default
