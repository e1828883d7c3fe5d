"""Amounts of money."""

from __future__ import annotations

import msgspec


class Money(msgspec.Struct):
    """Integer minor units of a currency."""

    amount: int
    currency: str


class UnitPrice(msgspec.Struct, omit_defaults=True):
    """A unit's price rounded half-even to minor units; `exact`, in major units, where it is finer."""

    amount: int
    currency: str
    exact: str | None = None
