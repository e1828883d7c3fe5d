"""Facts that cannot all be so: verification names them, though each was appended as it should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aggregates.inventory.events import ReservationReleased
from aggregates.kernel import MAIN, Money
from aggregates.orders import number, order
from aggregates.orders.events import (
    Charge,
    LineQuantity,
    LinesFulfilled,
    OrderCanceled,
    OrderConfirmed,
    OrderNumbered,
    OrderPlaced,
    OrderRefunded,
    RefundedLine,
)
from aggregates.payments.events import PaymentNotNeeded
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.shop.facts import CODEC, DAY, NOON
from tests.shop.story import ANNA, BORIS, MUG, Story

BOTH = (LineQuantity(line_id="1", sku=MUG, quantity=2),)


def refunded(units: int, *, withdrawn: int | None) -> OrderRefunded:
    amount = Money(1299 * units, "GBP")
    part = RefundedLine(line_id="1", quantity=units, amount=amount, withdrawn=withdrawn)
    return OrderRefunded(order_id=ANNA, credit_note_id="n", amount=amount, lines=(part,))


def canceled(*, credited: int = 0) -> OrderCanceled:
    return OrderCanceled(
        order_id=ANNA,
        cause="canceled",
        placed_on=DAY,
        currency="GBP",
        total=Money(2998, "GBP"),
        credited=Money(credited, "GBP"),
        lines=BOTH,
    )


def released(units: int) -> ReservationReleased:
    return ReservationReleased(sku=MUG, location=MAIN, order_id=ANNA, quantity=units, cause="refunded")


def refunded_and_sent(shop: Story) -> None:
    shop.write("refund_order", refunded(1, withdrawn=1), released(1))
    shop.write("fulfil", LinesFulfilled(order_id=ANNA, fulfilment_id="f", lines=BOTH))


def withdrawn_and_kept_aside(shop: Story) -> None:
    shop.write("refund_order", refunded(1, withdrawn=1))


def canceled_and_kept_aside(shop: Story) -> None:
    shop.write("cancel_order", canceled())


def credited_by_nothing(shop: Story) -> None:
    shop.write("cancel_order", canceled(credited=100), released(2))


def canceled_otherwise(**facts: Any) -> Callable[[Story], None]:
    """A cancellation that repeats something else than what was placed."""

    def happens(shop: Story) -> None:
        shop.write("cancel_order", replace(canceled(), **facts), released(2))

    return happens


def more_for_lines_than_in_all(shop: Story) -> None:
    more = replace(refunded(2, withdrawn=2), amount=Money(2597, "GBP"))
    shop.write("refund_order", more, released(2))


def twin(shop: Story, **facts: Any) -> OrderPlaced:
    """An order of Boris like Anna's."""
    placed = shop.state(order.stream(ANNA)).placed
    return replace(placed, order_id=BORIS, cart_id=None, email=None, shipping_address=None, **facts)


def borne_twice(shop: Story) -> None:
    shop.write("place", twin(shop))


def numbered_otherwise(shop: Story) -> None:
    given = {number.order_stream("7"): OrderNumbered(order_id=BORIS)}
    shop.write("place", twin(shop, number="N-8"), elsewhere=given)


def costs_and_needs_no_payment(shop: Story) -> None:
    shop.write("place", PaymentNotNeeded(order_id=ANNA))


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (refunded_and_sent, "line 1: 2 sent, there were 1"),
        (withdrawn_and_kept_aside, f"2 set aside for order {ANNA}, which can send 1"),
        (canceled_and_kept_aside, f"2 set aside for order {ANNA}, which can send 0"),
        (credited_by_nothing, "canceled with 100 credited, credit notes say 0"),
        (canceled_otherwise(placed_on=DAY + timedelta(days=1)), "canceled with another day than was placed"),
        (
            canceled_otherwise(placed_at=NOON + timedelta(hours=1)),
            "canceled with another moment than was placed",
        ),
        (canceled_otherwise(cart_id="c"), "canceled with another cart than was placed"),
        (canceled_otherwise(customer_id="c"), "canceled with another customer than was placed"),
        (canceled_otherwise(lines=()), "canceled with another list of lines than was placed"),
        (more_for_lines_than_in_all, "2598 refunded for lines, of 2597 in all"),
        (borne_twice, f"is borne by {ANNA} already"),
        (numbered_otherwise, "but order_number-7 was given"),
        (costs_and_needs_no_payment, "not needed, for an order of"),
    ],
)
def test_what_contradicts_is_found(happens: Callable[[Story], None], words: str) -> None:
    shop = Story(MemoryLog())
    shop.receive()
    shop.check_out()
    shop.authorize()
    assert findings(shop) == []
    happens(shop)
    assert [finding for finding in findings(shop) if words in finding], findings(shop)


def test_a_refund_of_before_that_says_nothing_of_units_contradicts_nothing() -> None:
    shop = Story(MemoryLog())
    shop.receive()
    shop.check_out()
    shop.authorize()
    shop.write("refund_order", refunded(2, withdrawn=None))
    assert [finding for finding in findings(shop) if "set aside" in finding or "sent" in finding] == []


def test_lines_bear_more_than_a_refund_only_where_a_discount_or_an_earlier_refund_says_why() -> None:
    shop = Story(MemoryLog())
    welcome = Charge(kind="discount", label="Welcome", amount=Money(-260, "GBP"))
    (placed,) = shop.ordered(ANNA, {MUG: 2})
    discounted = replace(placed, charges=(welcome,), total=Money(2338, "GBP"))
    shop.write("place", discounted, OrderConfirmed(order_id=ANNA))
    part = RefundedLine(line_id="1", quantity=2, amount=Money(2598, "GBP"), withdrawn=0)
    beside = OrderRefunded(order_id=ANNA, credit_note_id="n1", amount=Money(100, "GBP"), lines=())
    rest = replace(beside, credit_note_id="n2", amount=Money(2238, "GBP"), lines=(part,))
    shop.write("refund_order", beside)
    shop.write("refund_order", rest)
    assert [finding for finding in findings(shop) if "for lines" in finding] == []


def findings(shop: Story) -> list[str]:
    found: list[str] = []
    verify(shop.log, CODEC, report=lambda finding: found.append(finding.wrong))
    return found
