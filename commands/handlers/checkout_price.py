"""What checkout requires of an order's price: that it is complete, and that the shopper agreed to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from aggregates.cart.cart import Cart
from aggregates.kernel import Money, Reason, Rejected, WrongCurrency
from aggregates.pricing.explanation import Priced, money_text
from commands.quoting import Quote


@dataclass(frozen=True, slots=True)
class TotalChanged(Reason):
    """The order would cost more than the shopper agreed to

    `quoted`: what the request named as its `total`, else what the cart shows. `shown`: what the cart shows.
    `differences`: from that to the `total`, each part that is another one: its `kind`, `label`, and the
    amounts `from` and `to`, in minor units.
    """

    quoted: Money
    shown: Money
    total: Money
    differences: tuple[dict[str, Any], ...]

    def in_words(self) -> Mapping[str, object]:
        """Each difference by its label, in money."""
        said = [
            f"{one['label'] or one['kind']} from {money_text(one['from'], self.total.currency)} "
            f"to {money_text(one['to'], self.total.currency)}"
            for one in self.differences
        ]
        sums = {"quoted": self.quoted, "shown": self.shown, "total": self.total}
        return {**sums, "differences": said} if said else sums


@dataclass(frozen=True, slots=True)
class ShippingMethodRequired(Reason):
    """The cart needs a shipping method: choose a delivery"""


@dataclass(frozen=True, slots=True)
class ShippingMethodUnfit(Reason):
    """The shipping method does not fit the cart or its destination

    `why`: it is for another `market`, does not reach the `destination`, has no `price` for the cart, or was
    `retired`.
    """

    advice: ClassVar = {
        "market": "It is for another market: choose another method.",
        "destination": "It does not go there: choose another method, or another destination.",
        "price": "It has no price for this cart: choose another method.",
        "retired": "It is offered no more: choose another method.",
    }
    method_id: str
    why: str | None


@dataclass(frozen=True, slots=True)
class NotDeliverable(Reason):
    """Nothing is sent to this destination

    `why`: the cart's `market` is not for the country, or no shipping method reaches the `destination`.
    """

    advice: ClassVar = {
        "market": "It is outside of the cart's market: choose another, or open a cart in its market.",
        "destination": "No shipping method goes there: choose another destination.",
    }
    country: str
    why: str | None


@dataclass(frozen=True, slots=True)
class QuoteRequired(Reason):
    """The cart is to be quoted anew before it is checked out

    `provider`: who has not been asked about the cart as it is now; `why`: for `tax`, or for `shipping`.
    """

    advice: ClassVar = {
        "tax": "Its tax is not known yet, or may have changed: quote the cart, and see its total.",
        "shipping": "Its postage is not known yet, or may have changed: quote the cart, and see its total.",
    }
    provider: str
    why: str | None


def require_complete(priced: Priced) -> None:
    """Refuses what lacks something that its price depends on."""
    for notice in priced.notices:
        match notice.kind:
            case "shipping_method_required":
                raise Rejected(ShippingMethodRequired())
            case "shipping_method_unfit":
                raise Rejected(ShippingMethodUnfit(notice.rule, notice.why))
            case "not_deliverable":
                raise Rejected(NotDeliverable(notice.rule, notice.why))
            case "quote_required":
                raise Rejected(QuoteRequired(notice.rule, notice.why))
            case _:
                pass


def require_agreed(held: Cart, total: Money, found: Quote | None, *, agreed: Money | None) -> None:
    """Refuses a total above what the shopper `agreed` to; None: to what the cart showed last."""
    quoted = agreed or held.total
    if quoted.currency != total.currency:
        raise Rejected(WrongCurrency(asked=quoted.currency, expected=total.currency))
    if total.amount > quoted.amount:
        raise Rejected(TotalChanged(quoted, held.total, total, _differences(held, found)))


def _differences(held: Cart, found: Quote | None) -> tuple[dict[str, Any], ...]:
    """Each part of the total that is another one than the cart showed: its kind, label, and both amounts."""
    lines = sum(line.line_total.amount for line in held.all_lines)
    shown: dict[tuple[str, str], int] = {}
    if held.priced is not None:
        lines = sum(line.line_total for line in held.priced.lines)
        for charge in held.priced.charges:
            shown[charge.kind, charge.label] = shown.get((charge.kind, charge.label), 0) + charge.amount
    now: dict[tuple[str, str], int] = {}
    for charge in () if found is None else found.priced.charges:
        now[charge.kind, charge.label] = now.get((charge.kind, charge.label), 0) + charge.amount
    shown["lines", ""] = lines
    now["lines", ""] = lines if found is None else sum(line.line_total for line in found.priced.lines)
    return tuple(
        {"kind": kind, "label": label, "from": shown.get((kind, label), 0), "to": now.get((kind, label), 0)}
        for kind, label in dict.fromkeys((*shown, *now))
        if shown.get((kind, label), 0) != now.get((kind, label), 0)
    )
