"""Every command the API and the processes may hand to the loop, with its handler."""

from __future__ import annotations

from commands.handlers import (
    cancel_order,
    cart,
    catalog,
    credit,
    customers,
    fulfilment,
    inventory,
    orders,
    payments,
    promotions,
    reconciliation,
    refunds,
    schedules,
    terms,
    visits,
    webhooks,
)
from commands.handlers.chargeable import Chargeable, any_amount
from commands.loop.handling import Handlers


def handlers(chargeable: Chargeable = any_amount) -> Handlers:
    """By command class; `chargeable` says what amounts the gateway can move."""
    return {
        **catalog.HANDLERS,
        **terms.HANDLERS,
        **promotions.HANDLERS,
        **customers.HANDLERS,
        **credit.HANDLERS,
        **schedules.HANDLERS,
        **inventory.HANDLERS,
        **visits.HANDLERS,
        **cart.HANDLERS,
        **orders.handlers(chargeable),
        **cancel_order.HANDLERS,
        **fulfilment.HANDLERS,
        **refunds.handlers(chargeable),
        **payments.HANDLERS,
        **reconciliation.HANDLERS,
        **webhooks.HANDLERS,
    }


HANDLERS = handlers()
