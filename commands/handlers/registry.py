"""Every command the API and the processes may hand to the loop, with its handler."""

from __future__ import annotations

from commands.handlers import cart, catalog, fulfilment, inventory, orders, payments, refunds
from commands.loop.handling import Handlers

HANDLERS: Handlers = {
    **catalog.HANDLERS,
    **inventory.HANDLERS,
    **cart.HANDLERS,
    **orders.HANDLERS,
    **fulfilment.HANDLERS,
    **refunds.HANDLERS,
    **payments.HANDLERS,
}
