"""The calculation `daybook-1`: from lines, rules and context to every amount that is paid, and why."""

from __future__ import annotations

from collections.abc import Sequence

from aggregates.pricing.compiled_terms import CompiledTerms
from aggregates.pricing.context import Context, PricedLine
from aggregates.pricing.explanation import Priced
from aggregates.pricing.line_totals import LineTotals
from aggregates.pricing.matching import Cart
from aggregates.pricing.outcome import outcome
from aggregates.pricing.scenarios import apply_promotions


def price(lines: Sequence[PricedLine], terms: CompiledTerms, context: Context) -> Priced:
    """What the lines cost under the terms, for whom the context says.

    It never refuses: what a cart lacks stands in the notices. A line of fewer units than its tiers start
    with costs the first tier's price. Gifts whose promotion does not apply are left out.
    """
    line_totals = LineTotals(lines, context.currency)
    cart = Cart(lines, context, terms.promotions.mentioned)
    choice = apply_promotions(cart, line_totals, terms.promotions, terms.methods)
    return outcome(cart, line_totals, terms, choice)
