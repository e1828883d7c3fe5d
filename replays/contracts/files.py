"""Where the contracts lie. They are generated from the event types (`python -m tests.docs.generate`)."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("schemas")

ASYNCAPI = Path(__file__).with_name("asyncapi.json")


def schema_file(name: str, number: int) -> Path:
    """Of the data of the events of a stored name, in the shape of that number."""
    return FOLDER / name / f"{number}.json"
