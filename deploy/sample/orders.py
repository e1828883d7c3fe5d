"""Some weeks of orders for the sample shop and the stock before them: same seed and day, same orders."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from random import Random
from typing import Literal

from deploy.sample.products import SampleProduct

SEED = 20_240
WEEKS = 6
ORDERS = 500
CUSTOMERS = 170
FREE_SHIPPING_PENCE = 5_000
SHIPPING_PENCE = 395
ALMOST_GONE = 0.06  # of the products: nearly or entirely sold out after these weeks

Ending = Literal["kept", "returned in part", "returned", "refunded in part", "canceled"]
ENDINGS: Sequence[tuple[Ending, int]] = (
    ("kept", 900),
    ("returned in part", 45),
    ("returned", 20),
    ("refunded in part", 15),
    ("canceled", 20),
)
WEEKDAY_WEIGHTS = (10, 9, 9, 10, 11, 14, 16)  # Monday first: people shop at the weekend
HOUR_WEIGHTS = (1, 0, 0, 0, 0, 0, 1, 3, 5, 6, 7, 7, 8, 7, 6, 6, 6, 7, 8, 10, 12, 11, 7, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOrder:
    """An order and what became of it. Times are UTC; `ended_at` is when it came back or was canceled."""

    nth: int  # from 1, in order of time
    placed_at: datetime
    customer_id: str | None
    lines: tuple[tuple[SampleProduct, int], ...]
    welcomed: bool  # a new customer's discount
    ending: Ending
    ended_at: datetime | None

    @property
    def goods_pence(self) -> int:
        """What the lines come to."""
        return sum(product.pence * quantity for product, quantity in self.lines)

    @property
    def shipping_pence(self) -> int:
        """Carriage, free from a certain sum on."""
        return 0 if self.goods_pence >= FREE_SHIPPING_PENCE else SHIPPING_PENCE

    @property
    def discount_pence(self) -> int:
        """Ten percent for a first order, rounded down to pence."""
        return self.goods_pence // 10 if self.welcomed else 0


def first_day_before(today: date) -> date:
    """The first day of orders that end the day before `today`."""
    return today - timedelta(weeks=WEEKS)


def sample_orders(
    products: Sequence[SampleProduct], *, first_day: date, seed: int = SEED
) -> list[SampleOrder]:
    """The orders of WEEKS weeks from `first_day`, earliest first."""
    chance = Random(seed)
    liked = _popularity(products, chance)
    times = sorted(_time(chance, first_day) for _ in range(ORDERS))
    last = datetime.combine(first_day + timedelta(weeks=WEEKS), time(), UTC) - timedelta(minutes=1)
    seen: set[str] = set()
    return [_order(nth, at, products, liked, chance, seen, last) for nth, at in enumerate(times, 1)]


def opening_stock(
    products: Sequence[SampleProduct], orders: Sequence[SampleOrder], *, seed: int = SEED
) -> dict[str, int]:
    """Units to receive before the first order, by SKU: what the orders take, and what is to be left of it."""
    chance = Random(seed + 1)
    taken: Counter[str] = Counter()
    for order in orders:
        if order.ending != "canceled":
            for product, quantity in order.lines:
                taken[product.sku] += quantity
    units = {}
    for product in products:
        plenty = chance.randint(12, 90) if product.pence < 3000 else chance.randint(4, 25)
        left = chance.randint(0, 3) if chance.random() < ALMOST_GONE else plenty
        units[product.sku] = max(1, taken[product.sku] + left)
    return units


def _popularity(products: Sequence[SampleProduct], chance: Random) -> list[float]:
    """A few things sell a lot, most sell now and then; cheap ones more than dear ones."""
    ranks = list(range(1, len(products) + 1))
    chance.shuffle(ranks)
    return [(1500 / product.pence) ** 0.4 / rank**0.7 for product, rank in zip(products, ranks, strict=True)]


def _time(chance: Random, first_day: date) -> datetime:
    days = WEEKS * 7
    weights = [
        # Business grows a little over the weeks.
        WEEKDAY_WEIGHTS[(first_day + timedelta(days=day)).weekday()] * (1 + day / days / 3)
        for day in range(days)
    ]
    day = first_day + timedelta(days=chance.choices(range(days), weights)[0])
    hour = chance.choices(range(24), HOUR_WEIGHTS)[0]
    return datetime.combine(day, time(hour, chance.randrange(60), chance.randrange(60)), UTC)


def _order(
    nth: int,
    at: datetime,
    products: Sequence[SampleProduct],
    liked: Sequence[float],
    chance: Random,
    seen: set[str],
    last: datetime,
) -> SampleOrder:
    customer_id = f"sample-{int(chance.triangular(1, CUSTOMERS, 1)):03}" if chance.random() < 0.75 else None
    is_new = customer_id is not None and customer_id not in seen
    if customer_id is not None:
        seen.add(customer_id)
    ending = chance.choices([name for name, _ in ENDINGS], [weight for _, weight in ENDINGS])[0]
    days = 7 if ending == "canceled" else chance.randint(3, 12)
    ended_at = at + timedelta(days=days, minutes=chance.randrange(600))
    if ending == "kept" or ended_at > last:
        ending, ended_at = "kept", at
    return SampleOrder(
        nth=nth,
        placed_at=at,
        customer_id=customer_id,
        lines=_lines(products, liked, chance),
        welcomed=is_new and chance.random() < 0.3,
        ending=ending,
        ended_at=None if ending == "kept" else ended_at,
    )


def _lines(
    products: Sequence[SampleProduct], liked: Sequence[float], chance: Random
) -> tuple[tuple[SampleProduct, int], ...]:
    """One thing brings another of its kind into the basket, so that "also bought" has something to show."""
    basket: dict[str, tuple[SampleProduct, int]] = {}
    first = _pick(products, liked, chance)
    weights = [
        weight * (6 if product.department == first.department else 1)
        for product, weight in zip(products, liked, strict=True)
    ]
    more = chance.choices((0, 1, 2, 3, 4, 6), (30, 28, 20, 12, 7, 3))[0]
    for product in (first, *(_pick(products, weights, chance) for _ in range(more))):
        most = 6 if product.pence < 1500 else 2
        quantity = 1 if chance.random() < 0.7 else chance.randint(2, most)
        basket.setdefault(product.sku, (product, quantity))
    return tuple(basket.values())


def _pick(products: Sequence[SampleProduct], weights: Sequence[float], chance: Random) -> SampleProduct:
    sums = list(accumulate(weights))
    return products[bisect(sums, chance.random() * sums[-1])]
