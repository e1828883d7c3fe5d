"""What the requests for quotes and their responses have in common, as docs/providers.md describes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from aggregates.pricing.context import Destination
from aggregates.pricing.provider_requests import ProviderRequest
from aggregates.pricing.rules import Home
from commands.providers.calls import InvalidResponse, ProviderCalls
from commands.providers.ports import ProviderQuote

REFERENCE_MAX = 200

Quote = TypeVar("Quote", bound=ProviderQuote)


class Response(msgspec.Struct, kw_only=True):
    """What every response has."""

    reference: str
    expires_at: datetime | None = None


Form = TypeVar("Form", bound=Response)


async def request_quote(
    calls: ProviderCalls,
    request: ProviderRequest,
    home: Home | None,
    at: datetime,
    details: dict[str, Any],
    read: Callable[[bytes], Quote],
) -> Quote:
    """One call; `details` is what the body has beside that of every request. Raises ProviderUnavailable."""
    body = {
        "provider": request.provider,
        "request": request.digest,
        "at": at,
        "market": request.market,
        "currency": request.currency,
        "origin": _origin(home),
        "destination": _place(request.destination),
        **details,
    }
    return await calls.post(body, read)


def decode_response(content: bytes, form: type[Form], at: datetime) -> Form:
    """The response, with `expires_at` in UTC. Raises InvalidResponse; what is not of the form is a
    msgspec.DecodeError."""
    response = msgspec.json.decode(content, type=form)
    if len(response.reference) > REFERENCE_MAX or not response.reference.isprintable():
        raise InvalidResponse(f"reference has more than {REFERENCE_MAX} characters, or unseen ones")
    if response.expires_at is not None:
        if response.expires_at.tzinfo is None or response.expires_at <= at:
            raise InvalidResponse("expires_at is no moment to come, with its offset from UTC")
        response.expires_at = response.expires_at.astimezone(UTC)
    return response


def _place(destination: Destination) -> dict[str, Any]:
    """A destination; `postal_code` is how the code begins, as far as the cart keeps it."""
    return {
        "country": destination.country,
        "region": destination.region,
        "postal_code": destination.postal_prefix,
    }


def _origin(home: Home | None) -> dict[str, Any] | None:
    """Where the merchant sells from."""
    if home is None:
        return None
    return {"country": home.country, "region": home.region, "postal_code": home.postal_code}
