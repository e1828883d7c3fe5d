"""Shipping rates from a carrier over HTTP, as docs/providers.md describes the calls."""

from __future__ import annotations

from datetime import datetime

import msgspec

from aggregates.pricing.provider_requests import ShippingRequest
from aggregates.pricing.rules import Home
from commands.providers.calls import InvalidResponse, ProviderCalls, expiry, origin_of, place_of
from commands.providers.tax import REFERENCE_MAX
from commands.shipping_provider import CarrierQuote

AMOUNT_MAX = 100_000_000_00
"""Of a carrier's price, in minor units."""


class _Response(msgspec.Struct):
    reference: str
    amount: int
    currency: str
    expires_at: datetime | None = None


class HttpShippingProvider:
    """Asks for the price of one method."""

    def __init__(self, calls: ProviderCalls) -> None:
        self._calls = calls

    async def quote(self, request: ShippingRequest, home: Home | None, at: datetime) -> CarrierQuote:
        """One call. Raises ProviderUnavailable."""
        body = {
            "provider": request.provider,
            "request": request.digest,
            "at": at,
            "market": request.market,
            "currency": request.currency,
            "method_id": request.method_id,
            "origin": origin_of(home),
            "destination": place_of(request.destination),
            "parcel": request.parcel._asdict(),
        }
        return await self._calls.post(body, lambda content: _quote(content, request, at))


def _quote(content: bytes, request: ShippingRequest, at: datetime) -> CarrierQuote:
    response = msgspec.json.decode(content, type=_Response)
    if len(response.reference) > REFERENCE_MAX or not response.reference.isprintable():
        raise InvalidResponse(f"reference has more than {REFERENCE_MAX} characters, or unseen ones")
    if response.currency != request.currency:
        raise InvalidResponse(f"a price in {response.currency}, not in {request.currency}")
    if not 0 <= response.amount <= AMOUNT_MAX:
        raise InvalidResponse(f"amount {response.amount} is not from 0 to {AMOUNT_MAX}")
    return CarrierQuote(
        amount=response.amount,
        reference=response.reference,
        expires_at=expiry(response.expires_at, at),
    )
