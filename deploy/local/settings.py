"""The settings of `daybook up`: environment variables with the prefix `DAYBOOK_`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]  # 0: a free one


class LocalSettings(BaseSettings):
    """The local system's settings; an address that is given replaces the server of our own."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True)

    host: str = "127.0.0.1"
    commands_port: Port = 8000
    read_port: Port = 8001
    postgres_url: str | None = None
    redis_url: str | None = None
    elasticsearch_url: str | None = None
    kafka_bootstrap: str | None = None
    operator_token: str | None = None


class RateLimitSettings(BaseSettings):
    """How much of both APIs, together, one client may use."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True)

    rate_limit: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """How much one client may ask for in a minute, in units: a product page is 1, a search 5, a checkout 10;
    0: no limit. A client is an address (of IPv6, a network of 64 bits), or the operator."""
    redis_url: str | None = None
    """Where the budgets lie; None: each process has its own."""
    operator_token: str | None = None


class QueryProcessSettings(BaseSettings):
    """The query process's settings beside the read API's own: how to reach the log, to read it."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True)

    postgres_url: str
    demo_marker: Path | None = None
    """While this file is missing, the demo shop is still being filled and `ready` answers 503."""
    event_listeners_max: Annotated[int, Field(ge=0)] = 1_000
    """Event streams that may be open at once; later clients get a 503."""
