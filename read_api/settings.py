"""The query side's settings: environment variables with the prefix `DAYBOOK_`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class QuerySettings(BaseSettings):
    """The query process's settings. `DAYBOOK_READ_PORT=9001` sets `read_port`."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True)

    redis_url: str
    elasticsearch_url: str | None = None
    """Where the search index lies; None: embedded, in the data folder."""
    data_dir: Path = Path(".daybook")
    """The embedded search index lies in its folder `index`."""
    host: str = "127.0.0.1"
    read_port: Annotated[int, Field(ge=0, le=65_535)] = 8001
    operator_token: str | None = None
    """With it set, customers' lists, dashboards and history are its bearer's; orders also their holders'."""

    low_stock: Annotated[int, Field(ge=0, le=1_000_000_000)] = 5
    """With so many units available, or fewer, a SKU's stock is low."""

    min_position_wait_seconds: Annotated[float, Field(ge=0, le=60)] = 2.0
    """How long a query waits for its view to reach `Daybook-Min-Position`."""
    access_log: bool = False
    """Whether each request is a log line. It costs about 15% of the product page's throughput."""
    stale_seconds: Annotated[int, Field(ge=0)] = 3_600
    """How old an answer may be that is given again while its store is away; 0: none is."""
    live_clients_max: Annotated[int, Field(ge=0, le=100_000)] = 5_000
    """How many may listen to carts, orders and products at once."""
    search_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Searches that run at once in the embedded index, which is read in threads."""

    @property
    def index_folder(self) -> Path:
        """Where the search index lies."""
        return self.data_dir / "index"
