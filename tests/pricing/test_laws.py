"""The laws of pricing hold for carts and rules by chance. DAYBOOK_CARTS=N tries more of them."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.pricing.laws import LAWS, PricedCart, priced_carts

CARTS = int(os.environ.get("DAYBOOK_CARTS", "2000"))


@pytest.fixture(scope="module")
def carts() -> list[PricedCart]:
    return list(priced_carts(range(CARTS)))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_holds_for_every_cart(law: Callable[[PricedCart], None], carts: list[PricedCart]) -> None:
    for one in carts:
        law(one)
