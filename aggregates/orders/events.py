"""What can happen to an order (stream `order-<id>`) and to a credit note (`credit_note-<id>`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from aggregates.kernel import CartId, LineId, Money, OrderId, Sku, UnitPrice
from aggregates.pricing.context import Context, VatStatus
from aggregates.pricing.explanation import Explanation, ShippingPrice, TaxTotal
from aggregates.pricing.rules import BASE

ChargeKind = Literal["shipping", "discount", "tax", "manual"]
TenderKind = Literal["card", "gift_card", "store_credit"]
CancelCause = Literal["canceled", "declined", "expired", "lapsed", "refunded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """What was bought, at the price agreed. `paid` = line_total - discount, with the tax that is on top of
    it.

    `list_id`: the price list that the price is of; `was`: the exact unit price that a sale beat. `tax` is
    in `paid`, of the group `tax_group` of the order's taxes. `gift_of`: the promotion that the line is a
    gift of. `gift_card`: each unit is a gift card of its share of `paid`.
    """

    line_id: LineId
    sku: Sku
    title: str
    seller: str
    quantity: int
    unit_price: UnitPrice
    line_total: Money
    discount: Money
    tax: Money
    paid: Money
    list_id: str = BASE
    was: Decimal | None = None
    tax_group: str | None = None
    gift_of: str | None = None
    gift_card: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tender:
    """A part of the total, and the means it is paid by; `account_id` where that is credit."""

    kind: TenderKind
    amount: Money
    account_id: str | None = None

    @property
    def key(self) -> str:
        """Its name among the order's tenders: the account's id, or `card`."""
        return self.account_id or self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderClaim:
    """A use of something limited that the order took, and gives back when it is canceled.

    `limit`: what is limited, `key` which one: a coupon by its code, a promotion by its id, a shopper by
    their key. `amount` counts against the promotion's budget, in minor units.
    """

    limit: Literal["coupon", "promotion", "shopper"]
    key: str
    promotion_id: str
    amount: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """An amount beside the lines: postage, a discount (negative), tax, a manual charge."""

    kind: ChargeKind
    label: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LineQuantity:
    """Some units of one order line."""

    line_id: LineId
    sku: Sku
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to send the order, or whom to send its invoice. Personal data."""

    name: str
    line1: str
    country: str  # ISO 3166-1 alpha-2; what was stored as number 1 may bear any text
    line2: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None  # which of these three a country has differs


@dataclass(frozen=True, slots=True, kw_only=True)
class VatCheck:
    """What is known of the VAT number that the order was placed with; the number itself is personal.

    `country`: how it begins, as VIES names it. `consultation`: the number that VIES gave its answer.
    """

    country: str
    status: VatStatus = "unchecked"
    checked_at: datetime | None = None  # UTC
    consultation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """A customer bought these lines. total = sum of line totals + sum of charges = sum of tenders.

    `explanation` and `context` say how it was priced, None where no rule had a part in it: `context` is
    what the calculation was given, so that it can be done again. `shopper` is whose orders it counts among.
    `billing_address` None: as the shipping address. `vat_number` is the buyer's, given at checkout.
    """

    order_id: OrderId
    number: str
    channel: str
    currency: str
    lines: tuple[OrderLine, ...]
    charges: tuple[Charge, ...]
    total: Money
    rounding: str
    placed_on: date  # UTC day of the sale (valid time)
    placed_at: datetime | None = None  # UTC, on that day; null in number 5 and before: their valid time
    customer_id: str | None = None
    cart_id: CartId | None = None
    email: str | None = None  # personal
    shipping_address: Address | None = None  # personal
    billing_address: Address | None = None  # personal
    vat_number: str | None = None  # personal
    vat_check: VatCheck | None = None
    secret_hash: str | None = None  # SHA-256, hexadecimal, of what lets its holder see the order
    tenders: tuple[Tender, ...] = ()
    taxes: tuple[TaxTotal, ...] = ()
    shipping: ShippingPrice | None = None
    claims: tuple[OrderClaim, ...] = ()
    shopper: str | None = None
    context: Context | None = None
    explanation: Explanation | None = None

    @property
    def credit(self) -> Money:
        """What gift cards and store credit pay of the total."""
        return Money(sum(one.amount.amount for one in self.tenders if one.kind != "card"), self.currency)

    @property
    def card(self) -> Money:
        """The card's part of the total: what the gateway is asked for."""
        return Money(self.total.amount - self.credit.amount, self.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleParts:
    """Parts of a sale in minor units: what was taken off, shipping before that, and tax, inside prices or on
    top. Charges of other kinds are in none of them."""

    discounts: int = 0
    shipping: int = 0
    tax: int = 0

    def less(self, kept: int, total: int) -> SaleParts:
        """What goes where `kept` of `total` stays: the rest of each part, in proportion."""
        if not kept:
            return self
        return SaleParts(
            discounts=self.discounts - self.discounts * kept // total,
            shipping=self.shipping - self.shipping * kept // total,
            tax=self.tax - self.tax * kept // total,
        )


def parts_of(placed: OrderPlaced) -> SaleParts:
    """The parts of the sale as it was placed. Orders without groups of tax have it in their charges."""
    by_kind: dict[str, int] = {}
    for charge in placed.charges:
        by_kind[charge.kind] = by_kind.get(charge.kind, 0) + charge.amount.amount
    return SaleParts(
        discounts=-by_kind.get("discount", 0),
        shipping=by_kind.get("shipping", 0),
        tax=sum(total.amount for total in placed.taxes) if placed.taxes else by_kind.get("tax", 0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    """The money is promised or paid: the order can be fulfilled."""

    order_id: OrderId
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCanceled:
    """The order will not be fulfilled. It repeats what views must take back, and from where: the total less
    `credited`, the parts of the sale that go with it, when it was placed, by which cart."""

    order_id: OrderId
    cause: CancelCause
    placed_on: date
    currency: str
    total: Money
    credited: Money  # what credit notes gave back of the total before
    lines: tuple[LineQuantity, ...]
    parts: SaleParts = SaleParts()  # number 3 and before have none: their orders have no discounts or taxes
    placed_at: datetime | None = None  # UTC; null where the order's own event has none, or in number 4
    cart_id: CartId | None = None  # number 4 and before have none
    customer_id: str | None = None
    reason: str | None = None  # personal


@dataclass(frozen=True, slots=True, kw_only=True)
class SentGiftCard:
    """A unit of a line (from 1) that is a gift card, and the account that its code is for."""

    line_id: LineId
    unit: int
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesFulfilled:
    """Units of these lines were sent; `gift_cards` are those among them that are some."""

    order_id: OrderId
    fulfilment_id: str
    lines: tuple[LineQuantity, ...]
    gift_cards: tuple[SentGiftCard, ...] = ()  # number 1 did not say
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesReturned:
    """Units of these lines came back; `restock`: whether they went back on the shelf."""

    order_id: OrderId
    return_id: str
    lines: tuple[LineQuantity, ...]
    restock: bool
    customer_id: str | None = None
    reason: str | None = None  # personal


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundedLine:
    """The part of a refund that one line bears; `quantity` 0 where money alone went back.

    `withdrawn` of the units were not sent yet, and will not be; the others came back or are kept. `tax` is
    in the amount; None in a plan, as it is known once all that was booked before is.
    """

    line_id: LineId
    quantity: int
    amount: Money
    withdrawn: int | None = None  # units; null in what was stored as number 1, which had no such field
    tax: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundedCharge:
    """The part of a refund that shipping bears, or no line; `tax` is in the amount, in `tax_groups` by tax
    group, in minor units."""

    kind: ChargeKind
    amount: Money
    tax: Money
    tax_groups: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefunded:
    """Money went back to the customer (amount positive), as on its credit note.

    amount = sum of lines + sum of charges = sum of tenders. `charges` and `tenders` are None in what was
    stored before: the rest of the amount, and the card.
    """

    order_id: OrderId
    credit_note_id: str
    amount: Money
    lines: tuple[RefundedLine, ...]
    charges: tuple[RefundedCharge, ...] | None = None
    tenders: tuple[Tender, ...] | None = None
    customer_id: str | None = None
    reason: str | None = None  # personal; a refund by the gateway has it in its step


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteLine:
    """What a credit note credits: units of a SKU at their price (amount positive)."""

    sku: Sku
    title: str
    quantity: int
    amount: Money
    tax: Money | None = None  # in the amount; None in what was stored as number 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditedTax:
    """The tax of one tax group in a credit note. `base`: the amounts that it is in, without it."""

    group: str
    label: str
    rate: str
    base: Money
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteIssued:
    """The merchant owes this amount back (positive); without `order_id` it stands alone."""

    credit_note_id: str
    number: str
    currency: str
    amount: Money
    lines: tuple[CreditNoteLine, ...]
    charges: tuple[Charge, ...]
    issued_on: date
    taxes: tuple[CreditedTax, ...] = ()
    order_id: OrderId | None = None
    customer_id: str | None = None
    reason: str | None = None  # personal; one for an order has it in its refund


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNumbered:
    """The number in the stream's name (`order_number-<digits>`) is this order's alone."""

    order_id: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteNumbered:
    """The number in the stream's name (`credit_note_number-<number>`) is this credit note's alone."""

    credit_note_id: str


OrderEvent = OrderPlaced | OrderConfirmed | OrderCanceled | LinesFulfilled | LinesReturned | OrderRefunded
CreditNoteEvent = CreditNoteIssued
NumberEvent = OrderNumbered | CreditNoteNumbered


def order_subject(event: OrderPlaced | OrderCanceled | LinesReturned | OrderRefunded) -> str:
    """Whose personal data an order's events hold: the order's own, as anybody may put any customer on a cart.

    So a person can be forgotten and the order's papers kept. Number 1 of `order_placed` was stored for other
    subjects.
    """
    return f"order-{event.order_id}"


def order_placed_from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Orders of number 1 have no secret, and their addresses no region."""
    address = data.get("shipping_address")
    return data | {
        "secret_hash": None,
        "shipping_address": None if address is None else address | {"region": None},
    }


def order_placed_from_2(data: dict[str, Any]) -> dict[str, Any]:
    """Orders of number 2 knew no discounts or taxes of lines, and one way to pay: lines are worth their
    totals."""
    nothing = {"amount": 0, "currency": data["currency"]}
    lines = [
        line | {"discount": nothing, "tax": nothing, "paid": line["line_total"]} for line in data["lines"]
    ]
    return data | {"lines": lines, "tenders": [{"kind": "card", "amount": data["total"]}]}


def note_subject(event: CreditNoteIssued) -> str:
    """As `order_subject`; a note that stands alone has a key of its own."""
    return f"order-{event.order_id}" if event.order_id else f"credit_note-{event.credit_note_id}"


def order_canceled_from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Number 1 had one text for cause and reason, and no refund before it."""
    reason = data["reason"]
    by_itself = reason in ("declined", "expired")
    return data | {
        "cause": reason if by_itself else "canceled",
        "credited": {"amount": 0, "currency": data["currency"]},
        "reason": None if by_itself else reason,
    }


def withdrawn_by(part: RefundedLine, *, unsent: int, unrefunded_returns: int) -> int:
    """The units of a line that a refund of it leaves unsent: planned so, and read so of older events.

    `unsent` units can still be sent, `unrefunded_returns` came back and were not refunded: those come first.
    """
    if part.withdrawn is not None:
        return min(part.withdrawn, unsent)
    return max(0, min(part.quantity - max(0, unrefunded_returns), unsent))


def amount_of_withdrawn(part: RefundedLine, withdrawn: int) -> int:
    """Of what a line bears of a refund, the share of the units withdrawn, in minor units."""
    return part.amount.amount * withdrawn // part.quantity if part.quantity else 0
