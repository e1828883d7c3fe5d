"""Rules as given these events, when this is decided, then those events or that refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aggregates.cart import cart, items
from aggregates.catalog import prices, product
from aggregates.inventory import stock
from aggregates.kernel import Reason, Rejected
from aggregates.orders import cancellation, credit_note, fulfilment, number, order, refund, refund_booking
from aggregates.payments import observation, payment, process, steps
from aggregates.terms import markets, price_lists, promotions, shipping_methods, tax_areas, terms
from aggregates.visits import visit

_FOLD_OF = {
    module.__name__: module
    for module in (product, stock, cart, order, number, credit_note, payment, process, visit)
}
_FOLD_OF |= {module.__name__: order for module in (cancellation, fulfilment, refund, refund_booking)}
_FOLD_OF |= {
    items.__name__: cart,
    prices.__name__: product,
    observation.__name__: payment,
    steps.__name__: process,
}
_FOLD_OF |= {
    module.__name__: terms for module in (markets, price_lists, promotions, shipping_methods, tax_areas)
}


def state_after(module: Any, *events: Any) -> Any:
    """The state of an aggregate's module after these events."""
    state = module.initial()
    for event in events:
        state = module.evolve(state, event)
    return state


class given:  # noqa: N801 - reads as a sentence
    """The events that happened so far."""

    def __init__(self, *events: Any) -> None:
        self._events = events

    def when(self, decide: Callable[..., Any], **arguments: Any) -> Then:
        """Runs the decision on the state that the events make."""
        module = _FOLD_OF[decide.__module__]
        state = state_after(module, *self._events)
        try:
            decided = decide(state, **arguments)
        except Rejected as rejected:
            return Then(None, rejected.reason)
        if isinstance(decided, tuple):  # asked again, nothing is decided a second time
            for event in decided:
                state = module.evolve(state, event)
        return Then(decided, None, lambda: decide(state, **arguments))


class Then:
    """What was decided, or why it was refused."""

    def __init__(self, decided: Any, reason: Reason | None, again: Callable[[], Any] | None = None) -> None:
        self.decided = decided
        self.reason = reason
        self._again = again

    def then(self, *events: Any) -> None:
        """Exactly these events, in order."""
        assert self.reason is None, f"refused: {self.reason}"
        assert self.decided == events

    def then_once(self, *events: Any) -> None:
        """Exactly these events, and none when it is asked again."""
        self.then(*events)
        assert self._again is not None
        assert self._again() == ()

    def then_nothing(self) -> None:
        """Nothing was to be done."""
        self.then()

    def then_rejected(self, reason: Reason) -> None:
        """The shop said no, for this reason and with these facts."""
        if self.reason is None:
            pytest.fail(f"not refused: {self.decided}")
        assert self.reason == reason
