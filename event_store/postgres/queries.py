"""The package's SQL, by name: each query is written as SQL, after a line `-- name --`."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_TITLE = re.compile(r"^-- (\w+) --$", re.MULTILINE)
_SUITS = re.compile(r"-- readable from (\d+), writable from (\d+)\n")


@cache
def queries() -> dict[str, str]:
    """Every named query of queries.sql."""
    _, *named = _TITLE.split(sql_file("queries.sql"))
    return {name: text.strip() for name, text in zip(named[::2], named[1::2], strict=True)}


@cache
def migrations() -> list[tuple[int, str, str]]:
    """Number, name and text of every migration, in order."""
    names = sorted(
        file.name for file in (resources.files(__package__) / "sql").iterdir() if file.name[:4].isdigit()
    )
    return [(int(name[:4]), name.removesuffix(".sql")[5:], sql_file(name)) for name in names]


def suits(migration: str) -> tuple[int, int] | None:
    """From which code on, by the last migration it knows, a migration's schema can be read, and written.

    As the migration's text states; None where it does not: only by code that knows it.
    """
    match = _SUITS.match(migration)
    return None if match is None else (int(match[1]), int(match[2]))


def sql_file(name: str) -> str:
    """The text of one file of sql/."""
    return (resources.files(__package__) / "sql" / name).read_text(encoding="utf-8")
