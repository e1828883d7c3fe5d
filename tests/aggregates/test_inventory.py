"""The rules of the stock of one SKU."""

from dataclasses import replace
from datetime import UTC, datetime
from time import process_time

import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as some

from aggregates.inventory import stock
from aggregates.inventory.events import (
    ReservationConfirmed,
    ReservationReleased,
    StockAdjusted,
    StockDispatched,
    StockReceived,
    StockReserved,
    StockRestocked,
)
from aggregates.inventory.stock import LocationNotInUse, NotEnoughStock, NotReserved
from aggregates.kernel import Rejected
from tests.aggregates.given import given, state_after

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MUG, ANNA, BORIS = "MUG", "a" * 32, "b" * 32


def received(quantity, source=None):
    return StockReceived(sku=MUG, location="main", quantity=quantity, reason="delivery", source=source)


def reserved(order_id, quantity):
    return StockReserved(sku=MUG, location="main", order_id=order_id, quantity=quantity, expires_at=NOON)


def confirmed(order_id, quantity):
    return ReservationConfirmed(sku=MUG, location="main", order_id=order_id, quantity=quantity)


def released(order_id, quantity, cause):
    return ReservationReleased(sku=MUG, location="main", order_id=order_id, quantity=quantity, cause=cause)


def dispatched(order_id, quantity, from_reservation):
    return StockDispatched(
        sku=MUG, location="main", order_id=order_id, quantity=quantity, from_reservation=from_reservation
    )


def test_a_delivery_without_a_source_is_received_each_time():
    given(received(5)).when(stock.receive, sku=MUG, quantity=5, reason="delivery").then(received(5))


def test_a_source_is_received_once_whatever_it_says_the_second_time():
    given().when(stock.receive, sku=MUG, quantity=5, reason="delivery", source="note 1").then_once(
        received(5, "note 1")
    )
    given(received(5, "note 1")).when(
        stock.receive, sku=MUG, quantity=9, reason="delivery", source="note 1"
    ).then_nothing()


def test_an_adjustment_by_a_source_counts_once():
    adjusted = StockAdjusted(sku=MUG, location="main", delta=-2, reason="broken", source="count 1")
    given(received(5)).when(stock.adjust, sku=MUG, delta=-2, reason="broken", source="count 1").then_once(
        adjusted
    )


def test_a_receipt_and_an_adjustment_of_one_source_are_two_things():
    given(received(5, "note 1")).when(stock.adjust, sku=MUG, delta=-1, reason="broken", source="note 1").then(
        StockAdjusted(sku=MUG, location="main", delta=-1, reason="broken", source="note 1")
    )


def test_the_books_cannot_be_adjusted_below_what_is_promised_to_orders():
    given(received(5), reserved(ANNA, 4)).when(
        stock.adjust, sku=MUG, delta=-2, reason="broken"
    ).then_rejected(NotEnoughStock(sku=MUG, asked=2, available=1))
    given(received(5), reserved(ANNA, 4)).when(stock.adjust, sku=MUG, delta=-1, reason="broken").then(
        StockAdjusted(sku=MUG, location="main", delta=-1, reason="broken")
    )


def test_stock_moves_at_the_one_location_that_is_in_use():
    elsewhere = LocationNotInUse(sku=MUG, location="north")
    given().when(stock.receive, sku=MUG, quantity=5, reason="delivery", location="north").then_rejected(
        elsewhere
    )
    given(received(5)).when(stock.adjust, sku=MUG, delta=1, reason="found", location="north").then_rejected(
        elsewhere
    )
    given(received(5)).when(
        stock.reserve, sku=MUG, order_id=ANNA, quantity=1, expires_at=NOON, location="north"
    ).then_rejected(elsewhere)


def test_what_lies_elsewhere_since_before_counts_and_is_sent():
    north = replace(received(5), location="north")
    given(north).when(stock.dispatch, sku=MUG, order_id=ANNA, quantity=5).then(dispatched(ANNA, 5, 0))


def test_units_of_an_order_that_costs_nothing_do_not_expire():
    given(received(5)).when(
        stock.reserve, sku=MUG, order_id=ANNA, quantity=2, expires_at=NOON, confirmed=True
    ).then_once(reserved(ANNA, 2), confirmed(ANNA, 2))


def test_a_part_of_what_is_set_aside_is_released():
    held = given(received(5), reserved(ANNA, 3), confirmed(ANNA, 3))
    held.when(stock.release, sku=MUG, order_id=ANNA, cause="refunded", keeping=1).then_once(
        released(ANNA, 2, "refunded")
    )
    held.when(stock.release, sku=MUG, order_id=ANNA, cause="refunded", keeping=3).then_nothing()


def test_an_adjustment_by_nothing_is_none():
    given(received(5)).when(stock.adjust, sku=MUG, delta=0, reason="count").then_nothing()


def test_units_promised_to_one_order_cannot_be_promised_to_another():
    given(received(5), reserved(ANNA, 4)).when(
        stock.reserve, sku=MUG, order_id=BORIS, quantity=2, expires_at=NOON
    ).then_rejected(NotEnoughStock(sku=MUG, asked=2, available=1))


def test_the_last_units_can_be_reserved_once():
    given(received(5), reserved(ANNA, 4)).when(
        stock.reserve, sku=MUG, order_id=BORIS, quantity=1, expires_at=NOON
    ).then_once(reserved(BORIS, 1))


def test_a_confirmed_reservation_is_confirmed_once():
    given(received(5), reserved(ANNA, 4)).when(stock.confirm, sku=MUG, order_id=ANNA).then_once(
        confirmed(ANNA, 4)
    )


def test_what_is_not_reserved_cannot_be_confirmed():
    given(received(5), reserved(ANNA, 4), released(ANNA, 4, "expired")).when(
        stock.confirm, sku=MUG, order_id=ANNA
    ).then_rejected(NotReserved(sku=MUG, order_id=ANNA))


def test_released_units_are_on_sale_again():
    given(received(5), reserved(ANNA, 4)).when(
        stock.release, sku=MUG, order_id=ANNA, cause="declined"
    ).then_once(released(ANNA, 4, "declined"))
    given(received(5), reserved(ANNA, 4), released(ANNA, 4, "declined")).when(
        stock.reserve, sku=MUG, order_id=BORIS, quantity=5, expires_at=NOON
    ).then(reserved(BORIS, 5))


def test_only_what_is_left_of_a_reservation_is_released():
    given(received(5), reserved(ANNA, 4), dispatched(ANNA, 3, 3)).when(
        stock.release, sku=MUG, order_id=ANNA, cause="canceled"
    ).then_once(released(ANNA, 1, "canceled"))


def test_a_dispatch_takes_what_the_order_holds_first_and_the_rest_from_what_is_on_sale():
    given(received(5), reserved(ANNA, 2)).when(stock.dispatch, sku=MUG, order_id=ANNA, quantity=3).then(
        dispatched(ANNA, 3, 2)
    )
    given(received(5), reserved(ANNA, 2)).when(stock.dispatch, sku=MUG, order_id=ANNA, quantity=1).then(
        dispatched(ANNA, 1, 1)
    )


def test_a_dispatch_without_a_reservation_never_takes_what_others_hold():
    given(received(5), reserved(ANNA, 4)).when(stock.dispatch, sku=MUG, order_id=BORIS, quantity=1).then(
        dispatched(BORIS, 1, 0)
    )
    given(received(5), reserved(ANNA, 4)).when(
        stock.dispatch, sku=MUG, order_id=BORIS, quantity=2
    ).then_rejected(NotEnoughStock(sku=MUG, asked=2, available=1))


def test_a_return_goes_back_on_the_shelf_once():
    given(received(5), dispatched(ANNA, 2, 0)).when(
        stock.restock, sku=MUG, order_id=ANNA, return_id="r1", quantity=2
    ).then_once(StockRestocked(sku=MUG, location="main", order_id=ANNA, return_id="r1", quantity=2))


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_movement_of_no_units_is_a_mistake_of_ours(quantity):
    shelf = state_after(stock, received(5))
    with pytest.raises(ValueError, match="at least 1"):
        stock.reserve(shelf, sku=MUG, order_id=ANNA, quantity=quantity, expires_at=NOON)


ORDERS = some.sampled_from([ANNA, BORIS, "c" * 32])
UNITS = some.integers(1, 6)
COMMANDS = some.one_of(
    some.tuples(
        some.just(stock.receive), some.fixed_dictionaries({"quantity": UNITS, "reason": some.just("")})
    ),
    some.tuples(
        some.just(stock.adjust),
        some.fixed_dictionaries({"delta": some.integers(-6, 6), "reason": some.just("")}),
    ),
    some.tuples(
        some.just(stock.reserve),
        some.fixed_dictionaries({"order_id": ORDERS, "quantity": UNITS, "expires_at": some.just(NOON)}),
    ),
    some.tuples(some.just(stock.confirm), some.fixed_dictionaries({"order_id": ORDERS})),
    some.tuples(
        some.just(stock.release),
        some.fixed_dictionaries({"order_id": ORDERS, "cause": some.just("canceled")}),
    ),
    some.tuples(some.just(stock.dispatch), some.fixed_dictionaries({"order_id": ORDERS, "quantity": UNITS})),
    some.tuples(
        some.just(stock.restock),
        some.fixed_dictionaries(
            {"order_id": ORDERS, "return_id": some.sampled_from(["1", "2", "3"]), "quantity": UNITS}
        ),
    ),
)


@settings(max_examples=300, deadline=None)
@forall(commands=some.lists(COMMANDS, max_size=40))
def test_whatever_is_asked_units_are_conserved_and_never_promised_twice(commands):
    shelf, history = stock.initial(), []
    for decide, arguments in commands:
        try:
            events = decide(shelf, sku=MUG, **arguments)
        except Rejected:
            continue
        for event in events:
            shelf = stock.evolve(shelf, event)
            history.append(event)
        assert 0 <= shelf.reserved <= shelf.on_hand
        assert shelf.reserved == sum(held.quantity for held in shelf.reservations.values())
        assert all(held.quantity > 0 for held in shelf.reservations.values())
    deltas = [event.delta for event in history if isinstance(event, StockAdjusted)]
    come = sum(e.quantity for e in history if isinstance(e, StockReceived | StockRestocked))
    gone = sum(e.quantity for e in history if isinstance(e, StockDispatched))
    assert come + sum(d for d in deltas if d > 0) == shelf.on_hand + gone - sum(d for d in deltas if d < 0)


def test_a_hot_sku_folds_in_linear_time():
    def events(orders):
        yield received(orders)
        for number in range(orders):
            yield reserved(f"{number:032x}", 1)

    def seconds(orders):
        """The least of three: what else the machine does only adds to it."""
        history = list(events(orders))
        found = []
        for _ in range(3):
            started = process_time()
            state_after(stock, *history)
            found.append(process_time() - started)
        return min(found)

    assert seconds(100_000) < 50 * max(seconds(10_000), 0.01)  # quadratic would be 100 times
