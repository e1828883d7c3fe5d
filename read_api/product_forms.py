"""The forms of a product's page: in a market, in a currency, some of its fields alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import msgspec
from fastapi import Query
from fastapi.exceptions import RequestValidationError

from projections.documents.shapes import ProductDocument
from read_api.terms import MARKET_ID

FIELDS = ProductDocument.__struct_fields__
_FIELD = f"({'|'.join(FIELDS)})"
_FIELDS = f"^{_FIELD}(,{_FIELD}){{0,{len(FIELDS) - 1}}}$"
CURRENCY = "^[A-Z]{3}$"

InMarket = Annotated[
    str | None,
    Query(
        pattern=MARKET_ID,
        description="A market's id: `price`, `was`, `prior_price` and `prices` are those of everybody there,"
        " in its first currency. Null: the product has no price there.",
    ),
]
InCurrency = Annotated[
    str | None,
    Query(
        pattern=CURRENCY,
        description="The same in this currency (ISO 4217), of the market, or of `main`. Null: the product has"
        " no price in it.",
    ),
]
Fields = Annotated[
    str | None,
    Query(
        pattern=_FIELDS,
        max_length=500,
        description="These fields of a product alone, by name, separated by commas, in their order.",
    ),
]


class Form(NamedTuple):
    """How a page is wanted; None: as it is stored."""

    market: str | None = None
    currency: str | None = None
    fields: tuple[str, ...] | None = None


PLAIN = Form()

_PATTERNS = {
    "market": (re.compile(MARKET_ID), "is no market's id"),
    "currency": (re.compile(CURRENCY), "is no ISO 4217 currency code"),
    "fields": (re.compile(_FIELDS), f"names others than {', '.join(FIELDS)}"),
}
PARAMETERS = frozenset(_PATTERNS)
"""The parameters of a query that name a form."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def form_of(given: Mapping[str, str]) -> Form:
    """The form that these parameters name. Raises RequestValidationError."""
    for name, value in given.items():
        pattern, message = _PATTERNS[name]
        if not pattern.fullmatch(value):
            wrong = {"type": "value_error", "loc": ("query", name), "msg": message}
            raise RequestValidationError([wrong])
    return Form(given.get("market"), given.get("currency"), fields_of(given.get("fields")))


def fields_of(fields: str | None) -> tuple[str, ...] | None:
    """The names one by one, each once."""
    return None if fields is None else tuple(dict.fromkeys(fields.split(",")))


def with_fields(page: bytes, fields: Sequence[str]) -> bytes:
    """The stored page's fields of these names, as they are stored."""
    members = _members(page)
    return msgspec.json.encode({name: members[name] for name in fields if name in members})
