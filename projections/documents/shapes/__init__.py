"""What the read models look like: the very shapes that are served. Design page: "Shapes".

Every document carries `position`, the position of its last event; a fold skips what is not above it.
Times are RFC 3339 in UTC; money is `{"amount": minor units, "currency"}`.
"""

from __future__ import annotations

from projections.documents.shapes.cart import (
    CartDocument,
    CartLine,
    Coupon,
    Delivery,
    NoticeDocument,
    QuoteDocument,
    Tier,
)
from projections.documents.shapes.catalog import (
    ListPrice,
    PriceHistoryDocument,
    PricePoint,
    PriceSeries,
    PriceTier,
    ProductDocument,
    VariantDocument,
)
from projections.documents.shapes.credit import (
    CreditDocument,
    CreditMovement,
)
from projections.documents.shapes.inventory import (
    InventoryDocument,
)
from projections.documents.shapes.money import (
    Money,
    UnitPrice,
)
from projections.documents.shapes.orders import (
    Charge,
    Fulfilment,
    LineQuantity,
    OrderDocument,
    OrderLine,
    Refund,
    Return,
    Tender,
    TimelineEntry,
)
from projections.documents.shapes.payments import (
    GatewayPayment,
    Payment,
    PaymentRefund,
)
from projections.documents.shapes.pricing import (
    ExplanationDocument,
    ExplanationStep,
    NotAppliedPromotion,
    PricedCharge,
    ShippingAmount,
    TaxAmount,
)
from projections.documents.shapes.promotions import (
    CouponBatchDocument,
    CouponDocument,
)
from projections.documents.shapes.sales import (
    BestsellerDayDocument,
    BestsellerDocument,
    CustomerSums,
    CustomerValueDocument,
    SalesDocument,
    SalesHour,
    SalesHoursDocument,
    SalesRow,
)
from projections.documents.shapes.terms import (
    AnnouncedPromotion,
    Market,
    PickupPoint,
    PriceListHead,
    PromotionHead,
    ShippingMethod,
    ShippingTier,
    ShippingZone,
    TermsDocument,
)
from projections.documents.shapes.visits import (
    AlsoBoughtDocument,
    ConversionDocument,
    RecentDocument,
)

__all__ = [
    "AlsoBoughtDocument",
    "AnnouncedPromotion",
    "BestsellerDayDocument",
    "BestsellerDocument",
    "CartDocument",
    "CartLine",
    "Charge",
    "ConversionDocument",
    "Coupon",
    "CouponBatchDocument",
    "CouponDocument",
    "CreditDocument",
    "CreditMovement",
    "CustomerSums",
    "CustomerValueDocument",
    "Delivery",
    "ExplanationDocument",
    "ExplanationStep",
    "Fulfilment",
    "GatewayPayment",
    "InventoryDocument",
    "LineQuantity",
    "ListPrice",
    "Market",
    "Money",
    "NotAppliedPromotion",
    "NoticeDocument",
    "OrderDocument",
    "OrderLine",
    "Payment",
    "PaymentRefund",
    "PickupPoint",
    "PriceHistoryDocument",
    "PriceListHead",
    "PricePoint",
    "PriceSeries",
    "PriceTier",
    "PricedCharge",
    "ProductDocument",
    "PromotionHead",
    "QuoteDocument",
    "RecentDocument",
    "Refund",
    "Return",
    "SalesDocument",
    "SalesHour",
    "SalesHoursDocument",
    "SalesRow",
    "ShippingAmount",
    "ShippingMethod",
    "ShippingTier",
    "ShippingZone",
    "TaxAmount",
    "Tender",
    "TermsDocument",
    "Tier",
    "TimelineEntry",
    "UnitPrice",
    "VariantDocument",
]
