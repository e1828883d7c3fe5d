"""The migrations that were given out, by digest: `python -m tests.event_store.given_out` adds new ones.

A migration that ran on somebody's log never runs there again, so changing its text changes nothing there:
what is to be different is a migration of its own. Nothing recorded here is ever written anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from event_store.postgres.queries import migrations

FILE = Path(__file__).with_name("given_out.json")

Migration = tuple[int, str, str]
"""Number, name and text."""


def faults(there: Iterable[Migration], file: Path = FILE) -> list[str]:
    """What is wrong between the migrations there are and those that were given out."""
    given_out: dict[str, str] = json.loads(file.read_text())
    present = {_name(migration): _digest(migration) for migration in there}
    gone = [f"{name} was given out, and is not there" for name in given_out if name not in present]
    changed = [
        f"{name} was given out with another text: write a new one"
        for name, digest in present.items()
        if given_out.get(name, digest) != digest
    ]
    new = [f"{name} is not recorded as given out" for name in present if name not in given_out]
    return gone + changed + new


def record_new(there: Iterable[Migration], file: Path = FILE) -> None:
    """Records those that are not yet."""
    given_out: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    recorded = {_name(migration): _digest(migration) for migration in there} | given_out
    file.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


def _name(migration: Migration) -> str:
    return f"{migration[0]:04} {migration[1]}"


def _digest(migration: Migration) -> str:
    return hashlib.sha256(migration[2].encode()).hexdigest()


if __name__ == "__main__":
    record_new(migrations())
    print(*faults(migrations()), sep="\n")
