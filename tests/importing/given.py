"""Files to import, logs to import them into, and what can be asked of both."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from aggregates.event_types import EVENT_TYPES
from commands.importing.importer import OnlineRetailImport, Result
from commands.importing.progress import Progress
from event_store.codec import Codec
from event_store.memory_log import MemoryLog
from event_store.records import EventLog, EventReader

SMALL = Path(__file__).with_name("small.csv")
DATASETS = Path(os.environ.get("DAYBOOK_DATASETS") or Path(__file__).parents[2] / ".." / "shared" / "data")
FIRST_DAY = DATASETS / "online_retail" / "online_retail_2010-12-01.csv.gz"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
CODEC = Codec(EVENT_TYPES)


def run(log: EventLog, path: Path, folder: Path) -> Result:
    """Imports the file; its list of lines aside lies in `folder`."""
    importing = OnlineRetailImport(log, CODEC, path, lambda digest: folder / f"{digest}.csv", Progress())
    return asyncio.run(importing.run())


def written(folder: Path, *lines: str) -> Path:
    """A file of these lines below the header."""
    path = folder / "given.csv"
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return path


def events(log: EventReader, *, stream: str | None = None) -> list[Any]:
    """Every event of the log, or of one stream, in order."""
    if stream is not None:
        return [CODEC.decode(recorded) for recorded in log.read_stream(stream)]
    result: list[Any] = []
    after = 0
    while page := log.read_all(after=after, limit=5_000):
        result += [CODEC.decode(recorded) for recorded in page]
        after = page[-1].position
    return result


def told(log: EventReader, kind: type[Any], **fields: Any) -> list[Any]:
    """The log's events of a kind whose fields have these values."""
    return [
        event
        for event in events(log)
        if isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())
    ]


def streams(log: EventReader) -> dict[str, list[tuple[str, bytes, str]]]:
    """What every stream says, apart from positions, ids of commands and the time of writing."""
    result: dict[str, list[tuple[str, bytes, str]]] = {}
    after = 0
    while page := log.read_all(after=after, limit=5_000):
        for recorded in page:
            said = (recorded.type, recorded.data, recorded.valid_at.isoformat())
            result.setdefault(recorded.stream, []).append(said)
        after = page[-1].position
    return result


def memory_log() -> EventLog:
    """An empty log."""
    return MemoryLog()
