"""The edge's settings: environment variables with the prefix `DAYBOOK_`."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class EdgeSettings(BaseSettings):
    """Who may reach the servers from where."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True)

    operator_token: str | None = None
    """Without one every route is open to every client, so only this machine's own pages may."""
    cors_origins: str | None = None
    """Origins of the shop's pages, separated by commas; `*` is all. Unset: all where a token is set."""
    trusted_proxies: str | None = None
    """Addresses and networks of the proxies before us, separated by commas: of what they forward, the last
    address in X-Forwarded-For that is none of theirs is the client."""

    @property
    def proxies(self) -> list[str]:
        """The proxies one by one."""
        return _proxies(self.trusted_proxies)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, text: str | None) -> str | None:
        _proxies(text)
        return text

    @property
    def local_only(self) -> bool:
        """Whether names and pages of other machines are refused."""
        return not self.operator_token

    @property
    def allowed_origins(self) -> list[str]:
        """The origins one by one, local ones aside."""
        if self.cors_origins is None:
            return [] if self.local_only else ["*"]
        origins = (origin.strip().rstrip("/").lower() for origin in self.cors_origins.split(","))
        return [origin for origin in origins if origin]


def _proxies(text: str | None) -> list[str]:
    """Raises ValueError for what is neither an address nor a network."""
    named = [one.strip() for one in (text or "").split(",")]
    return [str(ip_network(one) if "/" in one else ip_address(one)) for one in named if one]
