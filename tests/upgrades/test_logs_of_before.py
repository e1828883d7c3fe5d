"""A log that code of before wrote opens, verifies, and has its orders finished; nothing is paid twice."""

from __future__ import annotations

import httpx
import pytest

from tests.system.running import daybook
from tests.upgrades.conftest import Upgraded
from tests.upgrades.record import order_of
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ENDS: dict[str, set[str]] = {
    "authorized": {"confirmed authorized"},
    "part sent": {"partially_fulfilled captured"},
    "returned": {"partially_returned partially_refunded"},
    "canceled": {"canceled voided"},
    "declined": {"canceled declined"},
    "refunded units": {"confirmed partially_refunded"},
    "refunded amount": {"confirmed partially_refunded"},
    "waiting": {"canceled voided"},
    # Their time is over too: whichever is first, no money is held for an order that is given up.
    "not called": {"confirmed authorized", "canceled voided"},
    "authorize lost": {"confirmed authorized", "canceled voided"},
    "authorize done": {"confirmed authorized", "canceled voided"},
    "capture lost": {"fulfilled captured"},
    "capture done": {"fulfilled captured"},
    "refund lost": {"confirmed partially_refunded"},
    "refund done": {"confirmed partially_refunded"},
    "void lost": {"canceled voided"},
    "void done": {"canceled voided"},
}
"""How each story ends by itself: order and payment."""

REFUNDED = {
    "returned": 900,
    "refunded units": 900,
    "refunded amount": 100,
    "refund lost": 900,
    "refund done": 900,
}
"""What went back of each story's 33.50, in minor units."""


@pytest.mark.parametrize("story", ENDS)
def test_a_story_ends_by_itself_and_its_card_is_charged_once(upgraded: Upgraded, story: str) -> None:
    wait_until(lambda: upgraded.stands(story) in ENDS[story], why=lambda: upgraded.stands(story))
    status, captured, refunded = upgraded.charge(story)
    payment = upgraded.stands(story).split()[1]
    assert refunded == REFUNDED.get(story, 0)
    if payment in ("captured", "partially_refunded"):
        assert (status, captured) == ("captured", 3350)
    else:
        assert (status, captured) == (payment, 0)


@pytest.mark.parametrize(
    ("story", "units"),
    [
        ("authorized", [3, 1]),
        ("part sent", [2, 1]),
        ("refunded amount", [3, 1]),
        ("refunded units", [1, 1]),
        ("refund lost", [1, 1]),
        ("refund done", [1, 1]),
    ],
)
def test_what_was_not_refunded_is_sent(upgraded: Upgraded, story: str, units: list[int]) -> None:
    status, answer = upgraded.do(f"/orders/{order_of(story)}/fulfilments", {})
    assert status == 201, answer
    assert upgraded.do(f"/orders/{order_of(story)}/fulfilments", {})[0] == 201, "a retry is answered"

    def sent() -> list[int] | None:
        order = upgraded.get(f"/orders/{order_of(story)}")
        by_id = {one["id"]: [line["quantity"] for line in one["lines"]] for one in order["fulfilments"]}
        return by_id.get(answer["id"])

    wait_until(lambda: sent() == units, why=lambda: f"{sent()}")
    captured = {"captured", "partially_refunded"}
    wait_until(lambda: upgraded.stands(story).split()[1] in captured, why=lambda: upgraded.stands(story))


def test_what_was_refunded_unsent_is_not_sent_and_its_order_can_end(upgraded: Upgraded) -> None:
    unsent, one_sent = order_of("refunded unsent"), order_of("refunded one sent")
    for order_id in (unsent, one_sent):
        status, problem = upgraded.do(f"/orders/{order_id}/fulfilments", {})
        assert (status, problem["type"]) == (409, "/problems/not-fulfillable")

    def reserved() -> tuple[int, int]:
        return upgraded.get("/inventory/MUG")["reserved"], upgraded.get("/inventory/PAN")["reserved"]

    mugs, pans = reserved()
    for order_id, ends in ((unsent, "canceled refunded"), (one_sent, "fulfilled refunded")):
        status, answer = upgraded.do(f"/orders/{order_id}/cancel", {})
        assert status == 200, answer
        story = "refunded unsent" if order_id == unsent else "refunded one sent"
        wait_until(lambda s=story, e=ends: upgraded.stands(s) == e, why=lambda s=story: upgraded.stands(s))
    wait_until(lambda: reserved() == (mugs - 3 - 2, pans - 1 - 1), why=lambda: f"{reserved()}")
    assert upgraded.charge("refunded unsent") == upgraded.charge("refunded one sent")


def test_a_cart_of_before_is_checked_out_without_what_is_sold_no_more(upgraded: Upgraded) -> None:
    cart = f"/carts/{'c' * 40}"
    buyer = {
        "email": "late@example.org",
        "payment": {"method": "pm_card_visa"},
        "shipping_address": {
            "name": "Late", "line1": "1 High St", "city": "York", "postal_code": "YO1 7EP", "country": "GB"
        },
    }  # fmt: skip
    status, problem = upgraded.do(f"{cart}/checkout", buyer)
    assert (status, problem["type"]) == (409, "/problems/product-not-on-sale")
    removed = httpx.delete(f"{upgraded.system.addresses['commands']}/api/v1{cart}/items/GONE")
    assert removed.status_code == 200
    status, answer = upgraded.do(f"{cart}/checkout", buyer)
    assert status == 201, answer
    wait_until(lambda: upgraded.get(f"{cart}")["status"] == "checked_out")
    assert upgraded.get(cart)["total"] == {"amount": 450, "currency": "GBP"}


@pytest.mark.parametrize("story", ["authorized", "part sent", "returned"])
def test_who_ordered_is_still_read_by_who_may(upgraded: Upgraded, story: str) -> None:
    printed = daybook("replays", "order", order_of(story), "--json", "--data", str(upgraded.data))
    assert f"{story.replace(' ', '.')}@example.org" in printed.stdout, printed.stderr
    assert "1 High St" in printed.stdout


def test_the_log_verifies_and_its_views_equal_a_rebuild(upgraded: Upgraded) -> None:
    upgraded.stored.verifies()
    upgraded.stored.wait_views(upgraded.stored.log.head())
    upgraded.stored.views_equal_a_rebuild()
