"""The settings that views are folded by: environment variables with the prefix `DAYBOOK_`."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from projections.views import recent, registry
from projections.views.time_zone import time_zone
from projections.views.view import View


def _known(name: str) -> str:
    time_zone(
        name
    )  # UnknownTimeZoneError is a ValueError: a wrong setting is refused where the process starts.
    return name


class ViewSettings(BaseSettings):
    """What is set of the views in Redis. Another setting is another read model of the views that use it,
    built beside the live one. `DAYBOOK_TIME_ZONE=Europe/London` sets `time_zone`."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", frozen=True)

    time_zone: Annotated[str, AfterValidator(_known)] = "UTC"
    """The shop's, by its IANA name: whose days and hours are counted."""

    visit_days: Annotated[int, Field(ge=1, le=3_650)] = recent.DAYS_DEFAULT
    """How long after its last view what a visit looked at is shown; then it is deleted."""

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Every view that lies in Redis."""
        return registry.views(time_zone(self.time_zone), visit_days=self.visit_days)
