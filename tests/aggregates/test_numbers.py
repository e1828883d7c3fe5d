"""A number is borne once."""

from aggregates.orders.events import CreditNoteNumbered, OrderNumbered
from aggregates.orders.number import number_credit_note, number_order
from tests.aggregates.given import given


def test_an_order_bears_a_number_that_is_free_and_asks_for_its_own_in_vain():
    given().when(number_order, order_id="a").then_once(OrderNumbered(order_id="a"))
    assert given(OrderNumbered(order_id="a")).when(number_order, order_id="b").decided is None


def test_a_credit_note_does_so_too():
    given().when(number_credit_note, credit_note_id="a").then_once(CreditNoteNumbered(credit_note_id="a"))
    taken = given(CreditNoteNumbered(credit_note_id="a"))
    assert taken.when(number_credit_note, credit_note_id="b").decided is None
