"""How a stream is folded, by what its name begins with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aggregates.cart import cart
from aggregates.catalog import product
from aggregates.inventory import stock
from aggregates.orders import credit_note, number, order
from aggregates.payments import payment, process

Fold = tuple[Callable[[], Any], Callable[[Any, Any], Any]]
"""A stream's first state, and `evolve(state, event)`."""

FOLDS: dict[str, Fold] = {
    "product": (product.initial, product.evolve),
    "stock": (stock.initial, stock.evolve),
    "cart": (cart.initial, cart.evolve),
    "order": (order.initial, order.evolve),
    "order_number": (number.initial, number.evolve),
    "credit_note": (credit_note.initial, credit_note.evolve),
    "credit_note_number": (number.initial, number.evolve),
    "payment": (payment.initial, payment.evolve),
    "checkout": (process.initial, process.evolve),
}


def fold_of(stream: str) -> Fold:
    """The fold for a stream `<kind>-<id>`; KeyError for a kind no aggregate owns."""
    return FOLDS[stream.partition("-")[0]]
