"""One sentence for each event, in words that a shop's auditor reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from aggregates.cart.events import CartEvent, ItemAdded
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
from aggregates.kernel import Money, Sku
from aggregates.orders.events import (
    Address,
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
    Tender,
)
from aggregates.payments.events import GatewayEvent, PaymentEvent, ProcessEvent
from replays.order.cart_sentences import cart_sentence, named
from replays.order.moments import format_time
from replays.order.payment_sentences import describe_gateway, describe_payment, describe_process
from replays.order.price_sentences import explained
from replays.order.words import money_in_words, price_in_words, units, why

Titles = Mapping[Sku, str]
"""What the order and its cart call each SKU."""


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


def describe(event: Any, titles: Titles, currency: str) -> list[str]:
    """What happened to an order in this currency: one sentence, and below it a line for each thing it was
    about."""
    match event:
        case OrderPlaced():
            words = _placed(event)
        case CreditNoteIssued():
            words = _credited(event)
        case OrderConfirmed() | OrderCanceled() | LinesFulfilled() | LinesReturned() | OrderRefunded():
            words = _order(event, titles)
        case _ if isinstance(event, CartEvent):
            words = [cart_sentence(event, titles, currency)]
        case _ if isinstance(event, PaymentEvent):
            words = [describe_payment(event)]
        case _ if isinstance(event, ProcessEvent):
            words = [describe_process(event)]
        case _ if isinstance(event, GatewayEvent):
            words = [describe_gateway(event)]
        case _:
            words = [_stock(event, titles)]
    return words


def _placed(event: OrderPlaced) -> list[str]:
    buyer = f"customer {event.customer_id}" if event.customer_id else "a guest"
    lines = [f"Order {event.number} was placed by {buyer}: {money_in_words(event.total)} in all."]
    lines += [_ordered(line) for line in event.lines]
    if event.explanation is None:
        lines += [_charged(charge) for charge in event.charges]
    else:
        lines += explained(event, event.explanation)
    lines += _paid_by(event)
    if event.email is not None:
        lines.append(f"to be notified at {event.email}")
    if event.shipping_address is not None:
        lines.append(f"to be sent to {_address(event.shipping_address)}")
    if event.billing_address is not None:
        lines.append(f"to be invoiced to {_address(event.billing_address)}")
    if (check := event.vat_check) is not None:
        number = event.vat_number or f"of {check.country}"
        consulted = f", VIES consultation {check.consultation}" if check.consultation else ""
        lines.append(f"VAT number {number}, {check.status}{consulted}")
    return lines


def _paid_by(event: OrderPlaced) -> list[str]:
    """Nothing where the card pays all of it."""
    if not event.credit.amount:
        return []
    return [f"{money_in_words(one.amount)} paid by {_tender(one)}" for one in event.tenders]


def _tender(tender: Tender) -> str:
    names = {"card": "card", "gift_card": "gift card", "store_credit": "store credit"}
    return f"{names[tender.kind]}{f' {tender.account_id}' if tender.account_id else ''}"


def _address(address: Address) -> str:
    town = " ".join(part for part in (address.postal_code, address.city) if part)
    parts = (address.name, address.line1, address.line2, town, address.region, address.country)
    return ", ".join(part for part in parts if part)


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
            sentence = f"Came back from the customer (return {return_id}), {shelf}{why(reason)}."
            return [sentence, *_quantities(lines, titles)]
        case OrderRefunded(amount=amount, credit_note_id=credit_note_id, lines=lines, reason=reason):
            sentence = f"{money_in_words(amount)} refunded by credit note {credit_note_id}{why(reason)}."
            return [sentence, *map(_refunded, lines), *_refunded_charges(event), *_refunded_to(event)]
        case _:
            assert_never(event)


def _refunded_charges(event: OrderRefunded) -> list[str]:
    return [
        f"{'shipping' if charge.kind == 'shipping' else 'charges'}, {money_in_words(charge.amount)}"
        f"{_tax_in(charge.tax)}"
        for charge in event.charges or ()
    ]


def _refunded_to(event: OrderRefunded) -> list[str]:
    """Nothing where all of it goes back to the card."""
    tenders = event.tenders or ()
    if all(one.kind == "card" for one in tenders):
        return []
    return [f"{money_in_words(one.amount)} to {_tender(one)}" for one in tenders]


def _tax_in(tax: Money | None) -> str:
    return "" if tax is None or not tax.amount else f", {money_in_words(tax)} of it tax"


def _credited(event: CreditNoteIssued) -> list[str]:
    about = f" for order {event.order_id}" if event.order_id else ", for no order"
    sentence = f"Credit note {event.number} over {money_in_words(event.amount)} was issued{about}"
    sentence += f"{why(event.reason)}."
    lines = [
        f"{units(line.quantity)} of {line.title} ({line.sku}), {money_in_words(line.amount)}"
        for line in event.lines
    ]
    taxes = [
        f"of it tax {one.label}: {money_in_words(one.amount)} on {money_in_words(one.base)}"
        for one in event.taxes
    ]
    return [sentence, *lines, *map(_charged, event.charges), *taxes]


def _stock(event: InventoryEvent, titles: Titles) -> str:
    item = named(event.sku, titles)
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
    words = f"line {line.line_id}: {units(line.quantity)}, {money_in_words(line.amount)}{_tax_in(line.tax)}"
    return words + (f", {line.withdrawn:,} of them not to be sent" if line.withdrawn else "")


def _ordered(line: OrderLine) -> str:
    price = price_in_words(line.unit_price)
    words = f"{line.quantity:,} × {line.title} ({line.sku}) at {price} = {money_in_words(line.line_total)}"
    off = f", {money_in_words(line.discount)} off" if line.discount.amount else ""
    changed = line.paid - (line.line_total - line.discount)
    if changed.amount:
        sign = "+" if changed.amount > 0 else ""
        words += f"{off}, {sign}{money_in_words(changed)} of tax, {money_in_words(line.paid)} paid"
    elif off:
        words += f"{off}, {money_in_words(line.paid)} paid"
    return words + (f", a gift of {line.gift_of}" if line.gift_of else "")


def _charged(charge: Charge) -> str:
    label = f" ({charge.label})" if charge.label and charge.label != charge.kind else ""
    return f"{charge.kind}{label}: {money_in_words(charge.amount)}"


def _quantities(lines: Iterable[LineQuantity], titles: Titles) -> list[str]:
    return [f"{line.quantity:,} × {named(line.sku, titles)}" for line in lines]
