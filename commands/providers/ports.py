"""The ports of outside providers: what the tax on a cart is, and what sending it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from aggregates.pricing.context import TargetTax
from aggregates.pricing.provider_requests import ShippingRequest, TaxRequest
from aggregates.pricing.rules import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderQuote:
    """`reference`: the provider's own name of it. `expires_at` (UTC) None: it does not say."""

    reference: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxQuote(ProviderQuote):
    """A treatment and its components for every line, and for shipping where the provider says so."""

    answers: Mapping[str, TargetTax]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierQuote(ProviderQuote):
    """A price in minor units of the currency that was asked for."""

    amount: int


Request_contra = TypeVar("Request_contra", contravariant=True)
Quote_co = TypeVar("Quote_co", covariant=True, bound=ProviderQuote)


class Provider(Protocol[Request_contra, Quote_co]):
    """Knows the tax of the areas, or the prices of the shipping methods, that name it."""

    async def quote(self, request: Request_contra, home: Home | None, at: datetime) -> Quote_co:
        """What is due `at` that moment on a sale from `home`. Raises ProviderUnavailable."""


TaxProvider = Provider[TaxRequest, TaxQuote]
ShippingProvider = Provider[ShippingRequest, CarrierQuote]
