"""The port of carriers: what sending a cart costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aggregates.pricing.provider_requests import ShippingRequest
from aggregates.pricing.rules import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierQuote:
    """A price in minor units of the currency that was asked for.

    `reference`: the carrier's own name of it. `expires_at` (UTC) None: it does not say.
    """

    amount: int
    reference: str
    expires_at: datetime | None = None


class ShippingProvider(Protocol):
    """Whoever knows the prices of the methods that name it."""

    async def quote(self, request: ShippingRequest, home: Home | None, at: datetime) -> CarrierQuote:
        """What it costs `at` that moment, sent from `home`. Raises ProviderUnavailable."""
