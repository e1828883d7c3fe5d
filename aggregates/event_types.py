"""Every stored event name, with its schema number: what is on disk for ever, on one screen.

A class may be renamed any day; a name here never changes. A changed shape is a new number and an upcaster:

    EventType("cart.item_added", 2, cart.ItemAdded, upcasters=(cart.item_added_from_1,))

and then `python -m tests.event_store.stored_events`, which keeps an example of the new number for ever.
"""

from aggregates.cart import events as cart
from aggregates.catalog import events as catalog
from aggregates.inventory import events as inventory
from aggregates.kernel import EventType, unchanged
from aggregates.orders import events as orders
from aggregates.payments import events as payments
from aggregates.terms import events as terms

EVENT_TYPES: tuple[EventType, ...] = (
    EventType("catalog.product_listed", 1, catalog.ProductListed),
    EventType("catalog.price_changed", 1, catalog.PriceChanged),
    EventType("catalog.product_delisted", 1, catalog.ProductDelisted),
    EventType("inventory.stock_received", 1, inventory.StockReceived),
    EventType("inventory.stock_adjusted", 1, inventory.StockAdjusted),
    EventType("inventory.stock_reserved", 1, inventory.StockReserved),
    EventType("inventory.reservation_confirmed", 1, inventory.ReservationConfirmed),
    EventType(
        "inventory.reservation_released",
        3,
        inventory.ReservationReleased,
        upcasters=(unchanged, unchanged),
    ),
    EventType("inventory.stock_dispatched", 1, inventory.StockDispatched),
    EventType("inventory.stock_restocked", 1, inventory.StockRestocked),
    EventType("cart.cart_opened", 1, cart.CartOpened),
    EventType("cart.item_added", 1, cart.ItemAdded),
    EventType("cart.quantity_changed", 1, cart.QuantityChanged),
    EventType("cart.item_removed", 1, cart.ItemRemoved),
    EventType("cart.cart_checked_out", 1, cart.CartCheckedOut),
    EventType(
        "orders.order_placed",
        2,
        orders.OrderPlaced,
        personal=("email", "shipping_address"),
        subject=orders.order_subject,
        upcasters=(orders.order_placed_from_1,),
        bound_from=2,
    ),
    EventType("orders.order_confirmed", 1, orders.OrderConfirmed),
    EventType(
        "orders.order_canceled",
        3,
        orders.OrderCanceled,
        personal=("reason",),
        subject=orders.order_subject,
        upcasters=(orders.order_canceled_from_1, unchanged),
        bound_from=2,
    ),
    EventType("orders.lines_fulfilled", 1, orders.LinesFulfilled),
    EventType(
        "orders.lines_returned",
        2,
        orders.LinesReturned,
        personal=("reason",),
        subject=orders.order_subject,
        upcasters=(unchanged,),
        bound_from=2,
    ),
    EventType(
        "orders.order_refunded",
        2,
        orders.OrderRefunded,
        personal=("reason",),
        subject=orders.order_subject,
        upcasters=(unchanged,),
        bound_from=2,
    ),
    EventType(
        "orders.credit_note_issued",
        2,
        orders.CreditNoteIssued,
        personal=("reason",),
        subject=orders.note_subject,
        upcasters=(unchanged,),
        bound_from=2,
    ),
    EventType("orders.order_numbered", 1, orders.OrderNumbered),
    EventType("orders.credit_note_numbered", 1, orders.CreditNoteNumbered),
    EventType("payments.payment_requested", 2, payments.PaymentRequested, upcasters=(unchanged,)),
    EventType("payments.payment_not_needed", 1, payments.PaymentNotNeeded),
    EventType("payments.payment_authorized", 2, payments.PaymentAuthorized, upcasters=(unchanged,)),
    EventType("payments.action_required", 1, payments.ActionRequired),
    EventType("payments.payment_attempt_failed", 1, payments.PaymentAttemptFailed),
    EventType("payments.payment_declined", 1, payments.PaymentDeclined),
    EventType("payments.payment_voided", 2, payments.PaymentVoided, upcasters=(unchanged,)),
    EventType("payments.payment_captured", 2, payments.PaymentCaptured, upcasters=(unchanged,)),
    EventType("payments.payment_refunded", 2, payments.PaymentRefunded, upcasters=(unchanged,)),
    EventType("payments.payment_refund_settled", 1, payments.PaymentRefundSettled),
    EventType("payments.payment_refund_failed", 1, payments.PaymentRefundFailed),
    EventType("payments.payment_disputed", 1, payments.PaymentDisputed),
    EventType("payments.process_started", 1, payments.ProcessStarted),
    EventType(
        "payments.step_begun",
        4,
        payments.StepBegun,
        personal=("reason",),
        subject=payments.step_subject,
        upcasters=(payments.step_begun_from_1, unchanged, unchanged),
        bound_from=2,
    ),
    EventType("payments.step_ended", 2, payments.StepEnded, upcasters=(unchanged,)),
    EventType("payments.payment_retried", 1, payments.PaymentRetried),
    EventType(
        "payments.payment_written_off",
        1,
        payments.PaymentWrittenOff,
        personal=("reason",),
        subject=payments.step_subject,
    ),
    EventType("payments.concern_raised", 1, payments.ConcernRaised),
    EventType("payments.owed_changed", 1, payments.OwedChanged),
    EventType("payments.gateway_news_received", 1, payments.GatewayNewsReceived),
    EventType("payments.gateway_payment_linked", 1, payments.GatewayPaymentLinked),
    EventType("payments.gateway_news_parked", 1, payments.GatewayNewsParked),
    EventType("payments.gateway_payment_foreign", 1, payments.GatewayPaymentForeign),
    EventType("payments.gateway_news_fetched", 1, payments.GatewayNewsFetched),
    EventType("terms.home_set", 1, terms.HomeSet),
    EventType("terms.market_defined", 1, terms.MarketDefined),
    EventType("terms.market_retired", 1, terms.MarketRetired),
    EventType("terms.price_list_defined", 1, terms.PriceListDefined),
    EventType("terms.price_list_ended", 1, terms.PriceListEnded),
    EventType("terms.promotion_defined", 1, terms.PromotionDefined),
    EventType("terms.promotion_started", 1, terms.PromotionStarted),
    EventType("terms.promotion_ended", 1, terms.PromotionEnded),
    EventType("terms.tax_area_defined", 1, terms.TaxAreaDefined),
    EventType("terms.tax_rates_set", 1, terms.TaxRatesSet),
    EventType("terms.tax_area_retired", 1, terms.TaxAreaRetired),
    EventType("terms.shipping_method_defined", 1, terms.ShippingMethodDefined),
    EventType("terms.shipping_method_retired", 1, terms.ShippingMethodRetired),
)
