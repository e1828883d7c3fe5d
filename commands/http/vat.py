"""VAT numbers in requests: their form, and where the shop wants that what VIES knows of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from aggregates.kernel import Rejected
from aggregates.orders.events import VatCheck
from aggregates.pricing.rules import Home
from commands.codec import CODEC
from commands.http.guesses import Tries
from commands.loop.reading import read_states
from commands.loop.state_cache import StateCache
from commands.providers.vies import Vies
from commands.quoting import rules_of
from commands.vat_numbers import GREAT_BRITAIN, VatNumber, vat_number


@dataclass(frozen=True, slots=True)
class GivenVatNumber:
    """A number of right form, and what is known of it."""

    number: str
    check: VatCheck


async def check_vat_number(
    request: Request, text: str | None, at: datetime, *, tries: Tries | None = None
) -> GivenVatNumber | None:
    """The number that a request bears; None where it bears none. Rejected where its form is wrong.

    With `DAYBOOK_VAT_CHECK=required`, VIES is asked about it: as often as `tries` lets the client; raises
    ProblemError for once too often.
    """
    if text is None:
        return None
    given = vat_number(text)
    vies: Vies | None = request.app.state.providers.vies
    if vies is None:
        return GivenVatNumber(given.number, VatCheck(country=given.country))
    if tries is not None and given.country != GREAT_BRITAIN:  # VIES is not asked about those.
        tries.count(request)
    requester = await asyncio.to_thread(_own_number, request)
    return GivenVatNumber(given.number, await vies.check(given, requester, at))


def _own_number(request: Request) -> VatNumber | None:
    """The merchant's own, at home; None where it has none of right form."""
    cache = StateCache(CODEC)
    home: Home | None = read_states(request.app.state.log, cache, lambda: rules_of(cache).rules.home)
    if home is None or home.country not in home.vat_numbers:
        return None
    country = "EL" if home.country == "GR" else home.country
    own = home.vat_numbers[home.country]
    try:
        return vat_number(own if own[:2].upper() in (country, home.country) else country + own)
    except Rejected:
        return None
