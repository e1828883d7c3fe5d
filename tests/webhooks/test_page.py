"""docs/webhooks.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from aggregates.webhooks.endpoints import ENDPOINTS_MAX
from aggregates.webhooks.events import DisabledCause
from commands.http.webhook_bodies import AttemptItem
from commands.settings import Settings
from commands.webhooks.calls import RESPONSE_CHARACTERS_KEPT
from commands.webhooks.lane import STRUGGLING_FROM
from commands.webhooks.message import MEDIA_TYPE
from commands.webhooks.retries import Retries

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
SECONDS = {"s": 1, "min": 60, "h": 3600}
SETTINGS = Settings(postgres_url="postgresql:///not-used")


def test_the_table_of_pauses_is_that_of_the_code() -> None:
    (row,) = re.findall(r"^\| pause \|(.*)\|$", PAGE, re.MULTILINE)
    cells = [cell.strip() for cell in row.split("|")]
    assert cells.pop() == "none"
    assert len(cells) == Retries().attempts_max - 1
    told = [int(number) * SECONDS[unit] for number, unit in (cell.split(" ") for cell in cells)]
    assert told == list(Retries().pauses)


def test_every_cause_and_outcome_is_on_the_page() -> None:
    causes = re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE)
    assert set(causes) == set(get_args(DisabledCause))
    (outcomes,) = re.findall(r"attempts: (.*) \|$", PAGE, re.MULTILINE)
    documented = AttemptItem.__doc__ or ""
    for outcome in re.findall(r"`(\w+)`", outcomes):
        assert outcome in documented, outcome


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    for told in (
        f"at most {ENDPOINTS_MAX}",
        f"within {SETTINGS.webhook_seconds:g} seconds (`DAYBOOK_WEBHOOK_SECONDS`)",
        f"{SETTINGS.webhook_log_days} days (`DAYBOOK_WEBHOOK_LOG_DAYS`)",
        f"{RESPONSE_CHARACTERS_KEPT} characters",
        f"nothing for {Retries().failing_max.days} days",
        MEDIA_TYPE,
    ):
        assert told in PAGE, told
    assert STRUGGLING_FROM == 5, "the page says five"
