"""One end, in whatever order the gateway's facts arrive, however often, wherever its own answer falls."""

from __future__ import annotations

from itertools import permutations

import pytest

from aggregates.payments.standing import DisputeMove, RefundStanding, Standing, join
from tests.payments.deciding import Desk, drain, standing

ACTION = standing(acting=True)
HOLD = standing(authorized=1299)
CAPTURE = standing(authorized=1299, captured=1299, closed="captured")
REFUND = standing(refunds=(RefundStanding(reference="re_1", amount=300, state="succeeded"),))
DISPUTE = standing(moves=(DisputeMove(transaction="txn_1", dispute="dp_1", amount=-999, fee=1500),))
FACTS = {"action": ACTION, "hold": HOLD, "capture": CAPTURE, "refund": REFUND, "dispute": DISPUTE}


def _all(*parts: Standing) -> Standing:
    known = parts[0]
    for part in parts[1:]:
        known = join(known, part)
    return known


TRUTH = _all(*FACTS.values())
END = (
    "confirmed",
    "disputed",
    (1299, 0, 300, 999),
    300,
    (0, 0, (), ()),
    [],
)


@pytest.mark.parametrize("doubling", ["once", "each twice", "all again at the end"])
def test_every_order_of_five_facts_has_one_end(doubling: str) -> None:
    for order in permutations(FACTS):
        names = {
            "once": order,
            "each twice": [name for name in order for _ in range(2)],
            "all again at the end": [*order, *reversed(order)],
        }[doubling]
        for place in range(len(names) + 1):
            desk = Desk()
            desk.place()
            for at, name in enumerate(names):
                if at == place:
                    desk.answer(1, ACTION)
                desk.news(FACTS[name])
            if 1 in desk.process.open_steps:
                desk.answer(1, ACTION)
            drain(desk, TRUTH)
            assert desk.end() == END, (order, place)
            assert len(desk.order.refunds) == 1, (order, place)
            assert desk.steps("refund", "void", "authorize")[1:] == [], (order, place)
