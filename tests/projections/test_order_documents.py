"""An order's events in, its document out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import msgspec
from hypothesis import given as forall
from hypothesis import strategies as some

from aggregates.kernel import Money, Rejected
from aggregates.orders import order
from aggregates.orders.events import OrderRefunded, Tender
from aggregates.payments import payment
from aggregates.payments.events import PaymentCaptured, PaymentRefunded
from projections.engine.follower import Decoded
from projections.views import customer_orders, orders
from tests.aggregates.orders_sample import CONFIRMED, ORDER, PLACED, decided
from tests.projections.memory_views import MemoryView, built, document
from tests.shop.facts import EMAIL, recorded
from tests.shop.log import Shop


def test_an_order_shows_its_lines_charges_and_story(shop: Shop) -> None:
    shop.lists("MUG")
    shop.places("o1", {"MUG": 2}, charges=(395, -50), customer_id="c-1", email=EMAIL)
    shop.confirms("o1")
    shop.sends("o1", "f1", {"1": 1})
    shop.sends("o1", "f2")
    shop.takes_back("o1", "r1", {"1": 1})

    shown = document(shop, orders.VIEW, "o1")

    assert shown["lines"][0]["line_total"] == {"amount": 2598, "currency": "GBP"}
    assert (shown["lines"][0]["fulfilled"], shown["lines"][0]["returned"]) == (2, 1)
    assert [charge["amount"]["amount"] for charge in shown["charges"]] == [395, -50]
    assert shown["total"]["amount"] == 2598 + 395 - 50
    assert shown["placed_at"] == "2026-03-01T09:00:00Z"
    assert [each["id"] for each in shown["fulfilments"]] == ["f1", "f2"]
    assert shown["returns"][0]["lines"] == [{"line_id": "1", "sku": "MUG", "quantity": 1}]
    assert shown["refunds"][0]["id"] == "note-r1"
    assert [entry["event"] for entry in shown["timeline"]] == [
        "orders.order_placed",
        "payments.payment_requested",
        "payments.payment_authorized",
        "orders.order_confirmed",
        "orders.lines_fulfilled",
        "payments.payment_captured",
        "orders.lines_fulfilled",
        "orders.lines_returned",
        "orders.order_refunded",
        "payments.payment_refunded",
    ]
    assert shown["version"] == 6


def test_an_order_shows_what_pays_for_each_part_of_it() -> None:
    credit = Tender(kind="gift_card", amount=Money(1000, "GBP"), account_id="a1")
    card = Tender(kind="card", amount=Money(2350, "GBP"))
    drawn = MemoryView(orders.VIEW)
    drawn.apply([Decoded(recorded(1), replace(PLACED, tenders=(credit, card)))])
    tenders = msgspec.json.decode(drawn.documents[ORDER])["tenders"]
    assert [(one["kind"], one["amount"]["amount"], one["account_id"]) for one in tenders] == [
        ("gift_card", 1000, "a1"),
        ("card", 2350, None),
    ]


def test_statuses_are_those_of_the_aggregates_after_every_event(shop: Shop) -> None:
    shop.lists("MUG")
    shop.places("o1", {"MUG": 2})
    shop.places("o2", {"MUG": 1})
    seen = set()

    def agrees() -> None:
        for order_id in ("o1", "o2"):
            shown = document(shop, orders.VIEW, order_id)
            assert shown["status"] == shop.state(order.stream(order_id)).status
            assert shown["payment"]["status"] == shop.state(payment.stream(order_id)).status
            seen.update((shown["status"], shown["payment"]["status"]))

    agrees()
    shop.cancels("o2", code="card_declined")
    agrees()
    shop.confirms("o1")
    agrees()
    shop.sends("o1", "f1", {"1": 1})
    agrees()
    shop.sends("o1", "f2")
    agrees()
    shop.takes_back("o1", "r1", {"1": 1})
    agrees()
    shop.takes_back("o1", "r2")
    agrees()
    assert seen == {
        *("placed", "pending", "canceled", "declined", "confirmed", "authorized", "partially_fulfilled"),
        *("captured", "fulfilled", "partially_returned", "partially_refunded", "returned", "refunded"),
    }


@forall(
    some.lists(
        some.tuples(
            some.sampled_from(["send", "return", "refund", "all"]), some.integers(1, 3), some.booleans()
        ),
        max_size=9,
    )
)
def test_what_is_withdrawn_is_what_the_aggregate_says_also_where_events_of_before_do_not(happenings) -> None:
    state, drawn = order.initial(), MemoryView(orders.VIEW)
    events = [PLACED, CONFIRMED]
    for nth, (what, units, of_before) in enumerate(happenings):
        with suppress(Rejected):
            state = order.initial()
            for event in events:
                state = order.evolve(state, event)
            events += map(
                said_nothing if of_before else lambda event: event, decided(state, what, units, str(nth))
            )
    state = order.initial()
    for position, event in enumerate(events, 1):
        state = order.evolve(state, event)
        drawn.apply([Decoded(recorded(position), event)])
        shown = msgspec.json.decode(drawn.documents[ORDER])
        assert shown["status"] == state.status
        assert [(line["refunded"], line["withdrawn"]) for line in shown["lines"]] == [
            (line.refunded, line.withdrawn) for line in state.lines.values()
        ]


def said_nothing(event):
    """The event as it was stored when no refund said what it withdrew."""
    if not isinstance(event, OrderRefunded):
        return event
    return replace(event, lines=tuple(replace(part, withdrawn=None) for part in event.lines))


def test_a_sale_that_was_undone_without_a_credit_note_is_refunded() -> None:
    drawn = MemoryView(orders.VIEW)
    money = Money(500, "GBP")
    drawn.apply(
        [
            Decoded(recorded(1), PaymentCaptured(order_id="o1", amount=money, source="elsewhere")),
            Decoded(recorded(2), PaymentRefunded(order_id="o1", amount=money)),
        ]
    )

    shown = msgspec.json.decode(drawn.documents["o1"])

    assert shown["payment"]["status"] == "refunded"
    assert shown["status"] == orders.UNKNOWN, "the order itself was never heard of"


def test_a_customers_orders_are_listed_by_placing_and_a_guests_nowhere(shop: Shop) -> None:
    shop.lists("MUG")
    shop.places("o1", {"MUG": 1}, customer_id="c-1")
    shop.places("o2", {"MUG": 1})
    shop.places("o3", {"MUG": 1}, customer_id="c-1")

    entries = built(shop, customer_orders.VIEW).entries

    assert entries.keys() == {"c-1"}
    assert sorted(entries["c-1"], key=entries["c-1"].__getitem__) == ["o1", "o3"]
