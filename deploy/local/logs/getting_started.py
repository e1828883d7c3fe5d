"""Printed once the system is ready: the addresses, and three things to try."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

from deploy.local.addresses import Addresses

_ADDRESS = '{"name":"Ann","line1":"1 High Street","city":"York","postal_code":"YO1 7EP","country":"GB"}'
_ORDER = f'{{"email":"ann@example.com","shipping_address":{_ADDRESS},"payment":{{"method":"pm_card_visa"}}}}'
_RECEIPT = '{"quantity":10,"reason":"delivery"}'

_ID = r"""sed 's/.*"id": *"\([^"]*\)".*/\1/'"""
_NO_PRODUCT = ("MUG-1", "GBP")
_TOKEN = ' -H "Authorization: Bearer $DAYBOOK_OPERATOR_TOKEN"'


def getting_started(addresses: Addresses, *, token_is_set: bool) -> str:
    """Lines that can be pasted into a shell as they stand; where an operator token is set, into one that
    has it in DAYBOOK_OPERATOR_TOKEN."""
    token = _TOKEN if token_is_set else ""
    write, read, data = addresses.commands_url, addresses.read_url, addresses.data_dir
    found = _some_product(read)
    sku, currency = found or _NO_PRODUCT
    if found is None:
        first = [
            "1. List a product and put it on the shelf",
            _post(f"{write}/api/v1/products", _product(sku, currency), token),
            _post(f"{write}/api/v1/inventory/{sku}/receipts", _RECEIPT, token, key="receipt"),
        ]
    else:
        first = [
            "1. Look at a product, or search for one",
            f"   curl -s {read}/api/v1/products/{sku}",
            f"   curl -s '{read}/api/v1/search?q=mug&in_stock=true'",
        ]
    open_cart = _post(f"{write}/api/v1/carts", json.dumps({"currency": currency})).strip()
    check_out = _post(f'"{write}/api/v1/carts/$CART/checkout"', _ORDER, key="$CART").strip()
    folder = "" if data == Path(".daybook").resolve() else f" --data {data}"
    lines = [
        "",
        "Daybook is ready.",
        f"  commands  {write}   (what it takes: {write}/docs)",
        f"  queries   {read}   (what it answers: {read}/docs)",
        *([] if addresses.kafka is None else [f"  stream    {addresses.kafka}   (Kafka; docs/stream.md)"]),
        f"  data      {data}   (logs in {data / 'logs'})",
        "",
        "Three things to try:",
        "",
        *first,
        "2. Buy it",
        f"   CART=$({open_cart} | {_ID})",
        _post(f'"{write}/api/v1/carts/$CART/items"', json.dumps({"sku": sku, "quantity": 2})),
        f"   ORDER=$({check_out} | {_ID})",
        "3. Read the order back, and its history event by event",
        f'   curl -s{token} "{read}/api/v1/orders/$ORDER"',
        f'   {Path(sys.prefix) / "bin" / "daybook"} replays order "$ORDER"{folder}',
        "",
        "Ctrl-C stops everything; what was written stays.",
    ]
    return "\n".join(lines)


def _post(url: str, body: str, token: str = "", *, key: str | None = None) -> str:
    header = f' -H "Idempotency-Key: try-{key}-0123456789abcdef"' if key is not None else ""
    return f"   curl -s -X POST {url} -H 'Content-Type: application/json'{token}{header} -d '{body}'"


def _product(sku: str, currency: str) -> str:
    return json.dumps(
        {
            "sku": sku,
            "title": "Mug, blue",
            "description": "Holds a third of a litre.",
            "category": "Kitchen > Mugs",
            "attributes": {"colour": "blue"},
            "price": {"amount": 1299, "currency": currency},
        }
    )


def _some_product(read: str) -> tuple[str, str] | None:
    """One that can be bought now, and the currency it is sold in."""
    try:
        with urllib.request.urlopen(f"{read}/api/v1/products?limit=20", timeout=5) as answer:
            products = json.load(answer)["items"]
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return None
    for product in products:
        if product["available"] > 1:
            return product["sku"], product["price"]["currency"]
    return None
