"""What the read models look like: the very shapes that are served. Design page: "Shapes".

Every document carries `position`, the position of its last event; a fold skips what is not above it.
Times are RFC 3339 in UTC; money is `{"amount": minor units, "currency"}`.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec


class Money(msgspec.Struct):
    """Integer minor units of a currency."""

    amount: int
    currency: str


class UnitPrice(msgspec.Struct, omit_defaults=True):
    """A unit's price rounded half-even to minor units; `exact`, in major units, where it is finer."""

    amount: int
    currency: str
    exact: str | None = None


class PriceTier(msgspec.Struct, omit_defaults=True):
    """A unit's price from a quantity on."""

    start: int = msgspec.field(name="from")
    amount: int
    currency: str
    exact: str | None = None


class ListPrice(msgspec.Struct):
    """A product's prices on a list that asks for no customer group; kind is override or sale. No `markets`
    means all."""

    list_id: str
    kind: str
    currency: str
    label: str
    tax_included: bool
    priority: int
    tiers: list[PriceTier]
    markets: list[str] = []


class PricePoint(msgspec.Struct):
    """What one unit cost from a moment on, in minor units; null: it had no price from then on."""

    since: datetime = msgspec.field(name="from")
    amount: int | None


class PriceSeries(msgspec.Struct):
    """What one unit cost on a list that asks for no customer group, in one currency, from the first moment
    known on; and what of the list decides whether its price counts."""

    list_id: str
    currency: str
    points: list[PricePoint]
    kind: str = "override"
    tax_included: bool = True
    priority: int = 0
    markets: list[str] = []


class PriceHistoryDocument(msgspec.Struct):
    """What one unit of a product cost, by list and currency."""

    sku: str
    series: list[PriceSeries]
    position: int


class VariantDocument(msgspec.Struct):
    """One buyable form of a product."""

    sku: str
    title: str


class ProductDocument(msgspec.Struct):
    """The product page. A SKU that has stock but was never listed has no document in answers.

    `price` is what everybody pays for one unit in the market `main`; `was` what it would be without the sale;
    `prior_price`, where it has fallen, the lowest in the 30 days before that; `prices` those of every list
    that asks for no customer group. `progressive_prior_price`, where it is another, is the prior price for
    markets in which a series of reductions counts as one: in answers it is `prior_price` where `main` is such
    a market.
    `price_points` is what `price` was since 30 days before it changed, or before it began only to fall.
    """

    sku: str
    title: str
    description: str
    category: str
    attributes: dict[str, str]
    price: UnitPrice | None
    available: int  # units for sale now: none of what is not listed
    seller: str
    variants: list[VariantDocument]
    status: str  # "listed", "delisted", or "unlisted" where only stock is known
    position: int
    on_hand: int = 0
    reserved: int = 0
    was: UnitPrice | None = None
    prior_price: Money | None = None
    progressive_prior_price: Money | None = None
    prices: list[ListPrice] = []
    price_points: list[PricePoint] = []


class InventoryDocument(msgspec.Struct):
    """The stock of one SKU: available = on_hand - reserved."""

    sku: str
    on_hand: int
    reserved: int
    available: int
    locations: dict[str, int]  # on hand by location
    position: int


class Tier(msgspec.Struct):
    """A unit's price from so many units on."""

    quantity: int
    unit_price: UnitPrice


class CartLine(msgspec.Struct, omit_defaults=True):
    """One SKU in a cart: net = line_total - discount.

    `tiers` where the price depends on the quantity; `was` where a sale beat a price; `locked_until`: how
    long the price is held; `gift_of`: the promotion it is a gift of; `tax`: on top or inside, as its group
    says.
    """

    line_id: str
    sku: str
    title: str
    quantity: int
    unit_price: UnitPrice
    line_total: Money
    discount: Money
    net: Money
    list_id: str
    tiers: list[Tier] = []
    was: UnitPrice | None = None
    tax: Money | None = None
    tax_group: str | None = None
    gift_of: str | None = None
    locked_until: datetime | None = None


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


class NoticeDocument(msgspec.Struct, omit_defaults=True):
    """Something to tell the shopper: what is missing for an order, or for free delivery, or why a coupon
    does nothing."""

    kind: str
    rule: str
    blocks: bool  # the cart cannot be checked out as it is
    amount: Money | None = None
    why: str | None = None


class Coupon(msgspec.Struct):
    """A code that was entered, and its promotion."""

    code: str
    promotion_id: str


class Delivery(msgspec.Struct):
    """Where a cart is to go, as far as rules ask, and how."""

    country: str
    region: str | None
    postal_prefix: str | None
    method_id: str | None
    pickup_point: str | None


class QuoteDocument(msgspec.Struct):
    """What the total rests on: the version of the rules, and when the first thing that it depends on ends."""

    terms: int
    expires_at: datetime | None


class CartDocument(msgspec.Struct):
    """A cart; status is open, checked_out, merged or expired. `total` is what the shopper is quoted.

    `quote` is None where no rule of sale has a part in the total: it is the sum of the lines.
    """

    id: str
    status: str
    currency: str
    version: int
    lines: list[CartLine]
    total: Money
    position: int
    customer_id: str | None = None
    order_id: str | None = None
    market: str = "main"
    charges: list[PricedCharge] = []
    taxes: list[TaxAmount] = []
    shipping: ShippingAmount | None = None
    coupons: list[Coupon] = []
    delivery: Delivery | None = None
    notices: list[NoticeDocument] = []
    quote: QuoteDocument | None = None


class OrderLine(msgspec.Struct):
    """A line as ordered, and how many of its units were sent, came back and were refunded.

    net = line_total - discount; `paid` is the net with the tax that is on top of it, `tax` is in `paid`.
    The `withdrawn` ones of those refunded were not sent, and will not be.
    """

    line_id: str
    sku: str
    title: str
    seller: str
    quantity: int
    unit_price: UnitPrice
    line_total: Money
    discount: Money
    net: Money
    tax: Money
    paid: Money
    fulfilled: int = 0
    returned: int = 0
    refunded: int = 0
    withdrawn: int = 0


class Charge(msgspec.Struct):
    """An amount beside the lines: kind is shipping, discount, tax or manual."""

    kind: str
    label: str
    amount: Money


class LineQuantity(msgspec.Struct):
    """Some units of a line."""

    line_id: str
    sku: str
    quantity: int


class Fulfilment(msgspec.Struct):
    """What was sent, and when."""

    id: str
    time: datetime
    lines: list[LineQuantity]


class Return(msgspec.Struct):
    """What came back, and when. Why is personal: null in what is read."""

    id: str
    time: datetime
    lines: list[LineQuantity]
    restock: bool
    reason: None = None


class Refund(msgspec.Struct):
    """What was paid back; the id is its credit note's. Why is personal: null in what is read.

    `tax` is in the amount; it and `tenders` are null where a refund of before did not say.
    """

    id: str
    time: datetime
    amount: Money
    reason: None = None
    tax: Money | None = None
    tenders: list[Tender] | None = None


class TimelineEntry(msgspec.Struct):
    """One event of the order's history; `event` is its stored name."""

    position: int
    time: datetime  # valid_at
    event: str


class GatewayPayment(msgspec.Struct, omit_defaults=True):
    """What is known of one of the gateway's payments, in minor units; `key` tells it from the others."""

    key: str
    authorized: int = 0  # the most that was ever held
    captured: int = 0
    disputed: int = 0
    closed: str | None = None  # canceled, lapsed, captured
    acting: bool = False  # the shopper was asked to prove who they are


class PaymentRefund(msgspec.Struct, omit_defaults=True):
    """Money on its way back (pending, requires_action), back (succeeded), or still here (canceled, failed).

    Without a credit note the sale was undone, or the gateway gave it back by itself.
    """

    amount: Money
    state: str
    credit_note_id: str | None = None
    key: str | None = None  # tells it from the others


class Payment(msgspec.Struct):
    """As the order's payment stands; amounts are null where they are zero.

    pending, action_required, authorized, captured, declined, voided, lapsed, disputed, not_needed,
    partially_refunded, refunded.
    """

    status: str
    method: str | None = None
    requested: Money | None = None
    authorized: Money | None = None  # held by the bank and not taken yet
    captured: Money | None = None  # all that was ever taken
    refunded: Money | None = None  # of it, what went back or is on its way
    pending: Money | None = None  # of the refunded, what is still on its way
    disputed: Money | None = None  # of the captured, what disputes took and did not give back
    decline_code: str | None = None
    refunds: list[PaymentRefund] = []
    gateway_payments: list[GatewayPayment] = []


class Tender(msgspec.Struct):
    """A part of an order's total and what pays it: card, gift_card or store_credit, which have an account."""

    kind: str
    amount: Money
    account_id: str | None


class OrderDocument(msgspec.Struct):
    """An order with its payment and everything that happened to it. No personal field."""

    id: str
    number: str
    status: str
    payment: Payment
    currency: str
    lines: list[OrderLine]
    charges: list[Charge]
    total: Money
    fulfilments: list[Fulfilment]
    returns: list[Return]
    refunds: list[Refund]
    timeline: list[TimelineEntry]
    channel: str
    placed_at: datetime
    version: int  # of the order's stream
    position: int
    customer_id: str | None = None
    cart_id: str | None = None
    cancel_reason: str | None = (
        None  # canceled, declined, expired, lapsed, refunded; never what somebody wrote
    )
    secret_hash: str | None = None  # SHA-256, hex, of what checkout answered
    taxes: list[TaxAmount] = []
    shipping: ShippingAmount | None = None
    tenders: list[Tender] = []


class ExplanationStep(msgspec.Struct, omit_defaults=True):
    """One thing that made an amount; `shares` by target (a line's id, or `shipping`) sum to `amount`.

    `rule`: the price list, promotion, shipping method or tax group. `base`: what the rate is on; of a
    shipping rate by weight or quantity, grams or units. `rate`, `exact`: for people, what was applied, and
    the amount before rounding. `inside`: a tax that the price contains.
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


class NotAppliedPromotion(msgspec.Struct):
    """A promotion that was near and gave nothing, and why."""

    rule: str
    why: str


class ExplanationDocument(msgspec.Struct):
    """How an order's total came about, in minor units of `currency`.

    `terms`: the version of the rules of sale, `at` the moment it was priced as of. An order that no rule
    had a part in has no steps, and null for both: its total is the sum of its lines and charges.
    """

    id: str  # the order's
    currency: str
    total: int
    calculation: str
    terms: int | None
    at: datetime | None
    steps: list[ExplanationStep]
    not_applied: list[NotAppliedPromotion]
    position: int
    secret_hash: str | None = None  # SHA-256, hex, of what checkout answered


class SalesRow(msgspec.Struct):
    """One day's books in one currency, in minor units; net = gross - returns.

    Of gross: `discounts` were taken off already, `shipping` (before discounts on it) and `tax` (inside prices
    or on top) are in it.
    """

    date: str  # YYYY-MM-DD, UTC, valid time
    currency: str
    orders: int
    units: int
    gross: int
    returns: int
    net: int
    discounts: int = 0
    shipping: int = 0
    tax: int = 0


class SalesDocument(msgspec.Struct):
    """All currencies of one day; the document key is the day."""

    date: str
    rows: list[SalesRow]
    position: int


class BestsellerDocument(msgspec.Struct):
    """Units of a SKU ordered, canceled orders out."""

    sku: str
    title: str
    units: int
    position: int
    on_sale: bool = False


class RecentDocument(msgspec.Struct):
    """The products that a visit looked at last, each once, newest first."""

    visit_id: str
    skus: list[str]
    position: int


class AlsoBoughtDocument(msgspec.Struct):
    """By SKU, how many orders had it beside this product; the one ordered last comes last."""

    sku: str
    orders: dict[str, int]
    position: int

    def best_first(self) -> list[str]:
        """The SKUs by how many orders had them; of equals, what was ordered last comes first."""
        return sorted(self.orders, key=self.orders.__getitem__)[::-1]


class CouponDocument(msgspec.Struct):
    """A coupon: `uses` are the orders that have it, of `uses_max` at most (null: no limit)."""

    code: str
    promotion_id: str
    batch_id: str | None
    uses_max: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    uses: int
    revoked: bool
    position: int


class CreditMovement(msgspec.Struct, omit_defaults=True):
    """What changed an account of credit, and when; `amount` is what its balance changed by, in minor units.

    `what`: issued, granted, sold, refunded, redeemed, released, blocked or expired.
    """

    at: datetime
    what: str
    amount: int
    order_id: str | None = None


class CreditDocument(msgspec.Struct):
    """A gift card or store credit. `movements`: the newest first."""

    id: str
    kind: str
    currency: str
    customer_id: str | None
    expires_on: date | None
    balance: int
    blocked: bool
    expired: bool
    movements: list[CreditMovement]
    position: int


class CouponBatchDocument(msgspec.Struct):
    """A batch of coupons: so many of its `count` codes are issued. The codes are its `.csv`."""

    id: str
    promotion_id: str
    prefix: str
    ends_at: datetime | None
    count: int
    issued: int
    completed: bool
    position: int


class Market(msgspec.Struct):
    """Whom one set of prices and taxes is for. Currencies and locales: the first is the default.

    `tax_pricing`: exclusive, inclusive (one price everywhere), inclusive_by_country (less the tax of
    `reference_area`, and with the destination's). `progressive`: of a series of reductions the prior price
    is that of the first.
    """

    market_id: str
    label: str
    countries: list[str]
    currencies: list[str]
    locales: list[str]
    tax_pricing: str
    shipping_tax: str
    reference_area: str | None
    progressive: bool


class PriceListHead(msgspec.Struct):
    """Whom a price list is for; no `markets` or `customer_groups` means all. Kind is override or sale."""

    list_id: str
    kind: str
    currency: str
    label: str
    markets: list[str]
    customer_groups: list[str]
    tax_included: bool
    priority: int
    starts_at: datetime | None
    ends_at: datetime | None


class ShippingZone(msgspec.Struct):
    """Places: a country, or regions of it and postal codes that begin so; but none of those excepted."""

    country: str
    regions: list[str]
    postal_prefixes: list[str]
    except_regions: list[str]
    except_postal_prefixes: list[str]


class ShippingTier(msgspec.Struct, omit_defaults=True):
    """The price from so much on, by currency: from `at_least` grams or units, or from a sum, `from_amount`.
    `step_price`: so much more for every `step` grams or units that is begun above it."""

    price: list[Money]
    at_least: int | None = None
    from_amount: list[Money] = []
    step: int | None = None
    step_price: list[Money] = []


class PickupPoint(msgspec.Struct):
    """Where a shopper fetches an order."""

    point_id: str
    label: str
    country: str
    region: str | None
    postal_code: str | None


class ShippingMethod(msgspec.Struct):
    """How an order gets to its shopper, and for how much. No `markets` means all, no `zones` everywhere.

    Kind is ship or pickup; `by` says what the tiers go by: weight_grams, amount or quantity. `free_from`:
    the sums from which it costs nothing; `days`: fewest and most.
    """

    method_id: str
    label: str
    kind: str
    markets: list[str]
    zones: list[ShippingZone]
    by: str
    tiers: list[ShippingTier]
    free_from: list[Money]
    tax_category: str
    days: tuple[int, int] | None
    points: list[PickupPoint]


class PromotionHead(msgspec.Struct):
    """What is announced of a promotion, and whether it is to be: `running`, `automatic`, `announce`."""

    promotion_id: str
    label: str
    markets: list[str]
    starts_at: datetime | None
    ends_at: datetime | None
    automatic: bool
    announce: bool
    running: bool


class AnnouncedPromotion(msgspec.Struct):
    """A promotion that runs, needs no coupon and is for everybody to see. No `markets` means all."""

    promotion_id: str
    label: str
    markets: list[str]
    starts_at: datetime | None
    ends_at: datetime | None


class TermsDocument(msgspec.Struct, omit_defaults=True):
    """The rules of sale of one kind, in the order of their ids. The document key is the kind, and the name of
    the one list that has entries: markets (beside what the home says), price_lists, shipping_methods,
    promotions."""

    position: int
    base_tax_included: bool = True  # whether products' own prices contain tax
    markets: list[Market] = []
    price_lists: list[PriceListHead] = []
    shipping_methods: list[ShippingMethod] = []
    promotions: list[PromotionHead] = []
