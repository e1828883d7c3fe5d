"""One sentence for each event, in words that a shop's auditor reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, assert_never

from aggregates.cart.events import (
    CartCheckedOut,
    CartEvent,
    CartOpened,
    ItemAdded,
    ItemRemoved,
    QuantityChanged,
)
from aggregates.currencies import minor_digits
from aggregates.inventory.events import (
    InventoryEvent,
    ReservationConfirmed,
    ReservationReleased,
    StockAdjusted,
    StockDispatched,
    StockReceived,
    StockReserved,
    StockRestocked,
)
from aggregates.kernel import Money, Sku, UnitPrice
from aggregates.orders.events import (
    Charge,
    CreditNoteIssued,
    LineQuantity,
    LinesFulfilled,
    LinesReturned,
    OrderCanceled,
    OrderConfirmed,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
    RefundedLine,
)
from aggregates.payments.events import (
    ActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEvent,
    PaymentNotNeeded,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    ProcessEvent,
    ProcessStarted,
    StepBegun,
    StepEnded,
)
from replays.order.moments import format_time

Titles = Mapping[Sku, str]
"""What the order and its cart call each SKU."""

_CAPTURE = {"fulfilment": "at the first fulfilment", "checkout": "at once"}
_SOURCE = {"gateway": "by the gateway", "elsewhere": "elsewhere, before it came to these books"}


def money_in_words(money: Money) -> str:
    """`Money(129900, "GBP")` is `1,299.00 GBP`."""
    digits = minor_digits(money.currency)
    return f"{Decimal(money.amount).scaleb(-digits):,.{digits}f} {money.currency}"


def price_in_words(price: UnitPrice) -> str:
    """As exact as the price is, and at least to the minor unit: `2.555 GBP`, `12.90 GBP`."""
    exponent = price.exact.normalize().as_tuple().exponent
    places = -exponent if isinstance(exponent, int) else 0
    return f"{price.exact:,.{max(places, minor_digits(price.currency))}f} {price.currency}"


def units(quantity: int) -> str:
    """`1 unit`, `2 units`."""
    return f"{quantity:,} unit" if quantity == 1 else f"{quantity:,} units"


def titles_of(events: Iterable[Any]) -> dict[Sku, str]:
    """The title of every SKU that these events name with one."""
    titles: dict[Sku, str] = {}
    for event in events:
        match event:
            case OrderPlaced(lines=lines) | CreditNoteIssued(lines=lines):
                titles |= {line.sku: line.title for line in lines}
            case ItemAdded(sku=sku, title=title):
                titles[sku] = title
    return titles


def describe(event: Any, titles: Titles) -> list[str]:
    """What happened: one sentence, and below it a line for each thing it was about."""
    match event:
        case OrderPlaced():
            words = _placed(event)
        case CreditNoteIssued():
            words = _credited(event)
        case OrderConfirmed() | OrderCanceled() | LinesFulfilled() | LinesReturned() | OrderRefunded():
            words = _order(event, titles)
        case CartOpened() | ItemAdded() | QuantityChanged() | ItemRemoved() | CartCheckedOut():
            words = [_cart(event, titles)]
        case ProcessStarted() | StepBegun() | StepEnded():
            words = [_process(event)]
        case (
            PaymentRequested()
            | PaymentNotNeeded()
            | PaymentAuthorized()
            | ActionRequired()
            | PaymentDeclined()
            | PaymentVoided()
            | PaymentCaptured()
            | PaymentRefunded()
        ):
            words = [_payment(event)]
        case _:
            words = [_stock(event, titles)]
    return words


def _cart(event: CartEvent, titles: Titles) -> str:
    match event:
        case CartOpened(currency=currency, customer_id=customer):
            return f"A cart was opened in {currency}" + (f" for customer {customer}." if customer else ".")
        case ItemAdded(sku=sku, quantity=quantity, unit_price=price):
            return f"{units(quantity)} of {_named(sku, titles)} put in, at {price_in_words(price)} each."
        case QuantityChanged(sku=sku, quantity=quantity):
            return f"{_named(sku, titles)} changed to {units(quantity)}."
        case ItemRemoved(sku=sku):
            return f"{_named(sku, titles)} taken out."
        case CartCheckedOut(order_id=order_id):
            return f"The cart was checked out and became order {order_id}."
        case _:
            assert_never(event)


def _placed(event: OrderPlaced) -> list[str]:
    buyer = f"customer {event.customer_id}" if event.customer_id else "a guest"
    lines = [f"Order {event.number} was placed by {buyer}: {money_in_words(event.total)} in all."]
    lines += [_ordered(line) for line in event.lines]
    lines += [_charged(charge) for charge in event.charges]
    if event.email is not None:
        lines.append(f"to be told at {event.email}")
    if (address := event.shipping_address) is not None:
        town = " ".join(part for part in (address.postal_code, address.city) if part)
        parts = (address.name, address.line1, address.line2, town, address.region, address.country)
        lines.append("to be sent to " + ", ".join(part for part in parts if part))
    return lines


def _order(
    event: OrderConfirmed | OrderCanceled | LinesFulfilled | LinesReturned | OrderRefunded, titles: Titles
) -> list[str]:
    match event:
        case OrderConfirmed():
            return ["The order was confirmed: it can be fulfilled."]
        case OrderCanceled(cause=cause, reason=reason, total=total):
            return [f"The order over {money_in_words(total)} was canceled: {reason or cause}."]
        case LinesFulfilled(lines=lines, fulfilment_id=fulfilment_id):
            return [f"Sent to the customer (fulfilment {fulfilment_id}):", *_quantities(lines, titles)]
        case LinesReturned(lines=lines, return_id=return_id, restock=restock, reason=reason):
            shelf = "back on the shelf" if restock else "not put back on the shelf"
            sentence = f"Came back from the customer (return {return_id}), {shelf}{_why(reason)}."
            return [sentence, *_quantities(lines, titles)]
        case OrderRefunded(amount=amount, credit_note_id=credit_note_id, lines=lines, reason=reason):
            sentence = f"{money_in_words(amount)} refunded by credit note {credit_note_id}{_why(reason)}."
            return [sentence, *map(_refunded, lines)]
        case _:
            assert_never(event)


def _credited(event: CreditNoteIssued) -> list[str]:
    about = f" for order {event.order_id}" if event.order_id else ", for no order"
    sentence = f"Credit note {event.number} over {money_in_words(event.amount)} was issued{about}"
    sentence += f"{_why(event.reason)}."
    lines = [
        f"{units(line.quantity)} of {line.title} ({line.sku}), {money_in_words(line.amount)}"
        for line in event.lines
    ]
    return [sentence, *lines, *map(_charged, event.charges)]


def _payment(event: PaymentEvent) -> str:
    match event:
        case PaymentRequested(method=method, amount=amount, capture=capture):
            words = f"{money_in_words(amount)} to be paid with {method}, captured {_CAPTURE[capture]}."
        case PaymentNotNeeded():
            words = "Nothing is to be paid."
        case PaymentAuthorized(amount=amount, gateway_reference=reference):
            words = f"{money_in_words(amount)} authorized by the bank (reference {reference})."
        case ActionRequired(gateway_reference=reference):
            words = f"The shopper must prove who they are first (reference {reference})."
        case PaymentDeclined(code=code):
            words = f"The payment was declined: {code}."
        case PaymentVoided(amount=amount):
            words = f"The authorization of {money_in_words(amount)} was given up; nothing was taken."
        case PaymentCaptured(amount=amount, source=source):
            words = f"{money_in_words(amount)} captured {_SOURCE[source]}."
        case PaymentRefunded(amount=amount, credit_note_id=credit_note_id):
            note = f" by credit note {credit_note_id}" if credit_note_id else ": the sale was undone"
            words = f"{money_in_words(amount)} paid back{note}."
        case _:
            assert_never(event)
    return words


def _process(event: ProcessEvent) -> str:
    match event:
        case ProcessStarted(kind=kind):
            return f"The process that follows the payment began ({kind})."
        case StepBegun(step=step, call=call, amount=amount, reason=reason):
            return f"Step {step}: the gateway is to {call} {money_in_words(amount)}{_why(reason)}."
        case StepEnded(step=step, outcome=outcome):
            return f"Step {step} ended: {outcome}."
        case _:
            assert_never(event)


def _stock(event: InventoryEvent, titles: Titles) -> str:
    item = _named(event.sku, titles)
    match event:
        case StockReceived(quantity=quantity, reason=reason):
            words = f"{units(quantity)} of {item} arrived: {reason}."
        case StockAdjusted(delta=delta, reason=reason):
            words = f"The books of {item} were corrected by {delta:+,}: {reason}."
        case StockReserved(quantity=quantity, expires_at=expires_at):
            words = f"{units(quantity)} of {item} set aside until {format_time(expires_at)}."
        case ReservationConfirmed(quantity=quantity):
            words = f"{units(quantity)} of {item} kept for dispatch."
        case ReservationReleased(quantity=quantity, cause=cause):
            words = f"{units(quantity)} of {item} back on sale: {cause}."
        case StockDispatched(quantity=quantity, from_reservation=reserved):
            words = f"{units(quantity)} of {item} left the shelf, {reserved:,} of them set aside before."
        case StockRestocked(quantity=quantity):
            words = f"{units(quantity)} of {item} back on the shelf."
        case _:
            assert_never(event)
    return words


def _refunded(line: RefundedLine) -> str:
    words = f"line {line.line_id}: {units(line.quantity)}, {money_in_words(line.amount)}"
    return words + (f", {line.withdrawn:,} of them not to be sent" if line.withdrawn else "")


def _why(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _named(sku: Sku, titles: Titles) -> str:
    return f"{titles[sku]} ({sku})" if sku in titles else sku


def _ordered(line: OrderLine) -> str:
    price = price_in_words(line.unit_price)
    return f"{line.quantity:,} × {line.title} ({line.sku}) at {price} = {money_in_words(line.line_total)}"


def _charged(charge: Charge) -> str:
    label = f" ({charge.label})" if charge.label and charge.label != charge.kind else ""
    return f"{charge.kind}{label}: {money_in_words(charge.amount)}"


def _quantities(lines: Iterable[LineQuantity], titles: Titles) -> list[str]:
    return [f"{line.quantity:,} × {_named(line.sku, titles)}" for line in lines]
