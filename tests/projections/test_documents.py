"""Events in, documents out."""

from __future__ import annotations

import msgspec
import pytest

from aggregates.catalog import product
from aggregates.inventory import stock
from projections.engine.follower import Decoded
from projections.views import cart, catalog, inventory
from projections.views.registry import VIEWS
from projections.views.view import View
from tests.projections.memory_views import MemoryView, built, document
from tests.shop.facts import ADDRESS, EMAIL, priced, recorded
from tests.shop.log import Shop


def test_a_product_shows_its_listing_and_what_can_be_bought_now(shop: Shop) -> None:
    shop.lists("MUG", units=10)
    shop.places("o1", {"MUG": 3})

    page = document(shop, catalog.VIEW, "MUG")

    assert page["title"] == "Mug MUG"
    assert page["category"] == "Kitchen > Mugs"
    assert page["price"] == {"amount": 1299, "currency": "GBP"}
    assert (page["on_hand"], page["reserved"], page["available"]) == (10, 3, 7)
    assert page["status"] == "listed"


def test_a_price_finer_than_a_penny_is_shown_rounded_and_exactly(shop: Shop) -> None:
    shop.lists("MUG", price="2.5550")

    assert document(shop, catalog.VIEW, "MUG")["price"] == {
        "amount": 256,
        "currency": "GBP",
        "exact": "2.555",
    }


def test_a_delisted_product_keeps_its_page_and_is_listed_again_with_its_stock(shop: Shop) -> None:
    shop.lists("MUG", units=10)
    shop.record(shop.decide(product.delist, sku="MUG", reason="gone"))
    page = document(shop, catalog.VIEW, "MUG")
    assert (page["status"], page["on_hand"], page["available"]) == ("delisted", 10, 0)
    shop.record(shop.decide(stock.receive, sku="MUG", quantity=1, reason="delivery"))
    assert document(shop, catalog.VIEW, "MUG")["available"] == 0

    shop.lists("MUG", price="1.00", units=5)

    page = document(shop, catalog.VIEW, "MUG")
    assert (page["status"], page["available"], page["price"]["amount"]) == ("listed", 16, 100)


def test_a_sku_that_has_stock_and_was_never_listed_is_unlisted(shop: Shop) -> None:
    shop.record(shop.decide(stock.receive, sku="X", quantity=4, reason="delivery"))

    page = document(shop, catalog.VIEW, "X")

    assert (page["status"], page["price"], page["on_hand"], page["available"]) == ("unlisted", None, 4, 0)
    shop.lists("X", units=1)
    assert document(shop, catalog.VIEW, "X")["available"] == 5


def test_stock_follows_every_movement(shop: Shop) -> None:
    shop.lists("MUG", units=10)
    shop.record(shop.decide(stock.adjust, sku="MUG", delta=-2, reason="broken"))
    shop.places("o1", {"MUG": 3})
    shop.confirms("o1")
    assert document(shop, inventory.VIEW, "MUG") | {"position": 0} == {
        "sku": "MUG",
        "on_hand": 8,
        "reserved": 3,
        "available": 5,
        "locations": {"main": 8},
        "position": 0,
    }

    shop.sends("o1", "f1", {"1": 2})
    shop.takes_back("o1", "r1", {"1": 1})
    shop.places("o2", {"MUG": 1})
    shop.cancels("o2", code="card_declined")

    found = document(shop, inventory.VIEW, "MUG")
    assert (found["on_hand"], found["reserved"], found["available"]) == (7, 1, 6)


def test_a_cart_shows_its_lines_and_their_rounded_sum(shop: Shop) -> None:
    shop.bustle(orders=12, seed=3)
    drawn = built(shop, cart.VIEW)

    carts = {
        stream.removeprefix("cart-"): state
        for stream, state in shop.states.items()
        if stream.startswith("cart-")
    }
    assert len(carts) == 12
    for cart_id, state in carts.items():
        shown = msgspec.json.decode(drawn.documents[cart_id])
        assert shown["status"] == state.status
        assert shown["total"]["amount"] == state.total.amount
        assert [(line["line_id"], line["sku"], line["quantity"]) for line in shown["lines"]] == [
            (line.line_id, line.sku, line.quantity) for line in state.lines.values()
        ]
        assert shown["version"] == len(shop.log.read_stream(f"cart-{cart_id}"))


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_no_view_holds_personal_data(shop: Shop, view: View) -> None:
    shop.lists("MUG")
    shop.places("o1", {"MUG": 1}, email=EMAIL)
    stored = b"".join(built(shop, view).documents.values())

    for secret in (EMAIL, ADDRESS.name, ADDRESS.line1, ADDRESS.city, ADDRESS.postal_code, "sealed"):
        assert secret.encode() not in stored


def test_what_is_not_above_a_documents_position_is_counted_in_it_already() -> None:
    drawn = MemoryView(catalog.VIEW)
    price = priced("MUG", "2.00")
    received = stock.receive(stock.initial(), sku="MUG", quantity=5, reason="delivery")
    drawn.apply([Decoded(recorded(1), received[0]), Decoded(recorded(2), price)])
    before = dict(drawn.documents)

    drawn.position = 0  # as a shard whose checkpoint lies behind its documents
    drawn.apply([Decoded(recorded(1), received[0]), Decoded(recorded(2), price)])

    assert drawn.documents == before
