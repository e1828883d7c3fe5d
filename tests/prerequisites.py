"""Programs that some tests need and Daybook does not: the tests are skipped without, and fail in CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(program: str) -> NoReturn:
    """Skips the test, with a word; where CI is set every program is to be there, and the test fails."""
    if "CI" in os.environ:
        pytest.fail(f"there is no {program}, and CI needs it", pytrace=False)
    pytest.skip(f"there is no {program}")
