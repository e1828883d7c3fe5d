"""What lies on the sample shop's shelves before its first order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

from deploy.sample.articles import Article
from deploy.sample.orders import SEED, SampleOrder

ALMOST_GONE = 0.06
"""The part of the assortment that the weeks of orders leave nearly or wholly sold out."""


def opening_stock(
    articles: Sequence[Article], orders: Sequence[SampleOrder], *, seed: int = SEED
) -> Mapping[str, int]:
    """Units to receive, by SKU: what the orders take, and what is to be left of it."""
    chance = Random(seed + 1)
    taken: Counter[str] = Counter()
    for order in orders:
        if order.ending != "canceled":
            for article, quantity in order.lines:
                taken[article.sku] += quantity
    units = {}
    for article in articles:
        plenty = chance.randint(12, 90) if article.pence < 3000 else chance.randint(4, 25)
        left = chance.randint(0, 3) if chance.random() < ALMOST_GONE else plenty
        units[article.sku] = max(1, taken[article.sku] + left)
    return units
