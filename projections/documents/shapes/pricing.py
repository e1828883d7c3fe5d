"""What makes a total beside the lines, of a cart as of an order, and how it came about."""

from __future__ import annotations

from datetime import datetime

import msgspec

from projections.documents.shapes.money import Money


class PricedCharge(msgspec.Struct):
    """An amount beside the lines, and the rule that it follows from: discounts are negative."""

    kind: str  # discount, shipping, tax
    rule: str
    label: str
    amount: Money


class TaxAmount(msgspec.Struct):
    """The tax of one group over all lines and shipping; `inside`: the prices contain it. Components by
    name."""

    group: str
    label: str
    treatment: str  # taxed, exempt, reverse_charge, outside
    base: Money
    rate: str
    amount: Money
    inside: bool
    components: dict[str, Money]


class ShippingAmount(msgspec.Struct):
    """What shipping costs: net = rate - discount."""

    method_id: str
    label: str
    rate: Money
    discount: Money
    net: Money
    tax: Money


class ExplanationStep(msgspec.Struct, omit_defaults=True):
    """One thing that made an amount; `shares` by target (a line's id, or `shipping`) sum to `amount`.

    `rule`: the price list, promotion, shipping method or tax group. `base`: what the rate is on; of a
    shipping rate by weight or quantity, grams or units. `rate`, `exact`: for people, what was applied, and
    the amount before rounding. `inside`: a tax that the price contains. `components`: the taxes that a rate
    is made of, each with its part of the amount.
    """

    step: str
    rule: str
    label: str
    base: int
    amount: int
    shares: dict[str, int]
    rate: str | None = None
    exact: str | None = None
    inside: bool = False
    components: dict[str, int] = {}


class NotAppliedPromotion(msgspec.Struct):
    """A promotion that was near and gave nothing, and why."""

    rule: str
    why: str


class ExplanationDocument(msgspec.Struct):
    """How an order's total came about, in minor units of `currency`: `goods`, what the lines cost at their
    prices, and the amount of every step but the taxes inside come to `total`.

    `terms`: the version of the rules of sale, `at` the moment it was priced as of. An order that no rule
    had a part in has no steps, and null for both: its total is the sum of its lines and charges.
    """

    id: str  # the order's
    currency: str
    goods: int
    total: int
    calculation: str
    terms: int | None
    at: datetime | None
    steps: list[ExplanationStep]
    not_applied: list[NotAppliedPromotion]
    position: int
    secret_hash: str | None = None  # SHA-256, hex, of what checkout answered
