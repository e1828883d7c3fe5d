"""The outside providers that the settings name."""

from __future__ import annotations

from dataclasses import dataclass, field

from commands.providers.calls import ProviderCalls
from commands.providers.ports import ShippingProvider, TaxProvider
from commands.providers.shipping import HttpShippingProvider
from commands.providers.tax import HttpTaxProvider
from commands.providers.vies import CALL_SECONDS, Vies
from commands.settings import Settings


@dataclass(frozen=True, slots=True)
class Providers:
    """Those that there are; None: nobody is asked."""

    tax: TaxProvider | None = None
    shipping: ShippingProvider | None = None
    vies: Vies | None = None
    calls: tuple[ProviderCalls, ...] = field(default=())

    async def aclose(self) -> None:
        """Ends their connections."""
        for calls in self.calls:
            await calls.aclose()


def choose_providers(settings: Settings) -> Providers:
    """Those of the settings; nothing is called yet."""
    calls = []
    tax = shipping = None
    if settings.tax_provider_url is not None:
        calls.append(ProviderCalls("tax", settings.tax_provider_url, secret=settings.tax_provider_secret))
        tax = HttpTaxProvider(calls[-1])
    if settings.shipping_provider_url is not None:
        calls.append(
            ProviderCalls(
                "shipping", settings.shipping_provider_url, secret=settings.shipping_provider_secret
            )
        )
        shipping = HttpShippingProvider(calls[-1])
    vies = None
    if settings.vat_check == "required":
        url = settings.vies_url.rstrip("/") + "/check-vat-number"
        calls.append(ProviderCalls("vies", url, call_seconds=CALL_SECONDS, trust_env=True))
        vies = Vies(calls[-1])
    return Providers(tax, shipping, vies, tuple(calls))
