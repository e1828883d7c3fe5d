"""Which gateway moves the money, by the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from commands.gateways.gateway import Gateway
from commands.gateways.sandbox import Books, SandboxGateway
from commands.settings import Settings

log_lines = structlog.get_logger("commands.gateways")

GATEWAYS = ("sandbox", "stripe")
"""Their names."""


def choose_gateway(settings: Settings) -> Gateway:
    """Stripe where its secret key is set, else the sandbox. GatewayUnavailable where that has no ledger."""
    if settings.stripe_secret_key is None:
        secret = next(iter(settings.stripe_webhook_secrets), None)
        return SandboxGateway(Books(settings.data_dir / "sandbox.sqlite", webhook_secret=secret))
    # Here, for nobody else should wait for the library and hold it in memory.
    from commands.gateways.stripe.gateway import StripeGateway

    return StripeGateway(
        settings.stripe_secret_key.get_secret_value(),
        webhook_secrets=settings.stripe_webhook_secrets,
        publishable_key=settings.stripe_publishable_key,
        api_base=settings.stripe_api_base,
        return_url=settings.stripe_return_url,
    )


@asynccontextmanager
async def check_gateway(gateway: Gateway) -> AsyncIterator[None]:
    """Checks the gateway's set-up beside what goes on: a gateway that is away holds up no start."""

    async def log_findings() -> None:
        for finding in await gateway.check():
            (log_lines.info if finding.ok else log_lines.error)("gateway_check", finding=finding.text)

    checking = asyncio.create_task(log_findings())
    try:
        yield
    finally:
        checking.cancel()
