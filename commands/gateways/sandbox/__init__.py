"""A payment gateway without money: a small Stripe over one file, with test cards and news of its own."""

from commands.gateways.sandbox.books import Books, Charge
from commands.gateways.sandbox.cards import AUTHENTICATION_REQUIRED, CHARGE_DECLINED, VISA
from commands.gateways.sandbox.gateway import SandboxGateway

__all__ = ["AUTHENTICATION_REQUIRED", "CHARGE_DECLINED", "VISA", "Books", "Charge", "SandboxGateway"]
