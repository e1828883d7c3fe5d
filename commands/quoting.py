"""What a cart costs: the choice among a product's prices, and the calculation with all that it depends on.

Handlers alone call it: whatever it reads is read through the cache, so that the append checks it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from aggregates.cart import cart
from aggregates.cart.cart import Cart
from aggregates.cart.events import (
    CartEvent,
    CartPriced,
    ItemAdded,
    ItemRemoved,
    PricesRequoted,
    QuantityChanged,
    RequotedLine,
    TakenPrice,
)
from aggregates.catalog import product
from aggregates.customers import customer, shopper
from aggregates.customers.customer import Customer
from aggregates.inventory import stock
from aggregates.kernel import PriceMissing, Reason, Rejected, Sku
from aggregates.orders.events import VatCheck
from aggregates.pricing.compiled_terms import CompiledTerms
from aggregates.pricing.context import (
    Context,
    Destination,
    Left,
    PricedLine,
    ShippingAnswer,
    Shopper,
    TaxAnswer,
    TaxStatus,
    VatStatus,
)
from aggregates.pricing.destinations import between_eu_countries
from aggregates.pricing.explanation import GiftDue, Notice, Priced
from aggregates.pricing.offer import Offer
from aggregates.pricing.price import price
from aggregates.pricing.provider_requests import ProviderRequest, next_request
from aggregates.pricing.rules import Promotion
from aggregates.pricing.selecting import choose
from aggregates.promotions import uses
from aggregates.terms.terms import MAIN_TERMS, TermsState
from commands.loop.decision import Decision
from commands.loop.state_cache import StateCache
from commands.regions import region_code


@dataclass(frozen=True, slots=True)
class RegionUnfit(Reason):
    """The country has no such region, and what is paid there depends on it"""

    about: ClassVar[str | None] = "field"

    field: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a cart costs, and what the calculation was given."""

    priced: Priced
    context: Context


def offered(
    held: Cart, offer: Offer | None, quantity: int, rules: TermsState, groups: tuple[str, ...] = ()
) -> tuple[Offer | None, TakenPrice | None]:
    """The offer as this cart gets it, and the price that `quantity` units have in it today: None where
    there is none.

    The offer's traits say whether a sale gave the price.
    """
    if offer is None:
        return None, None
    chosen = choose(offer.prices, held.currency, rules.rules.markets.get(held.market), groups, quantity)
    if chosen is None:
        return offer, None
    if chosen.on_sale:
        offer = replace(offer, traits=replace(offer.traits, on_sale=True))
    taken = TakenPrice(list_id=chosen.list_id, currency=held.currency, tiers=chosen.tiers, was=chosen.was)
    return offer, taken


def rules_of(cache: StateCache) -> TermsState:
    """The rules of sale."""
    rules: TermsState = cache.state(MAIN_TERMS)
    return rules


def postal_prefix(cache: StateCache, country: str, postal_code: str | None) -> str | None:
    """The longest beginning of the postal code that a rule names: all that a price needs to know of it."""
    if postal_code is None:
        return None
    return rules_of(cache).compiled.postal_prefixes.longest(country, postal_code)


def region_as_named(cache: StateCache, country: str, region: str | None, *, field: str) -> str | None:
    """The region as rules name it, however it is written; as it is written where none names it.

    Rejected where the country has no such region though rules ask for it: no price would follow. `field` of
    the request has it.
    """
    named = rules_of(cache).compiled.regions.get(country)
    if region is None or not named:
        return region
    code = region_code(country, region)
    if code is None:
        raise Rejected(RegionUnfit(field, f"is no region of {country}"))
    return next((one for one in sorted(named) if region_code(country, one) == code), region)


def groups_of(cache: StateCache, held: Cart) -> tuple[str, ...]:
    """The groups of the cart's customer. No rule: nobody asks."""
    known = customer_of(cache, held)
    return () if known is None else known.groups


def customer_of(cache: StateCache, held: Cart) -> Customer | None:
    """What is known of the cart's customer; None for a guest, and where no rule could ask."""
    if held.customer_id is None or not rules_of(cache).rules.version:
        return None
    known: Customer = cache.state(customer.stream(held.customer_id))
    return known


def quote(
    cache: StateCache,
    held: Cart,
    *,
    at: datetime,
    shopper_key: str | None = None,
    vat_check: VatCheck | None = None,
) -> Quote | None:
    """What the cart costs at that moment; None where it is the plain sum of its lines, as no rule is defined.

    `shopper_key`: whose orders and uses count; by default the customer's, where the cart has one.
    `vat_check`: of a VAT number given at checkout, which counts instead of the customer's.
    """
    rules = rules_of(cache)
    if not rules.rules.version:
        return None
    if shopper_key is None and held.customer_id is not None:
        shopper_key = shopper.customer_key(held.customer_id)
    context = _context(cache, held, at, vat_check)
    lines = [line.priced for line in held.all_lines]
    found = _within_limits(cache, rules, lines, context, shopper_key)
    notice = None if vat_check is not None else _vat_notice(cache, held, context)
    if notice is None:
        return found
    return replace(found, priced=replace(found.priced, notices=(*found.priced.notices, notice)))


def _vat_notice(cache: StateCache, held: Cart, context: Context) -> Notice | None:
    """That the customer's VAT number was not confirmed, where it would have freed the cart of tax."""
    if context.tax_status is None or context.destination is None:
        return None
    known, home = customer_of(cache, held), rules_of(cache).rules.home
    status = None if known is None else known.tax_status
    if status is None or status.status != "unconfirmed" or home is None:
        return None
    if not between_eu_countries(home.country, context.destination.country):
        return None
    return Notice(kind="vat_number_unconfirmed", rule=status.vat_country or "")


def _context(cache: StateCache, held: Cart, at: datetime, vat_check: VatCheck | None) -> Context:
    known = customer_of(cache, held)
    delivery = held.delivery
    tax_answer, shipping_answer = held.tax_answer, held.shipping_answer
    return Context(
        market=held.market,
        currency=held.currency,
        at=at,
        customer_groups=() if known is None else known.groups,
        codes=dict(held.coupons),
        destination=None
        if delivery is None
        else Destination(
            country=delivery.country, region=delivery.region, postal_prefix=delivery.postal_prefix
        ),
        method_id=None if delivery is None else delivery.method_id,
        tax_status=_tax_status(known, vat_check),
        tax_answer=None
        if tax_answer is None or tax_answer.expires_at <= at
        else TaxAnswer(
            digest=tax_answer.digest,
            provider=tax_answer.provider,
            reference=tax_answer.reference,
            answers=tax_answer.answers,
        ),
        shipping_answer=None
        if shipping_answer is None or shipping_answer.expires_at <= at
        else ShippingAnswer(
            digest=shipping_answer.digest,
            provider=shipping_answer.provider,
            reference=shipping_answer.reference,
            amount=shipping_answer.amount,
        ),
        declined_gifts=held.declined_gifts,
    )


def _tax_status(known: Customer | None, vat_check: VatCheck | None) -> TaxStatus | None:
    status = None if known is None else known.tax_status
    exemptions = () if status is None else status.exemptions
    if vat_check is not None:
        return TaxStatus(
            reverse_charge=_shifts_tax(vat_check.country, vat_check.status), exemptions=exemptions
        )
    if status is None:
        return None
    return TaxStatus(
        reverse_charge=_shifts_tax(status.vat_country, status.status),
        exemptions=exemptions,
    )


def _shifts_tax(country: str | None, status: VatStatus) -> bool:
    """Whether a VAT number of the country makes its holder owe the tax: only those that VIES knows do."""
    return country is not None and country != "GB" and status != "unconfirmed"


def _within_limits(
    cache: StateCache,
    rules: TermsState,
    lines: list[PricedLine],
    context: Context,
    shopper_key: str | None,
) -> Quote:
    """Prices, reads the limits of what applied, and prices again, until all that applies is within them.

    So only the limits that matter are read: a cart has two promotions where a shop has two hundred.
    """
    compiled = rules.compiled
    while True:
        priced = price(lines, compiled, context)
        applied = [rules.rules.promotions[claim.promotion_id] for claim in priced.claims]
        limited = [one for one in applied if uses.is_limited(one) and one.promotion_id not in context.left]
        asks_shopper = (
            context.shopper is None and shopper_key is not None and any(map(is_per_shopper, applied))
        )
        if not limited and not asks_shopper:
            return Quote(priced=priced, context=context)
        names = [uses.stream(one.promotion_id) for one in limited]
        if asks_shopper and shopper_key is not None:
            names.append(shopper.stream(shopper_key))
        states = cache.states(names)
        left: dict[str, Left] = {
            one.promotion_id: uses.left(states[uses.stream(one.promotion_id)], one, context.currency)
            for one in limited
        }
        context = replace(context, left={**context.left, **left})
        if asks_shopper and shopper_key is not None:
            counts = states[shopper.stream(shopper_key)]
            context = replace(
                context,
                shopper=Shopper(
                    orders=counts.orders, uses=dict(counts.uses), guest=shopper_key.startswith("m-")
                ),
            )


def is_per_shopper(promotion: Promotion) -> bool:
    """Whether it depends on what the shopper bought before."""
    return promotion.uses_per_shopper_max is not None or any(
        one.kind == "first_order" or any(either.kind == "first_order" for either in one.any_of)
        for one in promotion.conditions
    )


def reprice(
    cache: StateCache, decision: Decision, cart_id: str, *, at: datetime, locked_until: datetime
) -> ProviderRequest | None:
    """After what was decided on the cart: adds and removes its gifts, and records what it costs where that
    changed. Gives what a provider is to be asked next."""
    stream = cart.stream(cart_id)
    before: Cart = cache.state(stream)
    if _is_plain(before, decision, rules_of(cache).compiled):
        return None
    held = decision.after(stream, before)
    found = quote(cache, held, at=at)
    if found is not None:
        changes = gift_changes(cache, held, cart_id, found.priced, locked_until)
        if changes:
            decision.add(stream, changes)
            held = decision.after(stream, before)
            found = quote(cache, held, at=at)
    decision.add(stream, _recorded(held, cart_id, found, rules_of(cache).rules.version))
    return provider_request(cache, held, found)


def provider_request(cache: StateCache, held: Cart, found: Quote | None) -> ProviderRequest | None:
    """Whom to ask next about a cart of which this was found; None: nobody."""
    if found is None:
        return None
    lines = [line.priced for line in held.all_lines]
    return next_request(lines, rules_of(cache).compiled, found.context, found.priced)


def _is_plain(before: Cart, decision: Decision, rules: CompiledTerms) -> bool:
    """Whether nothing but the lines changes of a cart that always cost their sum, and that no rule may
    concern."""
    beside_lines = before.priced or before.coupons or before.gifts or before.delivery
    return not (beside_lines or rules.may_concern(before.market)) and all(
        isinstance(event, ItemAdded | QuantityChanged | ItemRemoved | PricesRequoted)
        for _, event in decision.events
    )


def _recorded(held: Cart, cart_id: str, found: Quote | None, terms: int) -> tuple[CartPriced, ...]:
    """The cart's outcome as a fact, unless it is the last one, or the plain sum that it always was."""
    if found is None:
        outcome = CartPriced(cart_id=cart_id, terms=0, lines=(), charges=(), total=held.sum_of_lines)
    else:
        priced = found.priced
        outcome = CartPriced(
            cart_id=cart_id,
            terms=terms,
            lines=priced.lines,
            charges=priced.charges,
            total=priced.total,
            taxes=priced.taxes,
            shipping=priced.shipping,
            notices=priced.notices,
            expires_at=_expires_at(held, priced),
        )
    if held.priced is None:
        plain = outcome.total == held.sum_of_lines and not (
            outcome.charges or outcome.taxes or outcome.shipping or outcome.notices
        )
        return () if plain else (outcome,)
    same = outcome.total == held.priced.total and replace(outcome, terms=held.priced.terms) == held.priced
    return () if same else (outcome,)


def _expires_at(held: Cart, priced: Priced) -> datetime | None:
    """When the first of what the outcome rests on ends. Gifts cost nothing, whatever their price is then."""
    ends = [line.locked_until for line in held.lines.values()]
    ends.append(priced.ends_at)
    if held.tax_answer is not None:
        ends.append(held.tax_answer.expires_at)
    if held.shipping_answer is not None:
        ends.append(held.shipping_answer.expires_at)
    return min((end for end in ends if end is not None), default=None)


def gift_changes(
    cache: StateCache, held: Cart, cart_id: str, priced: Priced, locked_until: datetime
) -> tuple[CartEvent, ...]:
    """The lines of gifts that are due and can be had, and no others."""
    due = {gift.promotion_id: gift for gift in priced.gifts}
    changes: list[CartEvent] = []
    for promotion_id, line in held.gifts.items():
        gift = due.get(promotion_id)
        if gift is None or line.sku != _wanted(held, gift) or line.quantity != gift.quantity:
            changes.append(ItemRemoved(cart_id=cart_id, line_id=line.line_id, sku=line.sku))
        else:
            del due[promotion_id]
    last_line = held.last_line
    for gift in due.values():
        added = _gift(cache, held, cart_id, str(last_line + 1), gift, locked_until)
        if added is not None:
            last_line += 1
            changes.append(added)
    return tuple(changes)


def _wanted(held: Cart, gift: GiftDue) -> Sku:
    """The SKU that the shopper chose, else the first."""
    chosen = held.chosen_gifts.get(gift.promotion_id)
    return chosen if chosen in gift.skus else gift.skus[0]


def _gift(
    cache: StateCache, held: Cart, cart_id: str, line_id: str, gift: GiftDue, locked_until: datetime
) -> ItemAdded | None:
    """The gift as a line of its own; None where it is not sold, has no price here, or there is
    not enough of it."""
    sku = _wanted(held, gift)
    states = cache.states((product.stream(sku), stock.stream(sku)))
    offer, taken = offered(
        held, states[product.stream(sku)].offer, gift.quantity, rules_of(cache), groups_of(cache, held)
    )
    if offer is None or not offer.on_sale or taken is None:
        return None
    if states[stock.stream(sku)].available < gift.quantity:
        return None
    return ItemAdded(
        cart_id=cart_id,
        line_id=line_id,
        sku=sku,
        title=offer.title,
        quantity=gift.quantity,
        price=taken,
        traits=offer.traits,
        seller=offer.seller,
        locked_until=locked_until,
        gift_of=gift.promotion_id,
    )


def requoted(
    cache: StateCache, held: Cart, *, at: datetime, locked_until: datetime, all_lines: bool
) -> tuple[RequotedLine, ...]:
    """The lines' prices of this moment: of all, or of those whose locks are over.

    What is not sold keeps its own; so does what has no price in this cart any more, until its lock is over:
    then PriceMissing.
    """
    lines = [
        line
        for line in held.lines.values()
        if all_lines or (line.locked_until is not None and line.locked_until <= at)
    ]
    states = cache.states(product.stream(line.sku) for line in lines)
    rules, groups = rules_of(cache), groups_of(cache, held)
    found = []
    for line in lines:
        offer, taken = offered(held, states[product.stream(line.sku)].offer, line.quantity, rules, groups)
        if offer is None or not offer.on_sale:
            continue
        if taken is not None:
            found.append(
                RequotedLine(
                    line_id=line.line_id,
                    sku=line.sku,
                    before=line.unit_price.exact,
                    price=taken,
                    traits=offer.traits,
                    seller=offer.seller,
                    locked_until=locked_until,
                )
            )
        elif not all_lines:
            raise Rejected(PriceMissing(sku=line.sku, currency=held.currency, market=held.market))
    return tuple(found)
