"""The command side's settings: environment variables with the prefix `DAYBOOK_`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from commands.webhooks.addresses import parse_networks


class Settings(BaseSettings):
    """The command process's settings. `DAYBOOK_CART_LINES_MAX=50` sets `cart_lines_max`."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True, hide_input_in_errors=True)

    postgres_url: str
    data_dir: Path = Path(".daybook")
    host: str = "127.0.0.1"
    commands_port: int = 8000
    operator_token: str | None = None
    access_log: bool = False
    """Whether each request is a log line."""

    deadline_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How long a command may be decided again before it is answered with 503."""
    reservation_seconds: Annotated[int, Field(ge=1)] = 15 * 60
    """How long units are kept for an order whose payment is undecided."""
    capture: Literal["fulfilment", "checkout", "each"] = "fulfilment"
    """When money is captured: at the first fulfilment, at once when authorized, or with each its part."""
    gateway_news_seconds: Annotated[int, Field(ge=1)] = 300
    """How often a real gateway is asked for news that its webhook may not have delivered."""
    line_quantity_max: Annotated[int, Field(ge=1, le=10_000_000)] = 999
    """Units of one SKU in a cart."""
    cart_lines_max: Annotated[int, Field(ge=1, le=4_000)] = 999
    """Lines in a cart. Its checkout reads twice as many streams, of 10,000 that one command may read."""
    visit_views_max: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Views in a visit: what one client can have recorded under one id."""
    address_check: Literal["form", "presence"] = "presence"
    """What a checkout's addresses must have: all parts that their country needs (`presence`), or these in
    its form as well: a postal code as they are there, a known region (`form`)."""
    coupons_max: Annotated[int, Field(ge=0, le=50)] = 5
    """Coupons in a cart."""
    wrong_codes_per_minute: Annotated[int, Field(ge=1)] = 20
    """Unknown coupons of one client in each command process: a code is not to be found by trying."""
    vat_checks_per_minute: Annotated[int, Field(ge=1)] = 10
    """Checkouts of one client, in each command process, for which VIES is asked about a VAT number."""
    price_lock_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = 3600
    """How long a cart's line holds the price at which it was taken, or last quoted."""
    stock_quantity_max: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000_000
    """Units in one receipt or adjustment."""
    price_minor_max: Annotated[int, Field(ge=1, le=100_000_000_00)] = 100_000_000_00
    """A unit price or refund, in minor units."""
    demo_marker: Path | None = None
    """While this file is missing, the demo shop is still being filled and `ready` answers 503."""

    stripe_secret_key: SecretStr | None = None
    """With it Stripe moves the money, without it the sandbox does: `sk_test_…`, `rk_live_…`."""
    stripe_webhook_secret: Annotated[SecretStr | None, Field(validate_default=True)] = None
    """What Stripe signs its news with: `whsec_…`, or two of them with a comma while one is replaced."""
    stripe_publishable_key: Annotated[str | None, Field(validate_default=True)] = None
    """What the shopper's browser shows Stripe: `pk_test_…`, `pk_live_…`."""
    stripe_api_base: str = "https://api.stripe.com"
    """Where Stripe's API is; another place for a stand-in."""
    stripe_return_url: str | None = None
    """The shop's page to which a bank's page sends the shopper back; the address then bears the secret."""

    tax_provider_url: str | None = None
    """Who is asked for the tax of areas with a `provider`: see docs/providers.md."""
    tax_provider_secret: SecretStr | None = None
    """The bearer token of those calls."""
    shipping_provider_url: str | None = None
    """Who is asked for the prices of shipping methods with a `provider`."""
    shipping_provider_secret: SecretStr | None = None
    """The bearer token of those calls."""
    vat_check: Literal["form", "required"] = "form"
    """Whether a VAT number's form is enough for reverse charge, or VIES is to confirm it."""
    vies_url: str = "https://ec.europa.eu/taxation_customs/vies/rest-api"
    """Where VIES is; another place for a stand-in."""

    webhook_networks: str = ""
    """Networks of one's own that webhooks may go to, also by plain HTTP: `10.1.0.0/16,fd00::/8`."""
    webhook_seconds: Annotated[float, Field(gt=0, le=60)] = 15.0
    """How long an endpoint may take for a webhook."""
    webhook_log_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    """How long webhooks that were delivered, or given up, and all attempts are kept."""

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """One or two; none without Stripe."""
        joined = self.stripe_webhook_secret.get_secret_value() if self.stripe_webhook_secret else ""
        return tuple(secret.strip() for secret in joined.split(",") if secret.strip())

    @field_validator(
        "stripe_secret_key",
        "stripe_webhook_secret",
        "stripe_publishable_key",
        "stripe_return_url",
        "tax_provider_url",
        "tax_provider_secret",
        "shipping_provider_url",
        "shipping_provider_secret",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        parse_networks(value)
        return value

    @field_validator("stripe_secret_key")
    @classmethod
    def _is_a_secret_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(
            r"(sk|rk)_(test|live)_[A-Za-z0-9_]+", value.get_secret_value()
        ):
            raise ValueError("begins with sk_test_, sk_live_, rk_test_ or rk_live_")
        return value

    @field_validator("stripe_webhook_secret")
    @classmethod
    def _are_webhook_secrets(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        secrets = value.get_secret_value().split(",") if value else []
        if info.data.get("stripe_secret_key") and not secrets:
            raise ValueError("is needed beside DAYBOOK_STRIPE_SECRET_KEY")
        if len(secrets) > 2 or not all(secret.strip().startswith("whsec_") for secret in secrets):
            raise ValueError("is one secret or two with a comma, each beginning with whsec_")
        return value

    @field_validator("stripe_publishable_key")
    @classmethod
    def _is_of_the_same_mode(cls, value: str | None, info: ValidationInfo) -> str | None:
        secret = info.data.get("stripe_secret_key")
        if secret is None:
            return value
        mode = secret.get_secret_value()[3:7]
        if value is None or not value.startswith(f"pk_{mode}_"):
            raise ValueError(f"is needed beside DAYBOOK_STRIPE_SECRET_KEY, and begins with pk_{mode}_")
        return value

    @field_validator(
        "stripe_api_base", "stripe_return_url", "tax_provider_url", "shipping_provider_url", "vies_url"
    )
    @classmethod
    def _is_read_by_nobody_else(cls, value: str | None) -> str | None:
        if value is None:
            return value
        url = urlsplit(value)
        here = url.scheme == "http" and url.hostname in ("127.0.0.1", "localhost", "::1")
        if not url.hostname or not (url.scheme == "https" or here):
            raise ValueError("is an address that begins with https://, or with http:// on this machine")
        return value
