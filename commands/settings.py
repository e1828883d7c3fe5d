"""The command side's settings: environment variables with the prefix `DAYBOOK_`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The command process's settings. `DAYBOOK_CART_LINES_MAX=50` sets `cart_lines_max`."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True)

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
    capture: Literal["fulfilment", "checkout"] = "fulfilment"
    """When money is captured: at the first fulfilment, or at once when authorized."""
    line_quantity_max: Annotated[int, Field(ge=1, le=10_000_000)] = 999
    """Units of one SKU in a cart."""
    cart_lines_max: Annotated[int, Field(ge=1, le=4_000)] = 999
    """Lines in a cart. Its checkout reads twice as many streams, of 10,000 that one command may read."""
    stock_quantity_max: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000_000
    """Units in one receipt or adjustment."""
    price_minor_max: Annotated[int, Field(ge=1, le=100_000_000_00)] = 100_000_000_00
    """A unit price or refund, in minor units."""
    demo_marker: Path | None = None
    """While this file is missing, the demo shop is still being filled and `ready` answers 503."""
