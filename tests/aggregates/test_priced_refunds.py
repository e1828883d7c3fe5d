"""What goes back of an order that was priced by rules: for no line, nor for shipping, more than was paid."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as some

from aggregates.kernel import Rejected
from aggregates.orders import order
from aggregates.orders.credit_note import credited_charges, credited_taxes
from aggregates.orders.events import Charge, RefundedLine, Tender
from aggregates.orders.order import Refund
from aggregates.orders.refund import plan_refund, share_amount
from aggregates.orders.refund_booking import book_refund, still_bookable
from aggregates.orders.refundable import NothingToRefund, RefundTooLarge
from aggregates.pricing.explanation import DAYBOOK_1, Explanation, ShippingPrice, TaxTotal
from tests.aggregates.given import given, state_after
from tests.aggregates.orders_sample import CONFIRMED, ORDER, PLACED, pounds

EXPLANATION = Explanation(calculation=DAYBOOK_1, terms=1, at=datetime(2026, 3, 1, tzinfo=UTC), steps=())


def priced(*lines, shipping=None):
    """Such an order: a line for each (units, line total, paid, tax in it), and shipping (paid, tax)."""
    sold = tuple(
        replace(
            PLACED.lines[0],
            line_id=str(nth),
            sku=f"S{nth}",
            quantity=quantity,
            line_total=pounds(total),
            discount=pounds(total - paid + tax),  # The tax is on top.
            tax=pounds(tax),
            paid=pounds(paid),
        )
        for nth, (quantity, total, paid, tax) in enumerate(lines, start=1)
    )
    post, post_tax = shipping or (0, 0)
    charges = (("discount", -sum(line.discount.amount for line in sold)), ("shipping", post - post_tax))
    tax = post_tax + sum(line.tax.amount for line in sold)
    total = pounds(post + sum(line.paid.amount for line in sold))
    return replace(
        PLACED,
        lines=sold,
        charges=tuple(
            Charge(kind=kind, label=kind, amount=pounds(amount)) for kind, amount in (*charges, ("tax", tax))
        ),
        total=total,
        tenders=(Tender(kind="card", amount=total),),
        explanation=EXPLANATION,
        shipping=shipping
        and ShippingPrice(
            method_id="post",
            label="Royal Mail",
            rate=post - post_tax,
            discount=0,
            net=post - post_tax,
            tax=post_tax,
            paid=post,
        ),
    )


def book(state, refund, name=None):
    for event in book_refund(
        state, order_id=ORDER, credit_note_id=name or str(len(state.refunds)), refund=refund
    ):
        order.evolve(state, event)


def unit_by_unit(state, line_id):
    """What each unit that is left gives, refunded by itself."""
    found = []
    while state.lines[line_id].refunded < state.lines[line_id].ordered.quantity:
        refund = plan_refund(state, order_id=ORDER, lines={line_id: 1})
        book(state, refund)
        found.append(refund.amount.amount)
    return found


CASE_9 = priced((5, 4995, 3996, 0))
CASE_23 = priced((3, 9999, 10799, 1800), (1, 1, 1, 0))
POSTED = priced((3, 3000, 2700, 450), (1, 500, 450, 75), shipping=(395, 66))


@pytest.mark.parametrize(
    ("placed", "units"), [(CASE_9, [799, 799, 800, 799, 799]), (CASE_23, [3600, 3599, 3600])]
)
def test_a_line_refunded_unit_by_unit_gives_what_was_paid_for_it(placed, units):
    assert unit_by_unit(state_after(order, placed, CONFIRMED), "1") == units


def test_an_amount_first_leaves_less_for_the_units():
    state = state_after(order, CASE_23, CONFIRMED)
    first = plan_refund(state, order_id=ORDER, amount=pounds(500))
    assert [(part.line_id, part.quantity, part.amount.amount) for part in first.lines] == [("1", 0, 500)]
    book(state, first)
    assert unit_by_unit(state, "1") == [3600, 3599, 3100]


def test_an_amount_alone_is_shared_by_what_is_left_of_lines_and_shipping():
    state = state_after(order, POSTED, CONFIRMED)
    half = plan_refund(state, order_id=ORDER, amount=pounds(3545 // 5))
    assert [part.amount.amount for part in half.lines] == [540, 90]
    assert credited_charges(state, half, label="refund") == (
        Charge(kind="shipping", label="Royal Mail", amount=pounds(79)),
    )


def test_all_that_remains_is_what_was_paid_for_lines_and_shipping():
    state = state_after(order, POSTED, CONFIRMED)
    book(state, plan_refund(state, order_id=ORDER, lines={"1": 2}))
    rest = plan_refund(state, order_id=ORDER)
    assert [(part.quantity, part.amount.amount) for part in rest.lines] == [(1, 900), (1, 450)]
    assert [one.amount.amount for one in credited_charges(state, rest, label="refund")] == [395]


def test_shipping_is_refunded_by_its_name_once():
    state = state_after(order, POSTED, CONFIRMED)
    both = plan_refund(state, order_id=ORDER, lines={"1": 1}, shipping=True)
    assert (both.amount.amount, [part.amount.amount for part in both.lines]) == (1295, [900])
    shared = plan_refund(state, order_id=ORDER, amount=pounds(845), lines={"2": 1}, shipping=True)
    assert [part.amount.amount for part in shared.lines] == [450]
    book(state, plan_refund(state, order_id=ORDER, amount=pounds(100), shipping=True))
    rest = plan_refund(state, order_id=ORDER, shipping=True)
    assert rest == Refund(amount=pounds(295), lines=())
    assert [one.kind for one in credited_charges(state, rest, label="refund")] == ["shipping"]
    book(state, rest)
    with pytest.raises(Rejected) as refused:
        plan_refund(state, order_id=ORDER, lines={"1": 1}, shipping=True)
    assert refused.value.reason == NothingToRefund(ORDER, "confirmed")


def test_charges_of_an_order_without_rules_go_with_the_whole_alone():
    given(PLACED, CONFIRMED).when(plan_refund, order_id=ORDER, shipping=True).then_rejected(
        NothingToRefund(ORDER, "confirmed")
    )


def test_an_amount_for_lines_is_no_more_than_was_paid_for_them():
    given(POSTED, CONFIRMED).when(
        plan_refund, order_id=ORDER, amount=pounds(2701), lines={"1": 3}
    ).then_rejected(RefundTooLarge(ORDER, pounds(2701), pounds(2700)))


@pytest.mark.parametrize(
    ("amount", "lines", "asked", "left"),
    [(451, {"2": 451}, 451, 450), (396, {}, 396, 395), (900, {"1": 500}, 400, 395)],
)
def test_no_more_is_booked_for_a_line_or_for_shipping_than_was_paid_for_it(amount, lines, asked, left):
    refund = Refund(
        amount=pounds(amount),
        lines=tuple(
            RefundedLine(line_id=line_id, quantity=0, amount=pounds(part)) for line_id, part in lines.items()
        ),
    )
    given(POSTED, CONFIRMED).when(
        book_refund, order_id=ORDER, credit_note_id="n1", refund=refund
    ).then_rejected(RefundTooLarge(ORDER, pounds(asked), pounds(left)))


AMOUNTS = some.integers(0, 5000)
LINE = some.tuples(some.integers(1, 9), AMOUNTS, AMOUNTS).map(lambda line: (*line[:2], line[2], line[2] // 6))
ASKED = some.tuples(
    some.none() | some.dictionaries(some.sampled_from("123"), some.integers(1, 9), min_size=1, max_size=3),
    some.none() | some.integers(1, 9000),
    some.booleans(),
    some.sampled_from(["booked", "under way", "by the gateway"]),
)


@settings(max_examples=300, deadline=None)
@forall(
    lines=some.lists(LINE, min_size=1, max_size=3),
    post=some.none() | some.integers(0, 900),
    asked=some.lists(ASKED, max_size=12),
)
def test_whatever_is_refunded_no_part_gives_back_more_than_was_paid_and_all_can_go(lines, post, asked):
    placed = priced(*lines, shipping=None if post is None else (post, post // 6))
    state = state_after(order, placed, CONFIRMED)
    under_way = []
    for units, amount, and_shipping, how in asked:
        money = None if amount is None else pounds(amount)
        if how == "by the gateway":  # An amount that is gone, whatever was planned.
            left = placed.total - state.refunded
            if money is not None and left.amount:
                book(state, share_amount(state, min(money, left)))
            continue
        try:
            refund = plan_refund(
                state,
                order_id=ORDER,
                amount=money,
                lines=units,
                shipping=and_shipping,
                under_way=under_way,
            )
        except Rejected:
            continue
        if how == "booked":
            book(state, refund)
        else:
            under_way.append(refund)
    for refund in under_way:
        try:
            book(state, refund)
        except Rejected:  # The gateway gave back what it was planned on.
            left = placed.total - state.refunded
            if left.amount:
                book(state, share_amount(state, min(refund.amount, left)))
    if state.refunded < placed.total:
        book(state, plan_refund(state, order_id=ORDER))
    assert state.refunded == placed.total
    for line in state.lines.values():
        assert line.refunded <= line.ordered.quantity
        assert line.refunded_amount == line.ordered.paid.amount


@pytest.mark.parametrize("steps", [(100, 2000, None), (*[41] * 60, None), (7, 546, 238, None)])
def test_the_credit_notes_of_an_order_come_to_the_tax_of_each_rate_and_its_base(steps):
    """A book at 7 %, beans at 19 %, shipping taxed in both: 10.00, 20.00 and 6.00 before tax."""
    placed = priced((1, 1000, 1070, 70), (1, 2000, 2380, 380), shipping=(690, 90))
    shipping = replace(placed.shipping, tax_groups={"DE/reduced": 14, "DE/standard": 76})
    lines = tuple(
        replace(line, tax_group=group)
        for line, group in zip(placed.lines, ("DE/reduced", "DE/standard"), strict=True)
    )
    taxes = tuple(
        TaxTotal(
            group=group,
            label=f"VAT {rate}",
            tax_category="standard",
            treatment="taxed",
            base=base,
            rate=rate,
            amount=amount,
            inside=False,
        )
        for group, rate, base, amount in (("DE/reduced", "7 %", 1200, 84), ("DE/standard", "19 %", 2400, 456))
    )
    state = state_after(order, replace(placed, shipping=shipping, lines=lines, taxes=taxes), CONFIRMED)
    counted = {}
    for nth, step in enumerate(steps):
        asked = None if step is None else pounds(step)
        (event,) = book_refund(
            state,
            order_id=ORDER,
            credit_note_id=f"n{nth}",
            refund=plan_refund(state, order_id=ORDER, amount=asked),
        )
        credited = credited_taxes(state, event)
        assert sum(one.base.amount + one.amount.amount for one in credited) == event.amount.amount
        for one in credited:
            assert one.amount.amount >= 0
            assert one.base.amount >= 0
            base, tax = counted.get(one.group, (0, 0))
            counted[one.group] = (base + one.base.amount, tax + one.amount.amount)
        order.evolve(state, event)
    assert counted == {"DE/reduced": (1200, 84), "DE/standard": (2400, 456)}


def test_a_refund_that_was_planned_on_more_is_cut_to_what_is_left_of_each_tender():
    gift = Tender(kind="gift_card", amount=pounds(300), account_id="gift")
    placed = priced((1, 1000, 1000, 0))
    placed = replace(placed, tenders=(gift, Tender(kind="card", amount=pounds(700))))
    state = state_after(order, placed, CONFIRMED)
    planned = plan_refund(state, order_id=ORDER, amount=pounds(900))
    assert (planned.card, planned.credit) == (pounds(700), (replace(gift, amount=pounds(200)),))
    book(state, plan_refund(state, order_id=ORDER, amount=pounds(500)))
    assert still_bookable(state_after(order, placed, CONFIRMED), planned) == planned
    rest = still_bookable(state, planned)
    assert (rest.amount, rest.card, rest.credit_amount) == (pounds(400), pounds(200), 200)
    book(state, rest)
    assert state.refunded == pounds(900)
