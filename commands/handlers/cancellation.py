"""Giving an order up, and putting on sale again what it will not send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aggregates.inventory import stock
from aggregates.kernel import OrderId, Sku
from aggregates.orders import cancellation, order
from aggregates.orders.events import CancelCause
from aggregates.orders.order import Line, Order
from commands.handlers.claims import release
from commands.loop.decision import Decision
from commands.loop.state_cache import StateCache


def cancel(
    cache: StateCache,
    decision: Decision,
    *,
    order_id: OrderId,
    cause: CancelCause,
    reason: str | None = None,
    refunding: bool = False,
) -> bool:
    """Adds to `decision` the order's cancellation, and the release of its claims and units; False where it is
    canceled already.

    What the gateway holds of it is the caller's to undo. `refunding`: a refund is under way there.
    """
    order_stream = order.stream(order_id)
    sold: Order = decision.after(order_stream, cache.state(order_stream))
    placed = order.placed_order(sold, order_id)
    canceled = cancellation.cancel(sold, order_id=order_id, cause=cause, reason=reason, refunding=refunding)
    decision.add(order_stream, canceled)
    if not canceled:
        return False
    release(cache, decision, placed)
    skus = dict.fromkeys(line.sku for line in placed.lines)
    stocks = cache.states(stock.stream(sku) for sku in skus)
    for sku in skus:
        decision.add(
            stock.stream(sku),
            stock.release(
                decision.after(stock.stream(sku), stocks[stock.stream(sku)]),
                sku=sku,
                order_id=order_id,
                cause=cause,
            ),
        )
    return True


def release_unsendable(
    cache: StateCache, decision: Decision, order_id: OrderId, lines: Iterable[Line]
) -> bool:
    """Puts on sale what is set aside for the order beyond what its `lines` can still send; False for none.

    So a refund gives back the units it withdrew; code of before did not, and left them set aside.
    """
    unsent: Counter[Sku] = Counter()
    for line in lines:
        unsent[line.ordered.sku] += line.unsent
    stocks = cache.states(stock.stream(sku) for sku in unsent)
    before = len(decision.events)
    for sku, keeping in unsent.items():
        decision.add(
            stock.stream(sku),
            stock.release(
                decision.after(stock.stream(sku), stocks[stock.stream(sku)]),
                sku=sku,
                order_id=order_id,
                cause="refunded",
                keeping=keeping,
            ),
        )
    return len(decision.events) > before
