"""The members of what Stripe sends, each checked: what is odd or damaged raises NewsRejected, nothing else.

The exceptions name the member, never its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aggregates.currencies import MINOR_DIGITS
from aggregates.kernel import Money
from commands.gateways.gateway import NewsRejected
from commands.gateways.stripe_amounts import AMOUNT_MAX, from_stripe

Object = Mapping[str, Any]
"""An object as Stripe sends it, of which nothing is taken for granted."""

ID = re.compile(r"[A-Za-z0-9_]{1,200}")
CODE = re.compile(r"[a-z0-9_]{1,100}")


class ForeignObject(NewsRejected):
    """The object is sound, and belongs to no payment that we could have made."""


def object_of(value: object) -> Object:
    """The value, which must be an object."""
    if not isinstance(value, Mapping):
        raise NewsRejected("object")
    return value


def inner_of(parent: Object, name: str) -> Object:
    """The object under a name, empty where it is missing or null."""
    value = parent.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise NewsRejected(name)
    return value or {}


def text_of(parent: Object, name: str, pattern: re.Pattern[str]) -> str:
    """The text under a name, which must match."""
    value = matching(parent.get(name), pattern)
    if value is None:
        raise NewsRejected(name)
    return value


def matching(value: object, pattern: re.Pattern[str]) -> str | None:
    """The value where it is a text that matches; else None."""
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _whole(parent: Object, name: str) -> int:
    value = parent.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > AMOUNT_MAX:
        raise NewsRejected(name)
    return value


def currency_of(parent: Object) -> str:
    """The currency by its ISO code. ForeignObject for one that ISO does not list, such as a coin."""
    currency = parent.get("currency")
    if not isinstance(currency, str):
        raise NewsRejected("currency")
    if currency.upper() not in MINOR_DIGITS:
        raise ForeignObject("currency")
    return currency.upper()


def money_of(parent: Object, name: str) -> Money:
    """In ISO minor units of the object's currency, signed."""
    try:
        return from_stripe(_whole(parent, name), currency_of(parent))
    except ValueError:
        raise NewsRejected(name) from None


def amount_of(parent: Object, name: str) -> int:
    """In ISO minor units, never below zero."""
    amount = money_of(parent, name).amount
    if amount < 0:
        raise NewsRejected(name)
    return amount


def time_of(parent: Object, name: str) -> datetime:
    """Of seconds since 1970."""
    try:
        return datetime.fromtimestamp(_whole(parent, name), UTC)
    except (ValueError, OverflowError, OSError):
        raise NewsRejected(name) from None


def iso_time_of(parent: Object, name: str) -> datetime:
    """Of a text in ISO 8601."""
    value = parent.get(name)
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise NewsRejected(name) from None
