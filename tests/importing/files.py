"""Files to import, their import, and what a log then holds."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from aggregates.orders.events import CreditNoteIssued, OrderPlaced
from commands.importing.online_retail.identity import Identity
from commands.importing.online_retail.importer import OnlineRetailImport, Result
from commands.importing.progress import Progress
from commands.importing.reading.dates import DateForm
from commands.importing.reading.reading import read_file
from commands.importing.submitting import CHUNK_EVENTS
from event_store.records import EventLog
from tests.shop.facts import CODEC
from tests.shop.log import decoded

SMALL = Path(__file__).with_name("small.csv")
DATASETS = Path(os.environ.get("DAYBOOK_DATASETS") or Path(__file__).parents[2] / ".." / "shared" / "data")
FIRST_DAY = DATASETS / "online_retail" / "online_retail_2010-12-01.csv.gz"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def run(log: EventLog, path: Path, folder: Path, *, chunk_events: int = CHUNK_EVENTS) -> Result:
    """Imports the file; its list of rejects lies in `folder`."""
    with read_file(path) as reading:
        importing = OnlineRetailImport(
            log,
            CODEC,
            reading,
            lambda digest: folder / f"{digest}.csv",
            Progress(),
            chunk_events=chunk_events,
        )
        return asyncio.run(importing.run())


def read_through(path: Path, *, dates: DateForm | None = None) -> None:
    """Reads all of the file, as an import begins."""
    with read_file(path, dates=dates):
        pass


def written(folder: Path, *lines: str) -> Path:
    """A file of these lines below the header."""
    path = folder / "given.csv"
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return path


Streams = dict[str, list[tuple[str, str, str]]]


def streams(log: EventLog) -> Streams:
    """What every stream holds: all but positions, ids of commands and times of writing.

    Ids that follow from the log's secret are named after what they follow from, so that two logs compare.
    """
    identity = Identity(log.installation_secret())
    logged = decoded(log)
    names = {}
    for number in {
        event.number.partition("-")[0]
        for _, event in logged
        if isinstance(event, OrderPlaced | CreditNoteIssued)
    }:
        names[identity.order(number)] = f"order {number}"
        names[identity.fulfilment(number)] = f"fulfilment {number}"
        for part in range(1, 20):
            names[identity.credit_note(number, part)] = f"credit note {part} of {number}"
            names[identity.goods_return(number, part)] = f"return {part} of {number}"

    def named(text: str) -> str:
        return re.sub("[0-9a-f]{32}", lambda found: names.get(found.group(), found.group()), text)

    result: Streams = {}
    for recorded, _ in logged:
        content = (recorded.type, named(recorded.data.decode()), recorded.valid_at.isoformat())
        result.setdefault(named(recorded.stream), []).append(content)
    return result
