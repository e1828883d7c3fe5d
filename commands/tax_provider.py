"""The port of outside tax providers: what is due on each target of a cart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aggregates.pricing.context import TargetTax
from aggregates.pricing.provider_requests import TaxRequest
from aggregates.pricing.rules import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxQuote:
    """A treatment and its components for every line, and for shipping where the provider says so.

    `reference`: the provider's own name of it. `expires_at` (UTC) None: it does not say.
    """

    answers: Mapping[str, TargetTax]
    reference: str
    expires_at: datetime | None = None


class TaxProvider(Protocol):
    """Whoever knows the tax of the areas that name it."""

    async def quote(self, request: TaxRequest, home: Home | None, at: datetime) -> TaxQuote:
        """What is due `at` that moment on a sale from `home`. Raises ProviderUnavailable."""
