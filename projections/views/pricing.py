"""What the calculation of prices says, as documents show it."""

from __future__ import annotations

from collections.abc import Iterable

from aggregates.orders import events as orders
from aggregates.pricing import explanation
from projections.documents.shapes import (
    Money,
    NoticeDocument,
    PricedCharge,
    ShippingAmount,
    TaxAmount,
    Tender,
)
from projections.views.amounts import money


def charges_of(charges: Iterable[explanation.ChargePrice], currency: str) -> list[PricedCharge]:
    """The amounts beside the lines."""
    return [PricedCharge(one.kind, one.rule, one.label, Money(one.amount, currency)) for one in charges]


def taxes_of(taxes: Iterable[explanation.TaxTotal], currency: str) -> list[TaxAmount]:
    """The tax of each group."""
    return [
        TaxAmount(
            group=one.group,
            label=one.label,
            treatment=one.treatment,
            base=Money(one.base, currency),
            rate=one.rate,
            amount=Money(one.amount, currency),
            inside=one.inside,
            components={name: Money(amount, currency) for name, amount in one.components.items()},
        )
        for one in taxes
    ]


def shipping_of(shipping: explanation.ShippingPrice | None, currency: str) -> ShippingAmount | None:
    """What shipping costs; None where nothing is shipped, or no way was chosen."""
    if shipping is None:
        return None
    return ShippingAmount(
        method_id=shipping.method_id,
        label=shipping.label,
        rate=Money(shipping.rate, currency),
        discount=Money(shipping.discount, currency),
        net=Money(shipping.net, currency),
        tax=Money(shipping.tax, currency),
    )


def tenders_of(tenders: Iterable[orders.Tender]) -> list[Tender]:
    """The means of payment, in the order in which they were taken."""
    return [Tender(one.kind, money(one.amount), one.account_id) for one in tenders]


def notices_of(notices: Iterable[explanation.Notice], currency: str) -> list[NoticeDocument]:
    """What to tell the shopper."""
    return [
        NoticeDocument(
            kind=one.kind,
            rule=one.rule,
            blocks=one.blocks,
            amount=None if one.amount is None else Money(one.amount, currency),
            why=one.why,
        )
        for one in notices
    ]
