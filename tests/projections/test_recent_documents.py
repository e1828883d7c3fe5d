"""Views of products in; what a visit looked at last out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from projections.engine.follower import Decoded
from projections.views import recent
from tests.projections.memory_views import MemoryView
from tests.shop.facts import VISIT, recorded, viewed


def documents_of(*happened: Any) -> dict[str, Any]:
    built = MemoryView(recent.VIEW)
    built.apply([Decoded(recorded(n, event), event) for n, event in enumerate(happened, start=1)])
    return {key: msgspec.json.decode(value) for key, value in built.documents.items()}


def test_a_visits_products_stand_newest_first_each_once() -> None:
    views = [viewed(sku, n) for n, sku in enumerate("ABCAD", start=1)]
    assert documents_of(*views) == {VISIT: {"visit_id": VISIT, "skus": ["D", "A", "C", "B"], "position": 5}}


def test_visits_know_nothing_of_each_other_and_of_no_customer() -> None:
    of_anna = replace(viewed("A"), customer_id="anna")
    found = documents_of(of_anna, viewed("B", visit_id="w" * 32), viewed("C", 2))
    assert {key: document["skus"] for key, document in found.items()} == {VISIT: ["C", "A"], "w" * 32: ["B"]}
    assert "anna" not in str(found)


@given(st.lists(st.integers(0, 40).map(str), min_size=1, max_size=120))
def test_the_last_twenty_products_are_kept_whatever_was_looked_at(skus: list[str]) -> None:
    found = documents_of(*(viewed(sku, n) for n, sku in enumerate(skus, start=1)))
    assert found[VISIT]["skus"] == list(dict.fromkeys(reversed(skus)))[:20]
