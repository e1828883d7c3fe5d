"""Which providers there are, by the settings."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from commands.providers.choose import choose_providers
from commands.settings import Settings


def settings(folder: Path, **given: Any) -> Settings:
    return Settings(postgres_url="postgresql:///not-used", data_dir=folder, **given)


def test_a_provider_is_there_where_its_address_is_set(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with aclosing(choose_providers(settings(tmp_path, tax_provider_url=""))) as nobody:
            assert (nobody.tax, nobody.shipping, nobody.vies) == (None, None, None)
        url = "https://bridge.example/quote"
        given = settings(tmp_path, tax_provider_url=url, shipping_provider_url=url, vat_check="required")
        async with aclosing(choose_providers(given)) as all_of_them:
            assert None not in (all_of_them.tax, all_of_them.shipping, all_of_them.vies)

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["tax_provider_url", "shipping_provider_url", "vies_url"])
def test_a_secret_goes_over_no_open_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="https://"):
        settings(tmp_path, **{name: "http://bridge.example/quote"})


def test_a_vat_check_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="vat_check"):
        settings(tmp_path, vat_check="sometimes")
