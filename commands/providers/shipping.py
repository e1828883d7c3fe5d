"""Shipping rates from a carrier over HTTP, as docs/providers.md describes the calls."""

from __future__ import annotations

from datetime import datetime

from aggregates.pricing.provider_requests import ShippingRequest
from aggregates.pricing.rules import Home
from commands.providers.calls import InvalidResponse, ProviderCalls
from commands.providers.ports import CarrierQuote
from commands.providers.quotes import Response, decode_response, request_quote

AMOUNT_MAX = 100_000_000_00
"""Of a carrier's price, in minor units."""


class _Rate(Response, kw_only=True):
    amount: int
    currency: str


class HttpShippingProvider:
    """Asks for the price of one method."""

    def __init__(self, calls: ProviderCalls) -> None:
        self._calls = calls

    async def quote(self, request: ShippingRequest, home: Home | None, at: datetime) -> CarrierQuote:
        """One call. Raises ProviderUnavailable."""
        details = {"method_id": request.method_id, "parcel": request.parcel._asdict()}
        return await request_quote(
            self._calls, request, home, at, details, lambda content: _quote(content, request, at)
        )


def _quote(content: bytes, request: ShippingRequest, at: datetime) -> CarrierQuote:
    rate = decode_response(content, _Rate, at)
    if rate.currency != request.currency:
        raise InvalidResponse(f"a price in {rate.currency}, not in {request.currency}")
    if not 0 <= rate.amount <= AMOUNT_MAX:
        raise InvalidResponse(f"amount {rate.amount} is not from 0 to {AMOUNT_MAX}")
    return CarrierQuote(amount=rate.amount, reference=rate.reference, expires_at=rate.expires_at)
