"""Doing what schedules have due: starting and ending prices and promotions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from aggregates.catalog import prices, product
from aggregates.kernel import Sku
from aggregates.terms import promotions
from aggregates.terms.terms import MAIN_TERMS
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


class DuePrice(NamedTuple):
    """A schedule of a product's prices that is to start or to end."""

    sku: Sku
    schedule_id: str
    ends: bool


class DuePromotion(NamedTuple):
    """A promotion that is to start or to end."""

    promotion_id: str
    ends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSchedules:
    """Start and end what is due by `now`; there is at least one."""

    name: ClassVar = "run_schedules"
    prices: tuple[DuePrice, ...] = ()
    promotions: tuple[DuePromotion, ...] = ()
    now: datetime


def handle_run_schedules(cache: StateCache, command: RunSchedules) -> Decision:
    """Does what is due of each; of what is canceled, done or not due yet, nothing."""
    streams = [product.stream(due.sku) for due in command.prices]
    products = tuple(streams)
    if command.promotions:
        streams.append(MAIN_TERMS)
    states = cache.states(dict.fromkeys(streams))
    decision = Decision(id="schedules", stream=streams[0], forget=products)
    decided: set[str] = set()

    def state_of(stream: str) -> Any:
        """As the decisions before have left it."""
        if stream in decided:
            return decision.after(stream, states[stream])
        decided.add(stream)
        return states[stream]

    for due in command.prices:
        stream = product.stream(due.sku)
        decide = prices.end_schedule if due.ends else prices.start_schedule
        decision.add(stream, decide(state_of(stream), schedule_id=due.schedule_id, now=command.now))
    for promotion in command.promotions:
        turn = promotions.close_promotion if promotion.ends else promotions.start_promotion
        terms = state_of(MAIN_TERMS)
        decision.add(MAIN_TERMS, turn(terms, promotion_id=promotion.promotion_id, now=command.now))
    return decision


HANDLERS: Handlers = {RunSchedules: handle_run_schedules}
