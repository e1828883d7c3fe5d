"""VIES, where the EU's member states say which VAT numbers are registered, by its REST API."""

from __future__ import annotations

from datetime import datetime

import msgspec
import structlog

from aggregates.orders.events import VatCheck
from commands.providers.calls import InvalidResponse, ProviderCalls, ProviderUnavailable
from commands.vat_numbers import GREAT_BRITAIN, VatNumber

CALL_SECONDS = 5.0
"""It asks a member state before it answers."""
CONSULTATION_MAX = 100

log_lines = structlog.get_logger("commands.providers")


class _Fault(msgspec.Struct):
    error: str


class _Response(msgspec.Struct, rename="camel"):
    """`valid` is missing, and `error_wrappers` says why, where VIES could not find out."""

    valid: bool | None = None
    country_code: str | None = None
    vat_number: str | None = None
    request_identifier: str | None = None
    error_wrappers: tuple[_Fault, ...] = ()


class Vies:
    """Asks about one number at a time, in the name of the merchant, who gets a consultation number for it."""

    def __init__(self, calls: ProviderCalls) -> None:
        self._calls = calls

    async def check(self, number: VatNumber, requester: VatNumber | None, at: datetime) -> VatCheck:
        """What is known of the number; of one that VIES does not say anything about, nothing is confirmed.

        It knows no numbers of Great Britain: theirs are right by their form. It raises nothing: no order is
        lost for it.
        """
        if number.country == GREAT_BRITAIN:
            return VatCheck(country=number.country)
        body = {"countryCode": number.country, "vatNumber": number.number[2:]}
        if requester is not None and requester.country != GREAT_BRITAIN:
            body |= {
                "requesterMemberStateCode": requester.country,
                "requesterNumber": requester.number[2:],
            }
        try:
            found = await self._calls.post(body, lambda content: _response(content, number))
        except ProviderUnavailable:
            return VatCheck(country=number.country, status="unconfirmed")
        if found.valid is None:
            log_lines.warning("vies_does_not_say", faults=[fault.error for fault in found.error_wrappers])
            return VatCheck(country=number.country, status="unconfirmed")
        return VatCheck(
            country=number.country,
            status="confirmed" if found.valid else "unconfirmed",
            checked_at=at,
            consultation=found.request_identifier or None,
        )


def _response(content: bytes, asked: VatNumber) -> _Response:
    found = msgspec.json.decode(content, type=_Response)
    if found.valid is None and not found.error_wrappers:
        raise InvalidResponse("says neither that the number is valid nor that it is not, nor why")
    if found.valid is not None and (found.country_code, found.vat_number) != (
        asked.country,
        asked.number[2:],
    ):
        raise InvalidResponse("is about another number")
    if len(found.request_identifier or "") > CONSULTATION_MAX:
        raise InvalidResponse(f"requestIdentifier has more than {CONSULTATION_MAX} characters")
    return found
