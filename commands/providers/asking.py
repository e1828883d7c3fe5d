"""Asking outside providers about a cart, beside the handling loop; their answers become facts of the cart."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from aggregates.cart import cart
from aggregates.cart.cart import Cart
from aggregates.kernel import CartId
from aggregates.pricing.provider_requests import ProviderRequest, TaxRequest
from aggregates.pricing.rules import Home
from commands.codec import CODEC
from commands.handlers.cart import ASKS, RecordShippingQuote, RecordTaxQuote
from commands.loop.decision import Answer, Context
from commands.loop.handling import Handling
from commands.loop.reading import read_states
from commands.loop.state_cache import StateCache
from commands.providers.calls import ProviderUnavailable
from commands.providers.choose import Providers
from commands.providers.ports import ProviderQuote
from commands.quoting import provider_request, quote, rules_of
from event_store.records import EventReader

ROUNDS_MAX = 4
"""Shipping, tax, and both again where the cart was edited meanwhile."""

Port = TypeVar("Port")


class Unanswered(Exception):  # noqa: N818 - what the caller is told
    """A provider gave no answer, and nothing stands in for it. What was done before, up to `answer`,
    stays."""

    def __init__(self, request: ProviderRequest, why: str, answer: Answer) -> None:
        super().__init__(why)
        self.request = request
        self.why = why
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks, for how long prices hold, and where answers go."""

    log: EventReader
    handling: Handling
    providers: Providers
    lock: timedelta

    async def settle(self, cart_id: CartId, answer: Answer, *, at: datetime, context: Context) -> Answer:
        """Has all providers asked that the cart, to which a command gave this answer, needs at that moment.
        `context`: that command's.

        Raises Unanswered. A cart that others edit all the time may lack a quote even so: its notices say so.
        """
        for _ in range(ROUNDS_MAX):
            if ASKS not in answer.facts:
                break
            found = await asyncio.to_thread(self._request, cart_id, at)
            if found is None:
                break
            request, home = found
            try:
                command = await self._ask(cart_id, request, home, at)
            except ProviderUnavailable as error:
                if isinstance(request, TaxRequest) and request.has_fallback:
                    break
                raise Unanswered(request, error.why, answer) from None
            # Each is a command of its own, without the key: it guards itself by its digest.
            own = Context(actor=context.actor, channel=context.channel, correlation=context.correlation)
            answer = await self.handling.handle(command, own)
        return answer

    def _request(self, cart_id: CartId, at: datetime) -> tuple[ProviderRequest, Home | None] | None:
        """What is to be asked about the cart as it is in the log."""
        cache = StateCache(CODEC)

        def read() -> tuple[ProviderRequest, Home | None] | None:
            held: Cart = cache.state(cart.stream(cart_id))
            request = provider_request(cache, held, quote(cache, held, at=at))
            return None if request is None else (request, rules_of(cache).rules.home)

        return read_states(self.log, cache, read)

    async def _ask(
        self, cart_id: CartId, request: ProviderRequest, home: Home | None, at: datetime
    ) -> RecordTaxQuote | RecordShippingQuote:
        until = at + self.lock

        def recorded(quote: ProviderQuote) -> dict[str, Any]:
            return {
                "cart_id": cart_id,
                "at": at,
                "locked_until": until,
                "digest": request.digest,
                "provider": request.provider,
                "reference": quote.reference,
                "expires_at": min(quote.expires_at or until, until),
            }

        if isinstance(request, TaxRequest):
            tax = await _configured(self.providers.tax).quote(request, home, at)
            return RecordTaxQuote(**recorded(tax), answers=dict(tax.answers))
        rate = await _configured(self.providers.shipping).quote(request, home, at)
        return RecordShippingQuote(**recorded(rate), amount=rate.amount)


def _configured(provider: Port | None) -> Port:
    if provider is None:
        raise ProviderUnavailable("not_configured")
    return provider
