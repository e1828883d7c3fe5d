"""The laws of pricing over a hundred thousand carts, its second opinion on every tenth: `make proofs`."""

from __future__ import annotations

import pytest

from tests.pricing.laws import LAWS, priced_carts
from tests.pricing.reference.price import price
from tests.pricing.summary import of_priced, of_reference

BLOCK = 5_000


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("start", range(0, 100_000, BLOCK))
def test_every_law_holds_and_both_calculations_agree(start: int) -> None:
    for one in priced_carts(range(start, start + BLOCK)):
        for law in LAWS:
            law(one)
        if one.number % 10 == 0:
            opinion = price(one.cart.lines, one.cart.terms, one.cart.context)
            assert of_priced(one.priced) == of_reference(opinion), one
