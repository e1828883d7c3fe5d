"""The ready-made views, as `views.sql` has them: a line `-- name --`, what it has, its SELECT."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple


class View(NamedTuple):
    """A question that is asked often."""

    name: str
    about: str
    select: str


@cache
def ready_made() -> tuple[View, ...]:
    """In an order in which each needs only those before it."""
    text = Path(__file__).with_name("views.sql").read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- (\w+) --\n", text, flags=re.MULTILINE)
    return tuple(_view(name, body) for name, body in zip(parts[::2], parts[1::2], strict=True))


def _view(name: str, body: str) -> View:
    lines = body.strip().splitlines()
    about = " ".join(line.removeprefix("-- ") for line in lines if line.startswith("-- "))
    return View(name, about, "\n".join(line for line in lines if not line.startswith("-- ")))
