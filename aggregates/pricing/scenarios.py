"""Steps 3 to 7 of the calculation: which promotions apply together, so that the least is to pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aggregates.pricing.discounts import (
    EXCLUSIVES_MAX,
    Candidate,
    CompiledPromotion,
    CompiledPromotions,
    Discounts,
    Missed,
    candidates,
)
from aggregates.pricing.explanation import WhyNot
from aggregates.pricing.line_totals import LineTotals
from aggregates.pricing.matching import Basis, Cart
from aggregates.pricing.parcel import asked_parcel, contents
from aggregates.pricing.shipping import ShippingQuote, quote
from aggregates.pricing.shipping_methods import CompiledMethods


@dataclass(slots=True)
class Scenario:
    """One way to apply promotions: `to_pay` is the sum of nets and shipping."""

    discounts: Discounts
    quote: ShippingQuote | None
    to_pay: int


@dataclass(slots=True)
class Choice:
    """The scenario that is best for the shopper, and the promotions that were near but are not in it.

    `on_shipping`: those shipping promotions that would be, if their conditions held.
    """

    scenario: Scenario
    missed: list[Missed]
    on_shipping: list[Candidate]


def apply_promotions(
    cart: Cart, line_totals: LineTotals, promotions: CompiledPromotions, methods: CompiledMethods
) -> Choice:
    """The promotions that exclude nobody together, then each exclusive one alone: the least to pay wins."""
    scenarios = _Scenarios(cart, line_totals, methods)
    found, missed = candidates(promotions, cart)
    together = [one for one in found if not one[0].promotion.exclusive]
    exclusive = [one for one in found if one[0].promotion.exclusive]
    main = best = scenarios.of(together)
    winner: CompiledPromotion | None = None
    tried = 0
    for compiled, limit in exclusive:
        if tried == EXCLUSIVES_MAX:
            missed.append((compiled, "exclusive"))
            continue
        alone = scenarios.alone(compiled, limit, best.to_pay)
        if isinstance(alone, str):
            missed.append((compiled, alone))
            continue
        tried += 1
        if alone is None:
            missed.append((compiled, "exclusive"))
            continue
        if winner is not None:
            missed.append((winner, "exclusive"))
        best, winner = alone, compiled
    missed += main.discounts.missed
    if winner is not None:
        discounts = main.discounts
        applied = dict.fromkeys([*(one.promotion for one in discounts.applied), *discounts.due])
        missed += [(one, "exclusive") for one in applied]
    missed.sort(key=lambda one: one[0].rank)
    would = together if winner is None else []
    return Choice(best, missed, [one for one in would if one[0].step == "shipping"])


class _Scenarios:
    """Prices a cart with one set of promotions or another; what does not depend on them is found once."""

    def __init__(self, cart: Cart, line_totals: LineTotals, methods: CompiledMethods) -> None:
        self._cart = cart
        self._methods = methods
        self._totals = Basis(cart, line_totals.totals)
        self._gifts: dict[str, list[int]] = {}
        for place, line in enumerate(cart.lines):
            if line.gift_of is not None:
                self._gifts.setdefault(line.gift_of, []).append(place)
        self._contents = contents([line for line in cart.lines if line.gift_of is None])
        self._asked = asked_parcel(cart.lines, line_totals) if methods.with_carriers else None

    def of(self, promotions: Sequence[Candidate]) -> Scenario:
        """The cart with these promotions."""
        by_step: dict[str, list[Candidate]] = {"line": [], "cart": [], "shipping": []}
        for one in promotions:
            by_step[one[0].step].append(one)
        discounts = Discounts(self._cart, self._totals, self._gifts)
        discounts.on_lines(by_step["line"])
        discounts.on_cart(by_step["cart"])
        nets = self._of_goods(discounts.left)
        found = self._quote(nets, discounts.given)
        discounts.on_shipping(by_step["shipping"], found.rate if found is not None else 0)
        return Scenario(discounts, found, nets + discounts.shipping_left)

    def alone(
        self, compiled: CompiledPromotion, limit: WhyNot | None, to_beat: int
    ) -> Scenario | WhyNot | None:
        """The cart with that promotion, where less than `to_beat` is to pay; None: no less; or why it gives
        nothing."""
        if compiled.step != "shipping":
            # Mostly what it takes off shows that it loses, whatever shipping costs.
            off = Discounts(self._cart, self._totals, self._gifts).measure(compiled, limit)
            if isinstance(off, str):
                return off
            if self._of_goods(self._totals.amounts) - (0 if compiled.gives else off.amount) >= to_beat:
                return None
        scenario = self.of([(compiled, limit)])
        if scenario.discounts.missed:
            return scenario.discounts.missed[0][1]
        return scenario if scenario.to_pay < to_beat else None

    def _of_goods(self, amounts: Sequence[int]) -> int:
        """The sum of the lines' amounts without those of gifts, which bear nothing or are left out."""
        total = sum(amounts)
        if self._gifts:
            total -= sum([amounts[place] for places in self._gifts.values() for place in places])
        return total

    def _quote(self, nets: int, given: Sequence[int]) -> ShippingQuote | None:
        shipped = self._contents
        if given:
            shipped += contents([self._cart.lines[place] for place in given])
        return quote(
            self._methods,
            self._cart.context,
            weight_grams=shipped.weight_grams,
            amount=nets,
            quantity=shipped.quantity,
            ships=shipped.ships,
            parcel=self._asked,
        )
