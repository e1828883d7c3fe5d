"""How long a caller asks to be kept waiting, as RFC 7240 spells it."""

from __future__ import annotations

import pytest

from commands.http.requests import WAIT_SECONDS_MAX, wait_seconds


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        ("respond-async", None),
        ("await=3", None),
        ("wait=3.5", None),
        ("wait=3", 3),
        ("handling=strict, Wait = 3; x", 3),
        ('respond-async, wait="3"', 3),
        ("wait=600", WAIT_SECONDS_MAX),
    ],
)
def test_the_seconds_of_a_preference_are_found_however_it_is_spelt(
    prefer: str | None, seconds: float | None
) -> None:
    assert wait_seconds(prefer) == seconds
