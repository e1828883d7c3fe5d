"""However the log is cut into batches, the documents are the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_store.memory.log import MemoryLog
from projections.engine.follower import Decoded
from projections.views.registry import VIEWS
from projections.views.view import View
from tests.projections.memory_views import MemoryView
from tests.shop.log import Shop, decoded


def log_of_a_shop() -> list[Decoded]:
    shop = Shop(MemoryLog())
    shop.bustle(orders=25, products=6)
    shop.flush()
    return decoded(shop.log)


LOG = log_of_a_shop()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
@settings(max_examples=25, deadline=None)
@given(cuts=st.sets(st.integers(1, len(LOG) - 1), max_size=60), again=st.integers(0, 30))
def test_any_split_into_batches_gives_the_same_bytes(view: View, cuts: set[int], again: int) -> None:
    whole = MemoryView(view)
    whole.apply(LOG)
    split = MemoryView(view)
    ends = [*sorted(cuts), len(LOG)]
    start = 0
    for end in ends:
        # Some events are given twice, as after a batch whose outcome was lost.
        split.apply(LOG[max(start - again, 0) : end])
        start = end

    assert split.documents == whole.documents
    assert split.entries == whole.entries
    assert split.ranking == whole.ranking
    assert whole.documents or whole.entries
