"""The calculation `daybook-1`: from lines, rules and context to every amount that is paid, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

from aggregates.currencies import minor_digits
from aggregates.pricing.context import Context, PricedLine
from aggregates.pricing.destinations import PostalPrefixes, named_regions, postal_prefixes
from aggregates.pricing.discounts import (
    EXCLUSIVES_MAX,
    Candidate,
    CompiledPromotion,
    CompiledPromotions,
    Discounts,
    Missed,
    candidates,
    compile_promotions,
    gift_due,
    makes_shipping_free,
)
from aggregates.pricing.explanation import (
    DAYBOOK_1,
    ChargePrice,
    Claim,
    Explanation,
    LinePrice,
    NotApplied,
    Notice,
    Priced,
    ShippingPrice,
    Step,
    WhyNot,
    decimal_text,
)
from aggregates.pricing.matching import Basis, Cart
from aggregates.pricing.rules import BASE, GIFT_CARD, SHIPPING, STANDARD, Terms, Tiers
from aggregates.pricing.shipping import Parcel, ShippingQuote, quote
from aggregates.pricing.shipping_methods import CompiledMethods, compile_methods
from aggregates.pricing.taxes import CompiledTaxes, TaxOutcome, TaxTarget, compile_taxes, tax
from aggregates.pricing.values import quick

_line_price, _charge, _claim, _step = quick(LinePrice), quick(ChargePrice), quick(Claim), quick(Step)
_not_applied, _tax_target, _shipping_price = quick(NotApplied), quick(TaxTarget), quick(ShippingPrice)


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


def price(lines: Sequence[PricedLine], terms: CompiledTerms, context: Context) -> Priced:
    """What the lines cost under the terms, for whom the context says.

    It never refuses: what a cart lacks stands in the notices. A line of fewer units than its tiers start
    with costs the first tier's price. Gifts whose promotion does not apply are left out.
    """
    line_totals = _LineTotals(lines, context.currency)
    cart = Cart(lines, context, terms.promotions.mentioned)
    outcome = _apply_promotions(cart, line_totals, terms)
    return _Outcome(cart, line_totals, terms, outcome).priced()


class _LineTotals:
    """Steps 1 and 2: each line's unit price by its quantity, and its total, half even."""

    __slots__ = ("rounded", "tiers", "totals", "units")

    def __init__(self, lines: Sequence[PricedLine], currency: str) -> None:
        minor = 10 ** minor_digits(currency)
        self.units: list[Decimal] = []
        self.totals: list[int] = []
        self.tiers: list[int] = []  # which of the list's tiers, by number
        self.rounded: dict[int, Decimal] = {}  # the exact totals that were rounded, by the line's place
        for place, line in enumerate(lines):
            number = _tier(line.tiers, line.quantity)
            unit = line.tiers[number][1]
            exact = unit * (line.quantity * minor)
            total = round(exact)
            if total != exact:
                self.rounded[place] = exact
            self.units.append(unit)
            self.totals.append(total)
            self.tiers.append(number)


def _tier(tiers: Tiers, quantity: int) -> int:
    number = 0
    for later in range(1, len(tiers)):
        if tiers[later][0] > quantity:
            break
        number = later
    return number


@dataclass(slots=True)
class _World:
    """One way to apply promotions: `to_pay` is the sum of nets and shipping."""

    discounts: Discounts
    quote: ShippingQuote | None
    to_pay: int


@dataclass(slots=True)
class _Choice:
    """The world that is best for the shopper, and the promotions that were near but are not in it.

    `on_shipping`: those shipping promotions that would be, if their conditions held.
    """

    world: _World
    missed: list[Missed]
    on_shipping: list[Candidate]


def _apply_promotions(cart: Cart, line_totals: _LineTotals, terms: CompiledTerms) -> _Choice:
    """Steps 3 to 7. The promotions that exclude nobody together, then each exclusive one alone: the least to
    pay wins."""
    worlds = _Worlds(cart, line_totals, terms)
    found, missed = candidates(terms.promotions, cart)
    together = [one for one in found if not one[0].promotion.exclusive]
    exclusive = [one for one in found if one[0].promotion.exclusive]
    main = best = worlds.of(together)
    winner: CompiledPromotion | None = None
    tried = 0
    for compiled, limit in exclusive:
        if tried == EXCLUSIVES_MAX:
            missed.append((compiled, "exclusive"))
            continue
        alone = worlds.alone(compiled, limit, best.to_pay)
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
    return _Choice(best, missed, [one for one in would if one[0].step == "shipping"])


class _Worlds:
    """Prices a cart with one set of promotions or another; what does not depend on them is found once."""

    def __init__(self, cart: Cart, line_totals: _LineTotals, terms: CompiledTerms) -> None:
        self._cart = cart
        self._methods = terms.methods
        self._totals = Basis(cart, line_totals.totals)
        self._gifts: dict[str, list[int]] = {}
        for place, line in enumerate(cart.lines):
            if line.gift_of is not None:
                self._gifts.setdefault(line.gift_of, []).append(place)
        self._parcel = _parcel([line for line in cart.lines if line.gift_of is None])
        self._asked = _asked(cart.lines, line_totals) if terms.methods.with_carriers else None

    def of(self, promotions: Sequence[Candidate]) -> _World:
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
        return _World(discounts, found, nets + discounts.shipping_left)

    def alone(
        self, compiled: CompiledPromotion, limit: WhyNot | None, to_beat: int
    ) -> _World | WhyNot | None:
        """The cart with that promotion, where less than `to_beat` is to pay; None: no less; or why it gives
        nothing."""
        if compiled.step != "shipping":
            # Mostly what it takes off shows that it loses, whatever shipping costs.
            off = Discounts(self._cart, self._totals, self._gifts).measure(compiled, limit)
            if isinstance(off, str):
                return off
            if self._of_goods(self._totals.amounts) - (0 if compiled.gives else off.amount) >= to_beat:
                return None
        world = self.of([(compiled, limit)])
        if world.discounts.missed:
            return world.discounts.missed[0][1]
        return world if world.to_pay < to_beat else None

    def _of_goods(self, amounts: Sequence[int]) -> int:
        """The sum of the lines' amounts without those of gifts, which bear nothing or are left out."""
        total = sum(amounts)
        if self._gifts:
            total -= sum([amounts[place] for places in self._gifts.values() for place in places])
        return total

    def _quote(self, nets: int, given: Sequence[int]) -> ShippingQuote | None:
        parcel = self._parcel
        if given:
            gifts = _parcel([self._cart.lines[place] for place in given])
            parcel = _Parcel(
                parcel.weight_grams + gifts.weight_grams,
                parcel.quantity + gifts.quantity,
                parcel.ships or gifts.ships,
            )
        return quote(
            self._methods,
            self._cart.context,
            weight_grams=parcel.weight_grams,
            amount=nets,
            quantity=parcel.quantity,
            ships=parcel.ships,
            parcel=self._asked,
        )


def asked_parcel(lines: Sequence[PricedLine], currency: str) -> Parcel:
    """What a carrier is asked about."""
    return _asked(lines, _LineTotals(lines, currency))


def _asked(lines: Sequence[PricedLine], line_totals: _LineTotals) -> Parcel:
    found = _parcel(lines)
    return Parcel(found.weight_grams, sum(line_totals.totals), found.quantity)


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What there is to ship."""

    weight_grams: int
    quantity: int
    ships: bool


def _parcel(lines: Iterable[PricedLine]) -> _Parcel:
    weight = units = 0
    ships = False
    for line in lines:
        traits = line.traits
        if traits is None:
            units += line.quantity
            ships = True
        elif traits.ships:
            weight += traits.weight_grams * line.quantity
            units += line.quantity
            ships = True
    return _Parcel(weight, units, ships)


class _Outcome:
    """The chosen world, taxed, as it is reported."""

    def __init__(self, cart: Cart, line_totals: _LineTotals, terms: CompiledTerms, choice: _Choice) -> None:
        self._cart = cart
        self._context = cart.context
        self._line_totals = line_totals
        self._terms = terms
        self._choice = choice
        self._discounts = choice.world.discounts
        self._quote = choice.world.quote
        given = set(self._discounts.given)
        self._places = [
            place for place, line in enumerate(cart.lines) if line.gift_of is None or place in given
        ]

    def priced(self) -> Priced:
        """Steps 8 to 11, and the explanation of all of them."""
        discounts, context = self._discounts, self._context
        taxed = self._tax()
        lines = self._lines(taxed)
        charges = (*self._charges(), *taxed.charges)
        near = self._near()
        ends = [
            applied.promotion.promotion.ends_at
            for applied in discounts.applied
            if applied.promotion.promotion.ends_at is not None
        ]
        explanation = Explanation(
            calculation=DAYBOOK_1,
            terms=self._terms.version,
            at=context.at,
            steps=(*self._line_steps(), *self._discount_steps(), *taxed.steps),
            not_applied=tuple([_not_applied(rule=rule, why=why) for rule, why in near]),
        )
        return Priced(
            currency=context.currency,
            lines=lines,
            charges=charges,
            total=sum([line.line_total for line in lines]) + sum([charge.amount for charge in charges]),
            explanation=explanation,
            taxes=taxed.totals,
            shipping=self._shipping(taxed),
            gifts=tuple([gift_due(one) for one in discounts.due]),
            claims=self._claims(),
            notices=(*self._notices(dict(near)), *taxed.notices),
            ends_at=min(ends, default=None),
        )

    def _tax(self) -> TaxOutcome:
        lines, left = self._cart.lines, self._discounts.left
        targets = []
        untaxed: dict[str, int] = {}
        for place in self._places:
            line = lines[place]
            category = STANDARD if line.traits is None else line.traits.tax_category
            if category == GIFT_CARD:
                untaxed[line.line_id] = left[place]
            else:
                targets.append(_tax_target(line.line_id, category, left[place]))
        shipping = None
        if self._quote is not None and self._quote.method_id is not None:
            shipping = _tax_target(SHIPPING, self._quote.tax_category, self._discounts.shipping_left)
        outcome = tax(targets, shipping, self._terms.taxes, self._context)
        outcome.tax.update(dict.fromkeys(untaxed, 0))
        outcome.paid.update(untaxed)
        return outcome

    def _lines(self, taxed: TaxOutcome) -> tuple[LinePrice, ...]:
        lines, left = self._cart.lines, self._discounts.left
        units, totals = self._line_totals.units, self._line_totals.totals
        priced = []
        for place in self._places:
            line = lines[place]
            line_id, total, net = line.line_id, totals[place], left[place]
            priced.append(
                _line_price(
                    line_id=line_id,
                    sku=line.sku,
                    quantity=line.quantity,
                    unit_price=units[place],
                    line_total=total,
                    discount=total - net,
                    net=net,
                    tax=taxed.tax[line_id],
                    paid=taxed.paid[line_id],
                    tax_group=next(iter(taxed.groups.get(line_id, ())), None),
                    gift_of=line.gift_of,
                )
            )
        return tuple(priced)

    def _shipping(self, taxed: TaxOutcome) -> ShippingPrice | None:
        found = self._quote
        if found is None or found.method_id is None:
            return None
        net = self._discounts.shipping_left
        return _shipping_price(
            method_id=found.method_id,
            label=found.label,
            rate=found.rate,
            discount=found.rate - net,
            net=net,
            tax=taxed.tax[SHIPPING],
            paid=taxed.paid[SHIPPING],
            tax_groups=dict(taxed.groups.get(SHIPPING, {})),
        )

    def _charges(self) -> list[ChargePrice]:
        """What promotions take off, and shipping before what they take off that."""
        off_goods: list[ChargePrice] = []
        off_shipping: list[ChargePrice] = []
        for applied in self._discounts.applied:
            compiled, amount = applied.promotion, applied.discount.amount
            if amount:
                charge = _charge(
                    kind="discount",
                    rule=compiled.promotion_id,
                    label=compiled.promotion.label,
                    amount=-amount,
                )
                (off_shipping if compiled.step == "shipping" else off_goods).append(charge)
        found = self._quote
        if found is not None and found.method_id is not None and found.rate:
            rate = _charge(kind="shipping", rule=found.method_id, label=found.label, amount=found.rate)
            return [*off_goods, rate, *off_shipping]
        return [*off_goods, *off_shipping]

    def _claims(self) -> tuple[Claim, ...]:
        # The first of several coupons of one promotion brought it.
        code_of = {promotion_id: code for code, promotion_id in reversed(self._context.codes.items())}
        claims = []
        for applied in self._discounts.applied:
            promotion = applied.promotion.promotion
            code = None if promotion.automatic else code_of[promotion.promotion_id]
            claims.append(
                _claim(promotion_id=promotion.promotion_id, amount=applied.discount.amount, code=code)
            )
        return tuple(claims)

    def _near(self) -> list[tuple[str, WhyNot]]:
        """The promotions that nearly applied, and why they did not: all whose coupon is in the cart, others
        whose conditions held."""
        named = set(self._context.codes.values())
        near = []
        for compiled, why in self._choice.missed:
            promotion_id = compiled.promotion_id
            if promotion_id in named or why not in ("conditions", "nothing_selected"):
                near.append((promotion_id, why))
        by_id = self._terms.promotions.by_id
        near += [(rule, "window") for rule in self._context.codes.values() if rule not in by_id]
        return near

    def _notices(self, near: dict[str, WhyNot]) -> list[Notice]:
        notices: list[Notice] = []
        more: list[Notice] = []
        if self._quote is not None:
            for notice in self._quote.notices:
                (more if notice.kind == "free_delivery" else notices).append(notice)
        more += self._until_free()
        if more and self._discounts.shipping_left:
            notices.append(min(more, key=lambda notice: notice.amount or 0))
        for promotion_id in dict.fromkeys(self._context.codes.values()):
            if promotion_id in near:
                notices.append(Notice(kind="coupon_not_applied", rule=promotion_id, why=near[promotion_id]))
        given = {self._cart.lines[place].gift_of for place in self._discounts.given}
        for compiled in self._discounts.due:
            promotion_id = compiled.promotion_id
            if promotion_id not in given:
                notices.append(Notice(kind="gift_available", rule=promotion_id))
        return notices

    def _until_free(self) -> list[Notice]:
        """How much more makes shipping free, by each promotion that would."""
        notices = []
        if self._discounts.shipping_left:
            for compiled, limit in self._choice.on_shipping:
                if limit is None and makes_shipping_free(compiled):
                    lacking = self._discounts.lacks(compiled)
                    if lacking is not None:
                        rule = compiled.promotion_id
                        notices.append(Notice(kind="free_delivery", rule=rule, amount=lacking))
        return notices

    def _line_steps(self) -> list[Step]:
        """Unit prices that are not simply the product's own, and totals that were rounded."""
        steps = []
        totals = self._line_totals
        for place in self._places:
            line = self._cart.lines[place]
            tier = totals.tiers[place]
            if line.list_id == BASE and not tier and place not in totals.rounded:
                continue
            unit, total = totals.units[place], totals.totals[place]
            shares = {line.line_id: total} if total else {}
            if line.list_id != BASE or tier:
                label = self._terms.list_labels.get(line.list_id) or line.list_id
                applied = f"{unit:f}" if not tier else f"{unit:f} from {line.tiers[tier][0]}"
                steps.append(
                    _step(
                        step="unit_price",
                        rule=line.list_id,
                        label=label,
                        base=line.quantity,
                        amount=total,
                        shares=shares,
                        rate=applied,
                    )
                )
            if place in totals.rounded:
                exact = f"{totals.rounded[place].normalize():f}"
                steps.append(
                    _step(
                        step="line_total",
                        rule=line.list_id,
                        label=f"{line.quantity} at {unit:f}",
                        base=line.quantity,
                        amount=total,
                        shares=shares,
                        exact=exact,
                    )
                )
        return steps

    def _discount_steps(self) -> list[Step]:
        """Promotions and the shipping rate, in the order of the calculation."""
        goods: list[Step] = []
        shipping: list[Step] = []
        if self._quote is not None and self._quote.step is not None:
            shipping.append(self._quote.step)
        lines = self._cart.lines
        for applied in self._discounts.applied:
            compiled, discount = applied.promotion, applied.discount
            if not discount.amount:
                continue
            if compiled.step == "shipping":
                shares = {SHIPPING: -discount.amount}
                steps = shipping
            elif len(applied.parts) == 1:
                shares = {lines[discount.where[0]].line_id: -discount.amount}
                steps = goods
            else:
                parts = zip(discount.where, applied.parts, strict=True)
                shares = {lines[place].line_id: -part for place, part in parts if part}
                steps = goods
            rounded = discount.exact != discount.amount * discount.over
            steps.append(
                _step(
                    step=compiled.kind,
                    rule=compiled.promotion_id,
                    label=compiled.promotion.label,
                    base=discount.base,
                    amount=-discount.amount,
                    shares=shares,
                    rate=discount.rate,
                    exact=decimal_text(discount.exact, discount.over) if rounded else None,
                )
            )
        return goods + shipping
