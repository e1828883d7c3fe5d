"""The sample shop's gift cards: one that it sells, and one that was issued, whose code everybody may know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from aggregates.catalog.events import ProductListed
from aggregates.kernel import Money, UnitPrice
from commands.gift_codes import GiftCodes
from commands.handlers.catalog import ListProduct
from commands.handlers.credit import IssueGiftCard
from commands.importing.online_retail.recording import ReceiveOpeningStock
from deploy.sample.planning import SELLER

SOLD = ProductListed(
    sku="GIFT-CARD-25",
    title="Gift card, 25 pounds",
    description="A code worth 25 pounds in this shop, for somebody who would rather choose for themselves.",
    category="Gifts > Gift cards",
    attributes={},
    price=UnitPrice(Decimal(25), "GBP"),
    seller=SELLER,
    ships=False,
    discountable=False,
    gift_card=True,
)
UNITS = 1_000
CODE = "DAYB-OOKG-IFTC-ARDS"
WORTH = Money(10_000, "GBP")


def issued_account(codes: GiftCodes) -> str:
    """The account of the card that was issued."""
    return codes.account_id(CODE)


def missing_gift_cards(
    codes: GiftCodes, *, is_listed: bool, has_stock: bool, is_issued: bool, source: str, today: date
) -> Iterator[Any]:
    """The commands that make what is missing of them."""
    if not is_listed:
        yield ListProduct(product=SOLD)
    if not has_stock:
        yield ReceiveOpeningStock(sku=SOLD.sku, quantity=UNITS, reason="opening stock", source=source)
    if not is_issued:
        yield IssueGiftCard(account_id=issued_account(codes), amount=WORTH, expires_on=None, today=today)
