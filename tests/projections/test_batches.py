"""However the log is cut into batches, the documents are the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregates.credit.events import AccountOpened, Credited, Redeemed, RedemptionReleased
from aggregates.kernel import Money
from aggregates.promotions.events import (
    BatchProgressed,
    BatchRequested,
    CouponClaimed,
    CouponIssued,
    CouponReleased,
    CouponRevoked,
)
from aggregates.terms.events import PromotionEnded
from event_store.memory.log import MemoryLog
from projections.engine.follower import Decoded
from projections.views.registry import VIEWS
from projections.views.view import View
from tests.projections.memory_views import MemoryView
from tests.shop.facts import given_up, placed_together, viewed
from tests.shop.log import Shop, decoded
from tests.terms.test_fold import DEFINED


def log_of_a_shop() -> list[Decoded]:
    shop = Shop(MemoryLog())
    requested = BatchRequested(batch_id="b1", promotion_id="spring", count=12, prefix="SPRING-")
    shop.record([requested])
    for number in range(12):
        code = f"SPRING-{number:02}"
        issued = CouponIssued(code=code, promotion_id="spring", batch_id="b1", uses_max=1)
        shop.record([issued], [BatchProgressed(batch_id="b1", issued=number + 1)])
        if number % 2:
            shop.record([CouponClaimed(code=code, order_id="o1")])
        if number % 6 == 1:
            shop.record([CouponReleased(code=code, order_id="o1")])
    shop.record([CouponRevoked(code="SPRING-00", reason="found out")])
    shop.record([AccountOpened(account_id="card", kind="gift_card", currency="GBP")])
    shop.record([Credited(account_id="card", amount=Money(900, "GBP"), cause="issued")])
    for number in range(6):
        taken = {"account_id": "card", "order_id": f"o{number}", "amount": Money(100 + number, "GBP")}
        shop.record([Redeemed(**taken)])
        if number % 2:
            shop.record([RedemptionReleased(**taken)])
    for number in range(60):
        sku = f"{number % 7 * number % 23}"
        shop.record([viewed(sku, number + 1)], [viewed(sku, 1, visit_id=f"{number:032}")])
    for number in range(30):
        many = placed_together(f"many{number}", *(f"{start + number * 7}" for start in range(9)), "HOT")
        shop.record([many])
        if number % 5 == 2:
            shop.record([given_up(many)])
    for rules in (DEFINED[:8], DEFINED[8:], [PromotionEnded(promotion_id="cart3", reason="over")]):
        shop.record(rules)
    shop.bustle(orders=25, products=6)
    shop.flush()
    return decoded(shop.log)


LOG = log_of_a_shop()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
@settings(max_examples=25, deadline=None)
@given(cuts=st.sets(st.integers(1, len(LOG) - 1), max_size=60), again=st.integers(0, 30))
def test_any_split_into_batches_gives_the_same_bytes(view: View, cuts: set[int], again: int) -> None:
    whole = MemoryView(view)
    whole.apply(LOG)
    split = MemoryView(view)
    ends = [*sorted(cuts), len(LOG)]
    start = 0
    for end in ends:
        # Some events are given twice, as after a batch whose outcome was lost.
        split.apply(LOG[max(start - again, 0) : end])
        start = end

    assert split.documents == whole.documents
    assert split.entries == whole.entries
    assert split.ranking == whole.ranking
    assert whole.documents or whole.entries
