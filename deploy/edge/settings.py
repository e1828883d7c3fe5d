"""The edge's settings: environment variables with the prefix `DAYBOOK_`."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class EdgeSettings(BaseSettings):
    """Who may reach the servers from where."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True)

    operator_token: str | None = None
    """Without one every route is open to every client, so only this machine's own pages may."""
    cors_origins: str | None = None
    """Origins of the shop's pages, separated by commas; `*` is all. Unset: all where a token is set."""

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
