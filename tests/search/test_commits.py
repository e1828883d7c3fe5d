"""How long a commit of the index may be held back."""

from __future__ import annotations

import pytest

from tests.projections.running import eventually
from tests.shop.facts import listed
from tests.shop.views import SearchShop


def test_commits_are_held_back_only_for_a_moment(shop: SearchShop, monkeypatch: pytest.MonkeyPatch) -> None:
    held_back = "projections.search.build._HELD_BACK_SECONDS"
    monkeypatch.setattr(held_back, 600.0)
    shop.happens(listed("A"))
    shop.happens(listed("B"), settled=False)
    shop.build.settle(may_hold_back=True)
    assert shop.finds() == ["A"]
    monkeypatch.setattr(held_back, 0.01)

    def is_found() -> bool:
        shop.build.settle(may_hold_back=True)
        return shop.finds() == ["A", "B"]

    eventually(is_found, "committed")
