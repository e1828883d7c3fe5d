"""What an order costs adds up, and is what the rules of sale make of its cart, priced again.

An order that no rule had a part in has no explanation: it costs its lines and charges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeVar

import msgspec

from aggregates.cart import cart
from aggregates.cart.cart import Cart, CartLine
from aggregates.orders.events import OrderClaim, OrderPlaced
from aggregates.pricing.compiled_terms import CompiledTerms, compile_terms
from aggregates.pricing.context import Context
from aggregates.pricing.explanation import Explanation, Priced
from aggregates.pricing.price import price
from aggregates.pricing.rules import SHIPPING, Promotion, Terms
from aggregates.promotions.uses import is_limited
from aggregates.terms import terms
from aggregates.terms.events import TermsEvent
from aggregates.terms.terms import TermsState
from event_store.codec import Codec
from event_store.errors import DecodingFailed, LogUnreadable, UnknownEvent
from event_store.records import EventReader, RecordedEvent
from replays.verification.findings import Report, at

T = TypeVar("T")

ORDERS_AT_ONCE = 200
UNFOLDABLE = (LookupError, RuntimeError, StopIteration, LogUnreadable, DecodingFailed, UnknownEvent)
"""A cart that cannot be, or cannot be read, is a finding of its own: from it no price follows."""
UNPRICEABLE = (LookupError, ArithmeticError, ValueError, TypeError, AttributeError)
"""What a context that somebody changed makes of the calculation."""


class RulesOfSale:
    """The rules as they stand at the position that was read last; None once they cannot be followed."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._state: TermsState | None = terms.initial()
        self._compiled: CompiledTerms | None = None

    def see(self, recorded: RecordedEvent, event: TermsEvent) -> None:
        """Follows a change of the rules. Where one before it is missing, nothing is priced from then on."""
        self._compiled = None
        if self._state is None:
            return
        if recorded.version == self._state.rules.version + 1:
            try:
                terms.evolve(self._state, event)
            except LookupError:
                pass
            else:
                return
        self._state = None
        wrong = "the rules of sale cannot be followed from here on: no later order is priced again"
        self._report(at(recorded, "price", wrong))

    @property
    def version(self) -> int:
        """Of the rules in force; 0 where there are none, or they cannot be followed."""
        return 0 if self._state is None else self._state.rules.version

    @property
    def promotions(self) -> Mapping[str, Promotion] | None:
        """Those in force, by id; None where the rules cannot be followed."""
        return None if self._state is None else self._state.rules.promotions

    @property
    def compiled(self) -> CompiledTerms | None:
        """The rules in force, ready to price; None where they cannot be followed.

        They are taken in the other order than they were defined in: that makes no price another.
        """
        if self._compiled is None and self._state is not None:
            self._compiled = compile_terms(_turned_around(self._state.rules))
        return self._compiled


def _turned_around(rules: Terms) -> Terms:
    def turned(defined: dict[str, T]) -> dict[str, T]:
        return dict(reversed(defined.items()))

    return replace(
        rules,
        markets=turned(rules.markets),
        price_lists=turned(rules.price_lists),
        promotions=turned(rules.promotions),
        tax_areas=turned(rules.tax_areas),
        shipping_methods=turned(rules.shipping_methods),
    )


@dataclass(frozen=True, slots=True)
class _Order:
    """An order to be priced again, under the rules that it was placed under."""

    recorded: RecordedEvent
    placed: OrderPlaced
    explanation: Explanation
    context: Context
    cart: str  # its stream
    rules: CompiledTerms
    promotions: dict[str, Promotion]  # those that have limits


class PricesCheck:
    """Sums of each order are held against each other at once, its price a page at a time: so carts are read
    in few calls, and no more versions of the rules are in memory than a page has."""

    def __init__(
        self,
        log: EventReader,
        codec: Codec,
        rules: RulesOfSale,
        is_limited_coupon: Callable[[str], bool],
        report: Report,
    ) -> None:
        self._log = log
        self._is_limited_coupon = is_limited_coupon
        self._codec = codec
        self._rules = rules
        self._report = report
        self._to_price: list[_Order] = []

    def see(self, recorded: RecordedEvent, event: OrderPlaced) -> None:
        """Holds an order's amounts against each other, and notes it to be priced again."""
        explanation = event.explanation
        if explanation is None:
            for wrong in chain(_tenders(event), _plain(event, self._rules.version)):
                self._report(at(recorded, "price", wrong))
            return
        for wrong in chain(
            _tenders(event), _sums(event), _steps(event, explanation), _nets(event), _taxes(event)
        ):
            self._report(at(recorded, "price", wrong))
        rules, promotions = self._rules.compiled, self._rules.promotions
        if rules is None or promotions is None:
            return
        if explanation.terms != rules.version:
            wrong = f"priced by version {explanation.terms} of the rules, which were at {rules.version}"
            self._report(at(recorded, "price", wrong))
        elif event.context is None or event.cart_id is None:
            self._report(at(recorded, "price", "nothing says what it was priced from"))
        else:
            stream = cart.stream(event.cart_id)
            limited = {one.promotion_id: one for one in promotions.values() if _is_limited(one)}
            self._to_price.append(_Order(recorded, event, explanation, event.context, stream, rules, limited))

    def check_page(self) -> None:
        """Prices again what was noted since the last call."""
        noted, self._to_price = self._to_price, []
        for first in range(0, len(noted), ORDERS_AT_ONCE):
            orders = noted[first : first + ORDERS_AT_ONCE]
            carts = self._log.read_streams([order.cart for order in orders])
            for order in orders:
                self._price_again(order, carts[order.cart])

    def _price_again(self, order: _Order, history: Sequence[RecordedEvent]) -> None:
        before = (one for one in history if one.position < order.recorded.position)
        try:
            held: Cart = cart.stream.fold(cart.initial(), map(self._codec.decode, before))
        except UNFOLDABLE:
            return
        bought = {line.line_id: line for line in held.all_lines}
        recorded = _recorded_parts(order)
        differing: list[str] = []
        for lines in _candidates(held, order.placed):
            try:
                priced = price([line.priced for line in lines], order.rules, order.context)
                claims = self._claims(priced, order)
                made = _made_parts(priced, claims, bought)
            except UNPRICEABLE as error:
                self._report(at(order.recorded, "price", f"it cannot be priced again: {error!r}"))
                return
            differing = [name for name, part in made.items() if part != recorded[name]]
            if not differing:
                return
        wrong = f"priced again, it has other {', '.join(differing)}"
        self._report(at(order.recorded, "price", wrong))

    def _claims(self, priced: Priced, order: _Order) -> list[OrderClaim]:
        """What placing the order used of what is limited."""
        claims: list[OrderClaim] = []
        for one in priced.claims:
            name, promotion = one.promotion_id, order.promotions.get(one.promotion_id)
            if one.code is not None and self._is_limited_coupon(one.code):
                claims.append(OrderClaim(limit="coupon", key=one.code, promotion_id=name))
            if promotion is not None and is_limited(promotion):
                claims.append(OrderClaim(limit="promotion", key=name, promotion_id=name, amount=one.amount))
            if promotion is not None and promotion.uses_per_shopper_max is not None:
                claims.append(OrderClaim(limit="shopper", key=order.placed.shopper or "", promotion_id=name))
        return claims


def _is_limited(promotion: Promotion) -> bool:
    return is_limited(promotion) or promotion.uses_per_shopper_max is not None


def _candidates(held: Cart, placed: OrderPlaced) -> Iterator[list[CartLine]]:
    """What may have been priced: the gifts that are not on the order were not to be had, or did not apply."""
    ordered = {line.line_id for line in placed.lines}
    put_in = list(held.lines.values())
    gifts = list(held.gifts.values())
    there = [line for line in gifts if line.line_id in ordered]
    yield put_in + there
    if len(there) < len(gifts):
        yield put_in + gifts


def _recorded_parts(order: _Order) -> dict[str, bytes]:
    """What the order says, part by part, as bytes."""
    placed = order.placed
    return _encoded(
        lines=[
            (
                line.line_id,
                line.sku,
                line.quantity,
                line.unit_price.exact,
                line.list_id,
                line.was,
                line.line_total.amount,
                line.discount.amount,
                line.tax.amount,
                line.paid.amount,
                line.tax_group,
                line.gift_of,
            )
            for line in placed.lines
        ],
        charges=[[one.kind, one.label, one.amount.amount] for one in placed.charges],
        total=[placed.total.amount, placed.currency, placed.rounding],
        taxes=placed.taxes,
        shipping=placed.shipping,
        explanation=order.explanation,
        claims=placed.claims,
    )


def _made_parts(priced: Priced, claims: list[OrderClaim], bought: Mapping[str, CartLine]) -> dict[str, bytes]:
    """What the calculation says, part by part, as bytes."""
    return _encoded(
        lines=[
            (
                line.line_id,
                line.sku,
                line.quantity,
                line.unit_price,
                bought[line.line_id].price.list_id,
                bought[line.line_id].price.was,
                line.line_total,
                line.discount,
                line.tax,
                line.paid,
                line.tax_group,
                line.gift_of,
            )
            for line in priced.lines
        ],
        charges=[[one.kind, one.label, one.amount] for one in priced.charges],
        total=[priced.total, priced.currency, priced.explanation.calculation],
        taxes=priced.taxes,
        shipping=priced.shipping,
        explanation=priced.explanation,
        claims=claims,
    )


def _encoded(**parts: Any) -> dict[str, bytes]:
    return {name: msgspec.json.encode(part) for name, part in parts.items()}


def _tenders(placed: OrderPlaced) -> Iterator[str]:
    """The means it is paid by make the total."""
    total = placed.total.amount
    tendered = sum(tender.amount.amount for tender in placed.tenders)
    if tendered != total:
        yield f"its tenders make {tendered}, its total is {total}"


def _plain(placed: OrderPlaced, rules: int) -> Iterator[str]:
    """What no rule had a part in costs its lines' totals and its charges, and is not taxed here."""
    if placed.shopper is not None and rules:
        yield f"nothing says how it was priced, though the rules were at {rules}"
    for line in placed.lines:
        if line.discount.amount or line.tax.amount or line.paid != line.line_total:
            paid = f"{line.discount.amount} off {line.line_total.amount}, {line.paid.amount} paid"
            yield f"line {line.line_id}: {paid}, and no rule says why"
    if placed.taxes or placed.shipping is not None or placed.claims:
        yield "it has taxes, shipping or claims, and no rule says why"


def _sums(placed: OrderPlaced) -> Iterator[str]:
    """What was paid for lines and shipping makes the total."""
    total = placed.total.amount
    paid = sum(line.paid.amount for line in placed.lines)
    paid += 0 if placed.shipping is None else placed.shipping.paid
    if paid != total:
        yield f"{paid} is paid for lines and shipping, its total is {total}"


def _steps(placed: OrderPlaced, explanation: Explanation) -> Iterator[str]:
    """The shares of each step make its amount, and are of what was bought."""
    targets = {SHIPPING, *(line.line_id for line in placed.lines)}
    for step in explanation.steps:
        name = f"step {step.step} {step.rule}"
        if (shared := sum(step.shares.values())) != step.amount:
            yield f"{name}: its shares make {shared}, its amount is {step.amount}"
        if unknown := sorted(step.shares.keys() - targets):
            yield f"{name}: a share of {', '.join(unknown)}, which is not on the order"


def _nets(placed: OrderPlaced) -> Iterator[str]:
    """Nothing costs less than nothing, or more than without its discount."""
    priced = [(f"line {line.line_id}", line.line_total.amount, line.discount.amount) for line in placed.lines]
    if placed.shipping is not None:
        priced.append((SHIPPING, placed.shipping.rate, placed.shipping.discount))
        if placed.shipping.net != placed.shipping.rate - placed.shipping.discount:
            yield f"{SHIPPING}: {placed.shipping.net} is not its rate less its discount"
    for target, full, discount in priced:
        if not 0 <= discount <= full:
            yield f"{target}: {discount} off {full}"


def _taxes(placed: OrderPlaced) -> Iterator[str]:
    """A group's tax is that of its lines and of shipping; no tax is outside the groups, or of no step."""
    groups: Counter[str] = Counter()
    for one in placed.taxes:
        groups[one.group] += one.amount
    shares: dict[str, int] = dict.fromkeys(groups, 0)
    parts: Iterable[tuple[str | None, int]] = ((line.tax_group, line.tax.amount) for line in placed.lines)
    if placed.shipping is not None:
        parts = chain(parts, placed.shipping.tax_groups.items())
        if (summed := sum(placed.shipping.tax_groups.values())) != placed.shipping.tax:
            yield f"{SHIPPING}: its taxes make {summed}, its tax is {placed.shipping.tax}"
    for group, tax in parts:
        if group in shares:
            shares[group] += tax
        elif tax:
            yield f"{tax} of tax of {group or 'no group'}, which the order has not"
    for group, amount in groups.items():
        if shares[group] != amount:
            yield f"tax {group}: its shares make {shares[group]}, its amount is {amount}"
    explained = (
        0
        if placed.explanation is None
        else sum(step.amount for step in placed.explanation.steps if step.step == "tax")
    )
    if explained != sum(groups.values()):
        yield f"its steps make {explained} of tax, its groups {sum(groups.values())}"
