"""What every fold makes of fixed logs, as digests. `python -m tests.golden.folds` keeps those of today.

A changed fold must not go unseen: a view whose model number stays the same would not be built anew, and
would show what no rebuild gives. So the command keeps no digest of a view that changed under its old number.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from aggregates.event_types import EVENT_TYPES
from aggregates.folds import KINDS, kind_of
from event_store.codec import Codec
from event_store.records import EventReader, RecordedEvent
from projections.engine.follower import Decoded
from projections.views import search
from projections.views.registry import VIEWS
from projections.views.view import View
from tests.projections.memory_views import MemoryView

FOLDER = Path(__file__).parent
FILE = FOLDER / "folds.json"
LOGS = (
    FOLDER.parent / "upgrades" / "schema_5" / "events.copy.gz",  # every step of a payment, and an import
    FOLDER / "payments.copy.gz",  # what a gateway tells: refunds, disputes, holds that lapse, what is owed
    FOLDER / "reconciliation.copy.gz",  # payouts, and what was left when the balance was held against ours
    FOLDER / "bustle.copy.gz",  # prices finer than a penny, currencies, charges, changed carts
    FOLDER / "prices.copy.gz",  # prices of lists and schedules, and a cart that is priced by rules
    FOLDER / "explained.copy.gz",  # an order with a discount, a gift, shipping and tax, and what it claims
    FOLDER / "promotions.copy.gz",  # coupons, claims, batches, and what is known of customers
    FOLDER / "coupons.copy.gz",  # a batch that was completed, one that was not, a coupon revoked
    FOLDER / "list_end.copy.gz",  # a price list that ended, and the prices that were withdrawn for it
    FOLDER / "terms.copy.gz",  # rules of sale, defined, replaced and retired
    FOLDER / "visits.copy.gz",  # views of products, and orders of more products than count together
    FOLDER / "conversion.copy.gz",  # visits, carts, orders of carts and canceled ones, around midnights
    FOLDER / "credit.copy.gz",  # gift cards and store credit: opened, used, given back, blocked, expired
    FOLDER / "webhooks.copy.gz",  # endpoints: registered, changed, disabled, enabled, rotated, deleted
    FOLDER / "sold_cards.copy.gz",  # gift cards that an order sold, and whose money it gave back
)
COMMAND = "python -m tests.golden.folds"

Digests = dict[str, Any]
"""`logs`: what was folded. `views`: model and digest by name. `states`: a digest by kind of stream."""


def fixed_log(file: Path, codec: Codec) -> list[Decoded]:
    """The events of a file as PostgreSQL's COPY wrote the table, personal data None."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        events = sorted(map(_recorded, csv.reader(lines, "excel-tab", quoting=csv.QUOTE_NONE)), key=_position)
    return [Decoded(recorded, codec.decode(recorded)) for recorded in events]


def write_down(log: EventReader, file: Path) -> None:
    """Makes such a file of a log: for a kind of event that none of them has. Those that there are stay."""
    with gzip.GzipFile(file, "wb", mtime=0) as rows:
        for event in log.read_all(after=0, limit=10_000):
            valid_at = None if event.valid_at == event.recorded_at else event.valid_at
            row = (
                *(event.position, event.stream, event.version, event.type, event.schema_number),
                *(f"\\\\x{event.data.hex()}", event.command_id, event.correlation, event.causation),
                *(event.actor, event.recorded_at, valid_at),
            )
            rows.write(("\t".join("\\N" if one is None else str(one) for one in row) + "\n").encode())


def digests() -> Digests:
    """Of today's code."""
    logs = [fixed_log(file, Codec(EVENT_TYPES)) for file in LOGS]
    views = {view.name: {"model": view.model, "digest": _digest(_drawn(view, logs))} for view in VIEWS}
    views["search"] = {"model": search.MODEL, "digest": _digest(_indexed(logs))}
    return {
        "logs": [hashlib.sha256(file.read_bytes()).hexdigest()[:32] for file in LOGS],
        "views": views,
        "states": {kind: _digest(_states(kind, logs)) for kind in KINDS},
    }


def unnumbered(now: Digests, recorded: Digests) -> list[str]:
    """Views that changed and whose model number is not a higher one; each with what to do."""
    if now["logs"] != recorded["logs"]:
        return []
    return [
        f"the view {name} folds to something else, and its model number is still {view['model']}: raise it"
        f" (`model` of its VIEW, MODEL of search), so that it is built anew, then run `{COMMAND}`"
        for name, view in now["views"].items()
        if (before := recorded["views"].get(name))
        and view["digest"] != before["digest"]
        and view["model"] <= before["model"]
    ]


def faults(now: Digests, recorded: Digests) -> list[str]:
    """What differs from what is kept; each with what to do."""
    found = unnumbered(now, recorded)
    if not found and now["views"] != recorded["views"]:
        names = [name for name, view in now["views"].items() if view != recorded["views"].get(name)]
        found.append(f"views have a new number, came or went ({', '.join(names)}): run `{COMMAND}`")
    names = [kind for kind, digest in now["states"].items() if digest != recorded["states"].get(kind)]
    if names or now["states"].keys() != recorded["states"].keys():
        found.append(
            f"streams fold to other states ({', '.join(names)}): where that is meant, run `{COMMAND}`;"
            " snapshots of before are passed over by themselves"
        )
    if now["logs"] != recorded["logs"]:
        found.append(f"the fixed logs are not those whose digests are kept: run `{COMMAND}`")
    return found


def _drawn(view: View, logs: list[list[Decoded]]) -> Iterator[bytes]:
    for log in logs:
        drawn = MemoryView(view)
        drawn.apply(log)
        for key, document in sorted(drawn.documents.items()):
            yield f"{key} ".encode() + document
        yield json.dumps([drawn.entries, drawn.ranking], sort_keys=True).encode()


def _indexed(logs: list[list[Decoded]]) -> Iterator[bytes]:
    for log in logs:
        products: dict[str, search.IndexedProduct] = {}
        for recorded, event in log:
            for sku, fact in search.facts(event, recorded):
                products[sku] = search.evolve(sku, products.get(sku), fact, recorded)
        for _, product in sorted(products.items()):
            yield msgspec.json.encode([product, product.is_on_sale, product.popularity])


def _states(kind: str, logs: list[list[Decoded]]) -> Iterator[bytes]:
    for log in logs:
        states: dict[str, Any] = {}
        for recorded, event in log:
            if recorded.stream.partition("-")[0] == kind:
                _, initial, evolve = kind_of(recorded.stream)
                states[recorded.stream] = evolve(states.get(recorded.stream) or initial(), event)
        for stream, state in sorted(states.items()):
            plain = msgspec.to_builtins(state, str_keys=True, order="deterministic")
            yield stream.encode() + msgspec.json.encode(plain)


def _digest(parts: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part + b"\n")
    return digest.hexdigest()[:32]


def _recorded(row: list[str]) -> RecordedEvent:
    position, stream, version, type_, number, data, command, correlation, causation, actor, at, valid = row
    recorded_at = datetime.fromisoformat(at)
    return RecordedEvent(
        position=int(position),
        stream=stream,
        version=int(version),
        type=type_,
        schema_number=int(number),
        data=bytes.fromhex(data.removeprefix("\\\\x")),
        command_id=UUID(command),
        correlation=None if correlation == "\\N" else correlation,
        causation=None if causation == "\\N" else causation,
        actor=actor,
        recorded_at=recorded_at,
        valid_at=recorded_at if valid == "\\N" else datetime.fromisoformat(valid),
    )


def _position(recorded: RecordedEvent) -> int:
    return recorded.position


def main() -> int:
    """Keeps today's digests, unless a view changed under its old number."""
    now = digests()
    wrong = unnumbered(now, json.loads(FILE.read_text())) if FILE.exists() else []
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)
        return 1
    FILE.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")
    print("kept:", FILE.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
