"""The projector's settings: environment variables with the prefix `DAYBOOK_`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The projector's settings. `DAYBOOK_PROJECTOR_SHARDS=16` sets `projector_shards`."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True)

    postgres_url: str
    redis_url: str
    elasticsearch_url: str | None = None
    """Where the search index lies; None: embedded, in the data folder."""
    data_dir: Path = Path(".daybook")
    events_from: Literal["log", "kafka"] = "log"
    """Where events are read: from the log's database, or from Kafka's ordered topic, which a relay fills."""
    state_topics: bool = True
    """Whether products, orders and stock are published as compacted topics, too, where Kafka is named. Their
    documents are then in the projector's memory."""
    projector_shards: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Over how many shards each view is cut; another number builds every view anew. None: as many as it has,
    or 1."""
    projector_kept_hours: Annotated[float, Field(ge=0)] = 24.0
    """For so long the version of a view that was read before a rebuild is kept for rolling back."""
    projector_metrics_port: int | None = None
    """Where `/metrics` and `/health/…` are served, on `host`; None: nowhere."""
    host: str = "127.0.0.1"
    log_level: str = "info"
    """`debug` has a line for each event."""


class RelaySettings(BaseSettings):
    """The settings of `daybook serve relay`, beside those of Kafka (`event_store.kafka.settings`)."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True)

    postgres_url: str
    relay_metrics_port: int | None = None
    """Where `/metrics` and `/health/…` are served, on `host`; None: nowhere."""
    host: str = "127.0.0.1"
