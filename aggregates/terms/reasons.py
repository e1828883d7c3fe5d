"""Why a change to the rules of sale is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from aggregates.kernel import Reason

RuleKind = Literal["market", "price_list", "promotion", "tax_area", "shipping_method"]


@dataclass(frozen=True, slots=True)
class PromotionUnfit(Reason):
    """The promotion could never apply, or contradicts another

    `field`: the part of it that is unfit, as `action.tiers.0.percent`.
    """

    about: ClassVar[str | None] = "field"

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class RuleUnfit(Reason):
    """The rule could never hold, or contradicts another

    `field`: the part of it that is unfit, as `rates.3.ends_on`.
    """

    about: ClassVar[str | None] = "field"

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class UnknownRule(Reason):
    """No such rule"""

    rule_kind: RuleKind
    rule_id: str


@dataclass(frozen=True, slots=True)
class RuleInUse(Reason):
    """Other rules name the rule

    `by`: which, as `promotion spring`.
    """

    rule_kind: RuleKind
    rule_id: str
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PriceListInUse(Reason):
    """Only the label and the window of a price list may change

    `changed`: other parts of it differ; `ended`: it is over, and its id is not given again.
    """

    list_id: str
    why: Literal["changed", "ended"]


@dataclass(frozen=True, slots=True)
class PriceListOver(Reason):
    """The price list has ended"""

    list_id: str


@dataclass(frozen=True, slots=True)
class TooManyRules(Reason):
    """There are as many rules of the kind as there may be"""

    rule_kind: RuleKind
    limit: int
