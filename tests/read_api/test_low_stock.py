"""What there is least of, over real stores."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from aggregates.catalog.events import ProductDelisted
from aggregates.inventory.events import StockAdjusted, StockReserved
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.read_api.test_lists import skus, walk
from tests.shop.facts import NOON, listed, received
from tests.shop.views import ViewShop

LIST = "/api/v1/inventory"


def low(api: httpx.Client, **parameters: Any) -> list[str]:
    return skus(walk(api, LIST, low="true", **parameters))


def reserved(sku: str, quantity: int, order_id: str = "o1") -> StockReserved:
    return StockReserved(sku=sku, location="main", order_id=order_id, quantity=quantity, expires_at=NOON)


def test_low_stock_is_at_or_below_the_setting_the_fewest_first_then_by_sku(
    shop: ViewShop, api: httpx.Client
) -> None:
    units = {"F": 6, "E": 5, "B": 2, "A": 2, "D": 0, "a": 2}
    shop.happens(*(received(sku, quantity or 1) for sku, quantity in units.items()))
    shop.happens(StockAdjusted(sku="D", location="main", delta=-1, reason="broken"))
    assert low(api) == ["D", "A", "B", "a", "E"]


def test_what_is_reserved_is_not_available(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(received("MUG", 9), received("CUP", 9), reserved("MUG", 4))
    (found,) = walk(api, LIST, low="true")
    assert (found["sku"], found["on_hand"], found["reserved"], found["available"]) == ("MUG", 9, 4, 5)


def test_a_product_that_never_had_any_stock_has_none(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(listed("NEW"), received("MUG", 9))
    (found,) = walk(api, LIST, low="true")
    assert (found["sku"], found["available"]) == ("NEW", 0)
    assert api.get(f"{LIST}/NEW").status_code == 404


def test_delisted_products_are_out_until_they_are_listed_again(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG", "CUP", quantity=1)
    shop.happens(ProductDelisted(sku="MUG", reason="gone"))
    assert low(api) == ["CUP"]
    shop.happens(received("MUG", 1))
    assert low(api) == ["CUP"]
    assert api.get(f"{LIST}/MUG").json()["delisted"] is True
    shop.happens(listed("MUG"))
    assert low(api) == ["CUP", "MUG"]
    assert "delisted" not in api.get(f"{LIST}/MUG").json()


def test_a_request_may_ask_for_fewer_and_never_for_more(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(*(received(f"S{n}", n) for n in range(1, 9)))
    assert low(api, below=3) == ["S1", "S2"]
    assert low(api, below=1) == low(api, below=0) == []
    assert low(api, below=100) == ["S1", "S2", "S3", "S4", "S5"]
    assert skus(walk(api, LIST, below=7)) == ["S1", "S2", "S3", "S4", "S5", "S6"]
    assert len(walk(api, LIST)) == 8


@pytest.mark.parametrize("limit", [1, 2, 7, 1_000])
def test_pages_show_each_sku_once_also_where_many_have_as_few(
    shop: ViewShop, api: httpx.Client, limit: int
) -> None:
    names = [f"S{n:02}" for n in range(40)]
    shop.happens(*(received(sku, 1 + (n > 30)) for n, sku in enumerate(names)))
    assert low(api, limit=limit) == names


def test_stock_that_moves_between_pages_hides_no_other_sku(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(*(received(sku, 1) for sku in "ABCD"))
    first = api.get(LIST, params={"low": "true", "limit": 2}).json()
    shop.happens(received("A", 90))
    rest = api.get(LIST, params={"low": "true", "limit": 2, "cursor": first["next"]}).json()
    assert (skus(first["items"]), skus(rest["items"]), rest["next"]) == (["A", "B"], ["C", "D"], None)


def test_the_setting_is_that_of_the_process(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.happens(*(received(f"S{n}", n) for n in range(1, 9)))
    settings = query_settings.model_copy(update={"low_stock": 2})
    app = build_query_app(settings, ready_position=lambda: None)
    with running(app) as address, httpx.Client(base_url=address) as api:
        assert low(api) == ["S1", "S2"]


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"low": "perhaps"}, 422),
        ({"below": "-1"}, 422),
        ({"below": "1e3"}, 422),
        ({"below": str(2**64)}, 422),
        ({"cursor": "WzEsMSwiQSJd"}, 400),
        ({"cursor": "x" * 513}, 422),
        ({"lwo": "true"}, 400),
    ],
)
def test_what_is_out_of_form_is_refused(
    shop: ViewShop, api: httpx.Client, parameters: dict[str, str], status: int
) -> None:
    shop.happens(received("MUG", 1))
    answer = api.get(LIST, params=parameters)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
