"""Units that are refunded before they were sent are withdrawn: they are not sent any more, and nobody is
told that they are still to come."""

from hypothesis import given as forall
from hypothesis import strategies as some

from aggregates.kernel import Rejected
from aggregates.orders import order
from aggregates.orders.fulfilment import NotFulfillable, TooManyUnits, fulfil
from aggregates.orders.order import Refund
from aggregates.orders.refund import leaves_nothing, plan_refund
from aggregates.orders.refund_booking import book_refund
from tests.aggregates.given import given, state_after
from tests.aggregates.orders_sample import (
    CONFIRMED,
    HAPPENINGS,
    ORDER,
    PLACED,
    canceled,
    decided,
    fulfilled,
    line_refund,
    pounds,
    refunded,
    returned,
)

PAID = (PLACED, CONFIRMED)
ONE_SENT = (*PAID, fulfilled("f1", {"1": 1}))


def withdrawn(*history, under_way=(), **request):
    planned = given(*history).when(plan_refund, order_id=ORDER, under_way=under_way, **request).decided
    return {part.line_id: part.withdrawn for part in planned.lines}


def sending(*history, **request):
    return given(*history).when(fulfil, order_id=ORDER, fulfilment_id="f9", **request)


def test_a_refund_withdraws_what_was_not_sent_and_never_more():
    assert withdrawn(*PAID) == {"1": 3, "2": 1}
    assert withdrawn(*ONE_SENT) == {"1": 2, "2": 1}
    assert withdrawn(*ONE_SENT, lines={"1": 1}) == {"1": 1}
    assert withdrawn(*PAID, fulfilled("f1", {"1": 3, "2": 1})) == {"1": 0, "2": 0}


def test_units_that_came_back_are_refunded_before_any_is_withdrawn():
    one_back = (*PAID, fulfilled("f1", {"1": 2}), returned("r1", {"1": 1}))
    assert withdrawn(*one_back, lines={"1": 1}) == {"1": 0}
    assert withdrawn(*one_back, lines={"1": 2}) == {"1": 1}
    repaid = (*one_back, refunded("n1", 333, line_refund("1", 1, 333, withdrawn=0)))
    assert withdrawn(*repaid, lines={"1": 1}) == {"1": 1}


def test_an_amount_alone_withdraws_nothing():
    assert withdrawn(*PAID, amount=pounds(3349)) == {}
    sending(*PAID, refunded("n1", 3349)).then(fulfilled("f9", {"1": 3, "2": 1}))


def test_what_comes_to_all_that_remains_is_a_refund_of_all_while_units_are_unsent():
    assert withdrawn(*PAID, amount=pounds(3350)) == {"1": 3, "2": 1}
    assert withdrawn(*ONE_SENT, refunded("n1", 50), amount=pounds(3300)) == {"1": 2, "2": 1}
    assert withdrawn(*PAID, refunded("n1", 1350), lines={"2": 1}) == {"1": 3, "2": 1}
    assert withdrawn(*PAID, refunded("n1", 1400), lines={"2": 1}, amount=pounds(1950)) == {"1": 3, "2": 1}
    assert withdrawn(*PAID, fulfilled("f1", {"1": 3, "2": 1}), amount=pounds(3350)) == {}
    assert withdrawn(*PAID, fulfilled("f1", {"1": 3}), refunded("n1", 1350), lines={"2": 1}) == {"2": 1}


def test_two_refunds_under_way_do_not_withdraw_the_same_unit():
    first = plan_refund(state_after(order, *ONE_SENT), order_id=ORDER, lines={"1": 1})
    assert withdrawn(*ONE_SENT, lines={"1": 2}, under_way=[first]) == {"1": 1}


def test_units_of_a_refund_that_is_booked_or_under_way_are_not_sent():
    booked = refunded("n1", 667, line_refund("1", 2, 667))
    sending(*PAID, booked).then(fulfilled("f9", {"1": 1, "2": 1}))
    sending(*PAID, booked, lines={"1": 2}).then_rejected(TooManyUnits(line_id="1", asked=2, remaining=1))
    under_way = [Refund(amount=booked.amount, lines=booked.lines)]
    sending(*PAID, under_way=under_way).then(fulfilled("f9", {"1": 1, "2": 1}))
    sending(*PAID, lines={"1": 2}, under_way=under_way).then_rejected(
        TooManyUnits(line_id="1", asked=2, remaining=1)
    )


def test_an_order_whose_units_are_sent_or_withdrawn_is_fulfilled_and_one_all_back_is_returned():
    rest = refunded("n1", 2667, line_refund("1", 2, 667), line_refund("2", 1, 2000))
    assert state_after(order, *ONE_SENT, rest).status == "fulfilled"
    sending(*ONE_SENT, rest).then_rejected(NotFulfillable(order_id=ORDER, order_status="fulfilled"))
    assert state_after(order, *ONE_SENT, rest, returned("r1", {"1": 1})).status == "returned"


def test_an_order_is_left_with_nothing_once_all_money_is_back_and_no_unit_was_or_will_be_sent():
    everything = plan_refund(state_after(order, *PAID), order_id=ORDER)
    assert leaves_nothing(state_after(order, *PAID), everything)
    assert not leaves_nothing(state_after(order, *ONE_SENT), everything)
    some_before = (*PAID, refunded("n1", 100))
    rest = plan_refund(state_after(order, *some_before), order_id=ORDER)
    assert leaves_nothing(state_after(order, *some_before), rest)
    money_alone = Refund(amount=pounds(3350), lines=())
    assert not leaves_nothing(state_after(order, *PAID), money_alone)
    units_alone = plan_refund(state_after(order, *PAID), order_id=ORDER, lines={"1": 3, "2": 1})
    assert not leaves_nothing(state_after(order, *PAID), units_alone)  # The postage was not refunded.


def test_what_was_booked_before_the_books_said_what_is_withdrawn_is_not_sent_either():
    said_nothing = refunded("n1", 667, line_refund("1", 2, 667, withdrawn=None))
    sending(*PAID, said_nothing).then(fulfilled("f9", {"1": 1, "2": 1}))
    sent_all_the_same = (*PAID, said_nothing, fulfilled("f1", {"1": 3}))
    assert state_after(order, *sent_all_the_same).lines["1"].unsent == 0
    sending(*sent_all_the_same).then(fulfilled("f9", {"2": 1}))


def test_a_refund_that_is_booked_says_what_it_withdraws_even_where_its_request_did_not():
    planned = Refund(amount=pounds(667), lines=(line_refund("1", 2, 667, withdrawn=None),))
    given(*ONE_SENT).when(book_refund, order_id=ORDER, credit_note_id="n1", refund=planned).then_once(
        refunded("n1", 667, line_refund("1", 2, 667), reason=None)
    )


def test_a_canceled_order_sends_nothing():
    sending(*PAID, canceled("refunded", credited=100)).then_rejected(
        NotFulfillable(order_id=ORDER, order_status="canceled")
    )


@forall(some.lists(some.tuples(some.sampled_from(HAPPENINGS), some.integers(1, 3)), max_size=12))
def test_whatever_happens_no_more_is_sent_or_withdrawn_than_was_ordered(happenings):
    state = state_after(order, *PAID)
    for nth, (what, units) in enumerate(happenings):
        try:
            for event in decided(state, what, units, str(nth)):
                state = order.evolve(state, event)
        except Rejected:
            continue
        for line in state.lines.values():
            assert 0 <= line.withdrawn <= line.refunded <= line.ordered.quantity
            assert line.fulfilled + line.withdrawn <= line.ordered.quantity
            assert line.refunded - line.withdrawn <= line.fulfilled
            assert line.returned <= line.fulfilled
