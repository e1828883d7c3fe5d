"""What outside providers are asked about a cart: found from its outcome, so that answers fit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aggregates.pricing import shipping, taxes
from aggregates.pricing.compiled_terms import CompiledTerms
from aggregates.pricing.context import Context, Destination, PricedLine
from aggregates.pricing.explanation import Priced
from aggregates.pricing.line_totals import LineTotals
from aggregates.pricing.parcel import Parcel, asked_parcel
from aggregates.pricing.rules import GIFT_CARD, SHIPPING, STANDARD
from aggregates.pricing.taxes import UNDEFINED_MARKET, TaxTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRequest:
    """What is taxed and where: net amounts in minor units of `currency`, by target.

    `tax_included`: whether these contain tax. `has_fallback`: whether the area's own rates hold where the
    provider does not answer.
    """

    provider: str
    digest: str
    market: str
    currency: str
    destination: Destination
    targets: tuple[TaxTarget, ...]
    tax_included: bool
    has_fallback: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingRequest:
    """What a carrier is to send, how and where to; its price is in `currency`."""

    provider: str
    digest: str
    market: str
    currency: str
    destination: Destination
    method_id: str
    parcel: Parcel


ProviderRequest = ShippingRequest | TaxRequest


def next_request(
    lines: Sequence[PricedLine], terms: CompiledTerms, context: Context, priced: Priced
) -> ProviderRequest | None:
    """Whom to ask next about the cart that was priced so: its carrier, then for its tax, which is on shipping
    too. None: nobody, or something else is lacking before."""
    if context.destination is None:
        return None
    blocking = [notice for notice in priced.notices if notice.blocks]
    if any(notice.kind == "quote_required" and notice.why == "shipping" for notice in blocking):
        return _shipping_request(lines, terms, context)
    if any(notice.kind != "quote_required" for notice in blocking):
        return None
    return _tax_request(lines, terms, context, priced, context.destination)


def _shipping_request(
    lines: Sequence[PricedLine], terms: CompiledTerms, context: Context
) -> ShippingRequest | None:
    method_id, where = context.method_id, context.destination
    if method_id is None or where is None:
        return None
    method = terms.methods.of(context.market)[method_id].method
    if method.provider is None:
        return None
    parcel = asked_parcel(lines, LineTotals(lines, context.currency))
    return ShippingRequest(
        provider=method.provider,
        digest=shipping.digest(context, method_id, **parcel._asdict()),
        market=context.market,
        currency=context.currency,
        destination=where,
        method_id=method_id,
        parcel=parcel,
    )


def _tax_request(
    lines: Sequence[PricedLine],
    terms: CompiledTerms,
    context: Context,
    priced: Priced,
    where: Destination,
) -> TaxRequest | None:
    area = terms.taxes.areas.at(where)
    if area is None or area.provider is None:
        return None
    traits = {line.line_id: line.traits for line in lines}
    targets = []
    for line in priced.lines:
        known = traits[line.line_id]
        category = STANDARD if known is None else known.tax_category
        if category != GIFT_CARD:
            targets.append(TaxTarget(line.line_id, category, line.net))
    shipped = None
    if priced.shipping is not None:
        method = terms.methods.of(context.market)[priced.shipping.method_id].method
        shipped = TaxTarget(SHIPPING, method.tax_category, priced.shipping.net)
    if not targets and shipped is None:
        return None
    digest = taxes.digest(targets, shipped, context)
    if context.tax_answer is not None and context.tax_answer.digest == digest:
        return None
    market = terms.taxes.markets.get(context.market, UNDEFINED_MARKET)
    return TaxRequest(
        provider=area.provider,
        digest=digest,
        market=context.market,
        currency=context.currency,
        destination=where,
        targets=(*targets, *(() if shipped is None else (shipped,))),
        tax_included=market.tax_included,
        has_fallback=area.provider_fallback,
    )
