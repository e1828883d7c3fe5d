"""Commands on visits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aggregates.catalog import product
from aggregates.kernel import Sku
from aggregates.visits import visit
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewProduct:
    """Count a look at a product's page, in a visit of at most `views_max` of them."""

    name: ClassVar = "view_product"
    visit_id: str
    sku: Sku
    views_max: int
    customer_id: str | None = None


def handle_view_product(cache: StateCache, command: ViewProduct) -> Decision:
    """Counts the view; 201 unless it repeats the last one.

    A visit that is not in memory is taken for a new one, as most are: its first view reads nothing of the
    log, and of the product only what no command before it needed.
    """
    stream, product_stream = visit.stream(command.visit_id), product.stream(command.sku)
    cache.expect_new(stream)
    states = cache.states((stream, product_stream))
    viewed = visit.view_product(
        states[stream],
        visit_id=command.visit_id,
        sku=command.sku,
        offer=states[product_stream].offer,
        customer_id=command.customer_id,
        views_max=command.views_max,
    )
    decision = Decision(id=command.visit_id, stream=stream, created=bool(viewed))
    decision.add(stream, viewed)
    return decision


HANDLERS: Handlers = {ViewProduct: handle_view_product}
