"""All rules of sale, made ready to price carts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from aggregates.pricing.destinations import PostalPrefixes, named_regions, postal_prefixes
from aggregates.pricing.discounts import CompiledPromotions, compile_promotions
from aggregates.pricing.rules import Terms
from aggregates.pricing.shipping_methods import CompiledMethods, compile_methods
from aggregates.pricing.taxes import CompiledTaxes, compile_taxes


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTerms:
    """All rules of sale, made ready for many carts: once per version of the terms.

    `markets_concerned`: those that an automatic promotion or a shipping method is for; None: all.
    """

    version: int
    list_labels: dict[str, str]
    promotions: CompiledPromotions
    methods: CompiledMethods
    taxes: CompiledTaxes
    postal_prefixes: PostalPrefixes
    regions: dict[str, frozenset[str]]
    markets_concerned: frozenset[str] | None

    def may_concern(self, market: str) -> bool:
        """Whether a rule may say something about a cart of the market without coupon, gift or destination.

        Where none may, such a cart costs the sum of its lines.
        """
        return self.markets_concerned is None or market in self.markets_concerned


def compile_terms(terms: Terms) -> CompiledTerms:
    """The rules of sale, ready to price carts. The order in which they were defined does not matter."""
    return CompiledTerms(
        terms.version,
        {one.list_id: one.label for one in terms.price_lists.values()},
        compile_promotions(terms),
        compile_methods(terms),
        compile_taxes(terms),
        postal_prefixes(terms),
        named_regions(terms),
        _markets_concerned(terms),
    )


def _markets_concerned(terms: Terms) -> frozenset[str] | None:
    named = [one.markets for one in terms.shipping_methods.values()]
    named += [one.markets for one in terms.promotions.values() if one.automatic]
    return frozenset(chain.from_iterable(named)) if all(named) else None
