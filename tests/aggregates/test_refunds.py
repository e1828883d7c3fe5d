"""The rules of giving money back, and of the credit notes that say so."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as some

from aggregates.kernel import Money, Rejected, UnitPrice, WrongCurrency
from aggregates.orders import order
from aggregates.orders.credit_note import credited_charges, credited_lines, issue
from aggregates.orders.events import Charge, CreditNoteIssued, CreditNoteLine, RefundedLine
from aggregates.orders.fulfilment import TooManyUnits, UnknownLine
from aggregates.orders.order import Purchase, Refund, UnknownOrder, place
from aggregates.orders.refund import plan_refund
from aggregates.orders.refund_booking import book_refund
from aggregates.orders.refundable import NothingToRefund, RefundTooLarge
from tests.aggregates.given import given, state_after
from tests.aggregates.orders_sample import (
    CONFIRMED,
    DISCOUNT,
    ORDER,
    PLACED,
    PLACED_AT,
    POSTAGE,
    canceled,
    line_refund,
    pounds,
    refunded,
)

PAID = (PLACED, CONFIRMED)


def planned(*history, **request):
    return given(*history).when(plan_refund, order_id=ORDER, **request)


def plan(amount, *lines):
    return Refund(amount=pounds(amount), lines=lines)


def test_all_that_remains_goes_back_where_nothing_is_named():
    assert planned(*PAID).decided == plan(3350, line_refund("1", 3, 1000), line_refund("2", 1, 2000))
    assert planned(*PAID, refunded("n1", 333, line_refund("1", 1, 333))).decided == plan(
        3017, line_refund("1", 2, 667), line_refund("2", 1, 2000)
    )


def test_lines_share_what_amounts_alone_have_left_of_them():
    assert planned(*PAID, refunded("n1", 500)).decided == plan(
        2850, line_refund("1", 3, 950), line_refund("2", 1, 1900)
    )
    assert planned(*PAID, under_way=(plan(3000),)).decided == plan(
        350, line_refund("1", 3, 117), line_refund("2", 1, 233)
    )
    charges_back = refunded("n1", 350)
    assert planned(*PAID, charges_back).decided == plan(
        3000, line_refund("1", 3, 1000), line_refund("2", 1, 2000)
    )


def test_a_discount_is_borne_by_no_line():
    discounted = replace(PLACED, charges=(DISCOUNT,), total=pounds(2900))
    whole = plan(2900, line_refund("1", 3, 1000), line_refund("2", 1, 2000))
    assert planned(discounted, CONFIRMED).decided == whole
    state = state_after(order, discounted, CONFIRMED)
    assert credited_charges(state, whole, label="refund") == (DISCOUNT,)


def test_units_are_refunded_their_share_and_all_of_a_line_its_exact_total():
    one = planned(*PAID, lines={"1": 1}).decided
    assert one == plan(333, line_refund("1", 1, 333))
    after_one = refunded("n1", 333, *one.lines)
    two = planned(*PAID, after_one, lines={"1": 1}).decided
    assert two == plan(334, line_refund("1", 1, 334))
    after_two = refunded("n2", 334, *two.lines)
    assert planned(*PAID, after_one, after_two, lines={"1": 1}).decided == plan(333, line_refund("1", 1, 333))


def test_an_amount_alone_is_borne_by_no_line():
    assert planned(*PAID, amount=pounds(500)).decided == plan(500)


def test_an_amount_for_lines_is_shared_in_proportion_and_never_more_than_they_are_worth():
    assert planned(*PAID, amount=pounds(1000), lines={"1": 3, "2": 1}).decided == plan(
        1000, line_refund("1", 3, 333), line_refund("2", 1, 667)
    )
    planned(*PAID, amount=pounds(1001), lines={"1": 3}).then_rejected(
        RefundTooLarge(order_id=ORDER, asked=pounds(1001), remaining=pounds(1000))
    )


def test_never_more_than_the_total_goes_back():
    planned(*PAID, amount=pounds(3351)).then_rejected(
        RefundTooLarge(order_id=ORDER, asked=pounds(3351), remaining=pounds(3350))
    )
    planned(*PAID, refunded("n1", 1000), amount=pounds(2351)).then_rejected(
        RefundTooLarge(order_id=ORDER, asked=pounds(2351), remaining=pounds(2350))
    )
    planned(*PAID, refunded("n1", 3350)).then_rejected(
        NothingToRefund(order_id=ORDER, order_status="confirmed")
    )


def test_what_is_under_way_counts_as_gone():
    under_way = (plan(1333, line_refund("1", 1, 333)), plan(1000))
    planned(*PAID, under_way=under_way, amount=pounds(1018)).then_rejected(
        RefundTooLarge(order_id=ORDER, asked=pounds(1018), remaining=pounds(1017))
    )
    planned(*PAID, under_way=under_way, lines={"1": 3}).then_rejected(
        TooManyUnits(line_id="1", asked=3, remaining=2)
    )
    assert planned(*PAID, under_way=under_way, lines={"1": 2}).decided == plan(667, line_refund("1", 2, 667))


def test_no_unit_is_refunded_twice():
    planned(*PAID, refunded("n1", 2000, line_refund("2", 1, 2000)), lines={"2": 1}).then_rejected(
        TooManyUnits(line_id="2", asked=1, remaining=0)
    )


def test_only_lines_and_money_of_the_order_are_refunded():
    planned(*PAID, lines={"9": 1}).then_rejected(UnknownLine(order_id=ORDER, line_id="9"))
    planned(*PAID, amount=Money(1, "EUR")).then_rejected(WrongCurrency(asked="EUR", expected="GBP"))
    planned(amount=pounds(1)).then_rejected(UnknownOrder(ORDER))


@pytest.mark.parametrize(("history", "status"), [((PLACED,), "placed"), ((*PAID, canceled()), "canceled")])
def test_an_order_that_is_unpaid_or_canceled_has_nothing_to_refund(history, status):
    planned(*history, amount=pounds(1)).then_rejected(NothingToRefund(order_id=ORDER, order_status=status))


def test_a_refund_is_booked_once_per_credit_note():
    given(*PAID).when(
        book_refund,
        order_id=ORDER,
        credit_note_id="n1",
        refund=plan(333, line_refund("1", 1, 333)),
        reason="too small",
    ).then_once(refunded("n1", 333, line_refund("1", 1, 333)))


def test_a_booked_refund_never_exceeds_the_total_or_the_units():
    book = {"order_id": ORDER, "credit_note_id": "n2", "reason": ""}
    given(*PAID, refunded("n1", 3000)).when(book_refund, refund=plan(351), **book).then_rejected(
        RefundTooLarge(order_id=ORDER, asked=pounds(351), remaining=pounds(350))
    )
    given(*PAID).when(book_refund, refund=plan(1, line_refund("2", 2, 1)), **book).then_rejected(
        TooManyUnits(line_id="2", asked=2, remaining=1)
    )
    given(*PAID).when(book_refund, refund=plan(1, line_refund("9", 1, 1)), **book).then_rejected(
        UnknownLine(order_id=ORDER, line_id="9")
    )


def test_a_credit_note_of_the_whole_order_repeats_its_charges():
    state = state_after(order, *PAID)
    whole = plan_refund(state, order_id=ORDER)
    assert credited_charges(state, whole, label="refund") == (POSTAGE, DISCOUNT)
    assert credited_lines(state, whole.lines) == (
        CreditNoteLine(sku="MUG", title="Mug", quantity=3, amount=pounds(1000)),
        CreditNoteLine(sku="PAN", title="Pan", quantity=1, amount=pounds(2000)),
    )


def test_charges_are_credited_by_name_once():
    lines_back = refunded("n1", 3000, line_refund("1", 3, 1000), line_refund("2", 1, 2000))
    assert credited_charges(state_after(order, *PAID, lines_back), plan(350), label="late") == (
        POSTAGE,
        DISCOUNT,
    )
    charges_back = refunded("n1", 350)
    assert credited_charges(state_after(order, *PAID, charges_back), plan(350), label="late") == (
        Charge(kind="manual", label="late", amount=pounds(350)),
    )


def test_a_line_gives_no_more_than_is_left_of_it_after_a_larger_refund_was_booked():
    generous = refunded("n1", 900, line_refund("1", 1, 900))
    assert planned(*PAID, generous, lines={"1": 2}).decided == plan(100, line_refund("1", 2, 100))


def test_what_no_line_bears_is_one_manual_charge():
    assert credited_charges(state_after(order, *PAID), plan(500), label="late") == (
        Charge(kind="manual", label="late", amount=pounds(500)),
    )
    lines_only = plan(333, line_refund("1", 1, 333))
    assert credited_charges(state_after(order, *PAID), lines_only, label="late") == ()


def test_a_credit_note_is_issued_once_and_sums_its_lines_and_charges():
    line = CreditNoteLine(sku="MUG", title="Mug", quantity=1, amount=pounds(333))
    facts = {
        "credit_note_id": "n1",
        "number": "CN-1",
        "currency": "GBP",
        "reason": "late",
        "issued_on": date(2026, 3, 2),
    }
    given().when(issue, lines=(line,), charges=(POSTAGE, DISCOUNT), order_id=ORDER, **facts).then_once(
        CreditNoteIssued(
            **facts, amount=pounds(683), lines=(line,), charges=(POSTAGE, DISCOUNT), order_id=ORDER
        )
    )


PRICES = some.decimals("0", "99", places=3)
LINES = some.lists(some.tuples(some.integers(1, 9), PRICES), min_size=1, max_size=4)
ASKED = some.lists(
    some.tuples(
        some.none()
        | some.dictionaries(some.sampled_from("1234"), some.integers(1, 9), min_size=1, max_size=4),
        some.none() | some.integers(1, 40000),
        some.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@forall(lines=LINES, discount=some.integers(0, 500), requests=ASKED)
def test_whatever_is_asked_back_never_more_goes_than_came_and_the_rest_can_always_go(
    lines, discount, requests
):
    purchases = tuple(
        Purchase(
            line_id=str(n),
            sku=f"S{n}",
            title="",
            seller="shop",
            quantity=quantity,
            unit_price=UnitPrice(Decimal(price), "GBP"),
        )
        for n, (quantity, price) in enumerate(lines, start=1)
    )
    try:
        (placed,) = place(
            order.initial(),
            order_id=ORDER,
            number="D-1",
            channel="web",
            currency="GBP",
            lines=purchases,
            charges=(replace(DISCOUNT, amount=pounds(-discount)), POSTAGE),
            placed_at=PLACED_AT,
        )
    except Rejected:
        return
    state = state_after(order, placed, CONFIRMED)
    under_way: list[Refund] = []

    def book(refund: Refund) -> None:
        for event in book_refund(
            state, order_id=ORDER, credit_note_id=str(len(state.refunds)), refund=refund, reason=""
        ):
            order.evolve(state, event)

    for units, amount, at_once in requests:
        try:
            refund = plan_refund(
                state,
                order_id=ORDER,
                amount=None if amount is None else pounds(amount),
                lines=units,
                under_way=under_way,
            )
        except Rejected:
            continue
        assert sum(line.amount.amount for line in refund.lines) <= refund.amount.amount or units is None
        assert all(line.amount.amount >= 0 for line in refund.lines)
        if at_once:
            book(refund)
        else:
            under_way.append(refund)
    for refund in under_way:
        book(refund)
    if state.refunded < placed.total:
        book(plan_refund(state, order_id=ORDER))
    assert state.refunded == placed.total
    for line in state.lines.values():
        assert line.refunded <= line.ordered.quantity
        assert line.refunded_amount <= line.ordered.line_total.amount


@settings(max_examples=200, deadline=None)
@forall(quantity=some.integers(1, 12), price=PRICES, data=some.data())
def test_a_line_refunded_in_any_portions_gives_its_exact_total(quantity, price, data):
    purchase = Purchase(
        line_id="1",
        sku="MUG",
        title="",
        seller="shop",
        quantity=quantity,
        unit_price=UnitPrice(price, "GBP"),
    )
    facts = {"order_id": ORDER, "number": "D-1", "channel": "web", "currency": "GBP", "placed_at": PLACED_AT}
    (placed,) = place(order.initial(), lines=(purchase,), charges=(POSTAGE,), **facts)
    state, left, parts = state_after(order, placed, CONFIRMED), quantity, []
    while left:
        units = data.draw(some.integers(1, left))
        left -= units
        try:
            refund = plan_refund(state, order_id=ORDER, lines={"1": units})
        except Rejected as rejected:  # a share that rounds to nothing
            assert isinstance(rejected.reason, NothingToRefund)
            refund = Refund(
                amount=pounds(0), lines=(RefundedLine(line_id="1", quantity=units, amount=pounds(0)),)
            )
        parts.append(refund.amount.amount)
        for event in book_refund(state, order_id=ORDER, credit_note_id=str(left), refund=refund, reason=""):
            order.evolve(state, event)
    assert sum(parts) == placed.lines[0].line_total.amount
