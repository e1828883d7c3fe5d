"""The rules of an order: placed, confirmed, canceled, sent and taken back."""

from dataclasses import replace

import pytest

from aggregates.kernel import Money, WrongCurrency
from aggregates.orders import order
from aggregates.orders.cancellation import NotCancelable, RefundUnderWay, cancel
from aggregates.orders.events import Charge, SaleParts, Tender
from aggregates.orders.fulfilment import (
    NotFulfillable,
    NotReturnable,
    TooManyUnits,
    UnknownLine,
    fulfil,
    return_lines,
)
from aggregates.orders.order import (
    NothingOrdered,
    TotalBelowZero,
    UnknownOrder,
    confirm,
    place,
)
from tests.aggregates.given import given, state_after
from tests.aggregates.orders_sample import (
    CONFIRMED,
    DISCOUNT,
    ORDER,
    PLACED,
    PLACED_AT,
    POSTAGE,
    PURCHASES,
    canceled,
    fulfilled,
    pounds,
    refunded,
    returned,
)

FACTS = {
    "order_id": ORDER,
    "number": "D-1",
    "channel": "web",
    "currency": "GBP",
    "lines": PURCHASES,
    "charges": (POSTAGE, DISCOUNT),
    "placed_at": PLACED_AT,
    "customer_id": "anna",
}
GIVEN_UP = {"order_id": ORDER, "cause": "canceled"}


def test_the_total_is_the_sum_of_rounded_lines_and_charges():
    given().when(place, **FACTS).then_once(PLACED)


def paid_by_card(pence):
    return (Tender(kind="card", amount=pounds(pence)),)


def test_an_order_of_charges_alone_is_an_order_and_one_of_nothing_is_none():
    given().when(place, **(FACTS | {"lines": (), "charges": (POSTAGE,)})).then(
        replace(PLACED, lines=(), charges=(POSTAGE,), total=pounds(450), tenders=paid_by_card(450))
    )
    given().when(place, **(FACTS | {"lines": (), "charges": ()})).then_rejected(NothingOrdered(ORDER))


def test_discounts_cannot_turn_a_sale_into_a_payment_to_the_customer():
    huge = replace(DISCOUNT, amount=pounds(-3451))
    given().when(place, **(FACTS | {"charges": (POSTAGE, huge)})).then_rejected(
        TotalBelowZero(order_id=ORDER, total=pounds(-1))
    )


def test_an_order_has_one_currency():
    given().when(place, **(FACTS | {"currency": "EUR"})).then_rejected(
        WrongCurrency(asked="GBP", expected="EUR")
    )
    euros = Charge(kind="shipping", label="Post", amount=Money(1, "EUR"))
    given().when(place, **(FACTS | {"charges": (euros,)})).then_rejected(
        WrongCurrency(asked="EUR", expected="GBP")
    )


def test_an_order_is_confirmed_once_and_not_after_it_was_canceled():
    given(PLACED).when(confirm, order_id=ORDER).then_once(CONFIRMED)
    given(PLACED, canceled("expired")).when(confirm, order_id=ORDER).then_nothing()


@pytest.mark.parametrize("history", [(PLACED,), (PLACED, CONFIRMED)])
def test_an_order_can_be_canceled_until_something_is_sent(history):
    given(*history).when(cancel, order_id=ORDER, cause="canceled", reason="changed my mind").then_once(
        canceled("canceled", reason="changed my mind")
    )


def test_what_was_sent_is_returned_not_canceled():
    given(PLACED, CONFIRMED, fulfilled("f1", {"1": 1})).when(cancel, **GIVEN_UP).then_rejected(
        NotCancelable(order_id=ORDER, order_status="partially_fulfilled")
    )


def test_a_cancellation_says_what_credit_notes_gave_back_before_and_waits_for_one_on_its_way():
    left = SaleParts(discounts=98, shipping=437)  # what was credited keeps its part of each
    given(PLACED, CONFIRMED, refunded("n1", 100)).when(cancel, **GIVEN_UP).then_once(
        canceled(credited=100, parts=left)
    )
    given(PLACED, CONFIRMED).when(cancel, **GIVEN_UP, refunding=True).then_rejected(RefundUnderWay(ORDER))


def test_all_that_remains_is_sent_where_no_line_is_named():
    given(PLACED, CONFIRMED).when(fulfil, order_id=ORDER, fulfilment_id="f1").then_once(
        fulfilled("f1", {"1": 3, "2": 1})
    )
    given(PLACED, CONFIRMED, fulfilled("f1", {"1": 2})).when(
        fulfil, order_id=ORDER, fulfilment_id="f2"
    ).then_once(fulfilled("f2", {"1": 1, "2": 1}))


def test_no_more_of_a_line_is_sent_than_remains_of_it():
    given(PLACED, CONFIRMED, fulfilled("f1", {"1": 2})).when(
        fulfil, order_id=ORDER, fulfilment_id="f2", lines={"1": 2}
    ).then_rejected(TooManyUnits(line_id="1", asked=2, remaining=1))
    given(PLACED, CONFIRMED, fulfilled("f1", {"1": 2})).when(
        fulfil, order_id=ORDER, fulfilment_id="f2", lines={"1": 1}
    ).then_once(fulfilled("f2", {"1": 1}))


def test_only_lines_of_the_order_are_sent():
    given(PLACED, CONFIRMED).when(fulfil, order_id=ORDER, fulfilment_id="f1", lines={"9": 1}).then_rejected(
        UnknownLine(order_id=ORDER, line_id="9")
    )


@pytest.mark.parametrize(
    ("history", "status"),
    [
        ((PLACED,), "placed"),
        ((PLACED, canceled()), "canceled"),
        ((PLACED, CONFIRMED, canceled()), "canceled"),
        ((PLACED, CONFIRMED, fulfilled("f1", {"1": 3, "2": 1})), "fulfilled"),
    ],
)
def test_nothing_is_sent_of_an_order_that_is_unpaid_canceled_or_sent_already(history, status):
    given(*history).when(fulfil, order_id=ORDER, fulfilment_id="f9").then_rejected(
        NotFulfillable(order_id=ORDER, order_status=status)
    )


SENT = (PLACED, CONFIRMED, fulfilled("f1", {"1": 2}))
BACK = {"order_id": ORDER, "restock": True, "reason": "too small"}


def test_all_that_was_sent_comes_back_where_no_line_is_named():
    given(*SENT).when(return_lines, return_id="r1", **BACK).then_once(returned("r1", {"1": 2}))


def test_only_what_was_sent_comes_back_and_only_once():
    given(*SENT).when(return_lines, return_id="r1", lines={"1": 3}, **BACK).then_rejected(
        TooManyUnits(line_id="1", asked=3, remaining=2)
    )
    given(*SENT, returned("r1", {"1": 1})).when(
        return_lines, return_id="r2", lines={"1": 2}, **BACK
    ).then_rejected(TooManyUnits(line_id="1", asked=2, remaining=1))
    given(*SENT).when(return_lines, return_id="r1", lines={"9": 1}, **BACK).then_rejected(
        UnknownLine(order_id=ORDER, line_id="9")
    )


@pytest.mark.parametrize(
    ("history", "status"),
    [
        ((PLACED,), "placed"),
        ((PLACED, CONFIRMED), "confirmed"),
        ((*SENT, returned("r1", {"1": 2})), "partially_returned"),
    ],
)
def test_nothing_comes_back_of_an_order_that_has_nothing_out(history, status):
    given(*history).when(return_lines, return_id="r9", **BACK).then_rejected(
        NotReturnable(order_id=ORDER, order_status=status)
    )


def test_an_order_nobody_placed_is_unknown():
    unknown = UnknownOrder(ORDER)
    given().when(confirm, order_id=ORDER).then_rejected(unknown)
    given().when(cancel, **GIVEN_UP).then_rejected(unknown)
    given().when(fulfil, order_id=ORDER, fulfilment_id="f1").then_rejected(unknown)
    given().when(return_lines, return_id="r1", **BACK).then_rejected(unknown)


@pytest.mark.parametrize(
    ("history", "status"),
    [
        ((), "unknown"),
        ((PLACED,), "placed"),
        ((PLACED, CONFIRMED), "confirmed"),
        ((PLACED, CONFIRMED, refunded("n1", 10)), "confirmed"),
        (SENT, "partially_fulfilled"),
        ((*SENT, fulfilled("f2", {"1": 1, "2": 1})), "fulfilled"),
        ((*SENT, returned("r1", {"1": 2})), "partially_returned"),
        ((*SENT, fulfilled("f2", {"1": 1, "2": 1}), returned("r1", {"1": 3})), "partially_returned"),
        ((*SENT, fulfilled("f2", {"1": 1, "2": 1}), returned("r1", {"1": 3, "2": 1})), "returned"),
        ((PLACED, canceled()), "canceled"),
    ],
)
def test_the_status_says_how_far_the_order_has_come(history, status):
    assert state_after(order, *history).status == status
