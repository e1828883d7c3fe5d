"""Tax from a provider over HTTP, as docs/providers.md describes the calls."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from aggregates.pricing.context import TargetTax, Treatment
from aggregates.pricing.provider_requests import TaxRequest
from aggregates.pricing.rules import SHIPPING, WHOLE, Home, TaxComponent
from commands.providers.calls import InvalidResponse, ProviderCalls
from commands.providers.ports import TaxQuote
from commands.providers.quotes import Response, decode_response, request_quote

COMPONENTS_MAX = 10
NAME_MAX = 200


class _Component(msgspec.Struct):
    name: str
    percent: Decimal
    compound: bool = False


class _Target(msgspec.Struct):
    treatment: Treatment
    components: tuple[_Component, ...] = ()


class _Taxes(Response, kw_only=True):
    targets: dict[str, _Target]


class HttpTaxProvider:
    """Asks for rates by target; amounts are the calculation's."""

    def __init__(self, calls: ProviderCalls) -> None:
        self._calls = calls

    async def quote(self, request: TaxRequest, home: Home | None, at: datetime) -> TaxQuote:
        """One call. Raises ProviderUnavailable."""
        targets = [
            {"target": one.target, "tax_category": one.tax_category, "amount": one.net}
            for one in request.targets
        ]
        details = {"tax_included": request.tax_included, "targets": targets}
        return await request_quote(
            self._calls, request, home, at, details, lambda content: _quote(content, request, at)
        )


def _quote(content: bytes, request: TaxRequest, at: datetime) -> TaxQuote:
    taxes = decode_response(content, _Taxes, at)
    asked = {one.target for one in request.targets}
    if others := sorted(set(taxes.targets) - asked):
        raise InvalidResponse(f"targets that were not asked about: {others[:5]}")
    if lacking := sorted(asked - set(taxes.targets) - {SHIPPING}):
        raise InvalidResponse(f"targets without an answer: {lacking[:5]}")
    return TaxQuote(
        answers={target: _tax(target, found) for target, found in taxes.targets.items()},
        reference=taxes.reference,
        expires_at=taxes.expires_at,
    )


def _tax(target: str, found: _Target) -> TargetTax:
    if len(found.components) > COMPONENTS_MAX:
        raise InvalidResponse(f"{target}: more than {COMPONENTS_MAX} components")
    if found.treatment != "taxed" and any(one.percent for one in found.components):
        raise InvalidResponse(f"{target}: {found.treatment}, and yet taxed")
    return TargetTax(
        treatment=found.treatment,
        components=tuple(_component(target, one) for one in found.components),
    )


def _component(target: str, found: _Component) -> TaxComponent:
    return TaxComponent(
        name=_name(target, found.name), percent=_ppm(target, found.percent), compound=found.compound
    )


def _name(target: str, name: str) -> str:
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        raise InvalidResponse(f"{target}: a component without a name of 1 to {NAME_MAX} characters")
    return name


def _ppm(target: str, percent: Decimal) -> int:
    """A percentage in parts per million."""
    if not percent.is_finite() or not 0 <= percent <= 100:
        raise InvalidResponse(f"{target}: {percent} is no percentage from 0 to 100")
    parts = percent * (WHOLE // 100)
    if parts != int(parts):
        raise InvalidResponse(f"{target}: {percent} has more than 4 decimals")
    return int(parts)
