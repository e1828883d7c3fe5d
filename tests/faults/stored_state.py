"""Compares the log, the card ledger and the views with what was acknowledged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from aggregates.event_types import EVENT_TYPES
from aggregates.orders.events import OrderCanceled, OrderConfirmed, OrderPlaced
from commands.gateways.sandbox import SandboxGateway
from event_store.codec import Codec
from event_store.postgres.log import PostgresLog
from event_store.records import RecordedEvent
from projections.cli import NAMES
from projections.operate import run_action
from projections.status import ViewStatus, view_statuses
from replays.verification.findings import Finding
from replays.verification.verify import verify
from tests.faults.shoppers import Bought
from tests.waiting import wait_until

CODEC = Codec(EVENT_TYPES)
PAGE_EVENTS = 5_000

Fact = tuple[RecordedEvent, Any]


class StoredState:
    """Reads one system's stores by their addresses; the log with a connection that may only read."""

    def __init__(self, *, postgres_url: str, redis_url: str, data: Path) -> None:
        self.redis_url = redis_url
        self._addresses = {"postgres_url": postgres_url, "redis_url": redis_url, "data_dir": data}
        self._data = data
        self.log = PostgresLog.open(postgres_url, read_only=True)
        self._ledger = SandboxGateway(data / "sandbox.sqlite")

    def close(self) -> None:
        self.log.close()
        self._ledger.close()

    def facts(self, *, after: int = 0) -> list[Fact]:
        """Every event with what it decodes to."""
        found: list[Fact] = []
        while page := self.log.read_all(after=after, limit=PAGE_EVENTS):
            found += [(recorded, CODEC.decode(recorded)) for recorded in page]
            after = page[-1].position
        return found

    def stream(self, name: str) -> list[Any]:
        """One stream's events."""
        return [CODEC.decode(recorded) for recorded in self.log.read_stream(name)]

    def holds(self, bought: Sequence[Bought], *, skus: Sequence[str]) -> None:
        """These, and no others, are the orders for these SKUs: complete, once, paid once, and decided."""
        self._wait_decided([one.order_id for one in bought])
        facts = self.facts()
        placed = {
            event.order_id: (recorded, event)
            for recorded, event in facts
            if isinstance(event, OrderPlaced) and not {line.sku for line in event.lines}.isdisjoint(skus)
        }
        assert Counter(placed.keys()) == Counter(one.order_id for one in bought)
        by_position = {recorded.position: recorded for recorded, _ in facts}
        for one in bought:
            recorded, event = placed[one.order_id]
            assert event.cart_id == one.cart_id
            units: Counter[str] = Counter()
            for line in event.lines:
                units[line.sku] += line.quantity
            assert units == one.units, one
            assert by_position[one.position].command_id == recorded.command_id, one
            charges = self._ledger.charges(one.order_id)
            assert [(charge.amount, charge.status) for charge in charges] == [
                (event.total.amount, "authorized")
            ]

    def verifies(self) -> None:
        """Nothing in the log breaks a rule."""
        findings: list[Finding] = []
        verify(self.log, CODEC, report=findings.append)
        assert findings == []

    def wait_views(self, position: int, *, but: Collection[str] = ()) -> None:
        """Until readers find every view, `but` these, at the position or beyond."""
        behind: list[ViewStatus] = []

        def reached() -> bool:
            every = view_statuses(self.log, self.redis_url, self._data)
            behind[:] = [
                one
                for one in every
                if one.view not in but and (one.version is None or one.position < position)
            ]
            return not behind

        wait_until(reached, why=lambda: f"not at {position}: {behind}")

    def views_equal_a_rebuild(self) -> None:
        """Every view, the index included, is byte for byte what the log makes of it."""
        ended = run_action("rebuild", NAMES, **self._addresses, report=lambda _: None)  # type: ignore[arg-type]
        assert {progress.view: progress.state for progress in ended} == dict.fromkeys(NAMES, "done"), ended
        assert {progress.view: progress.differing_keys or [] for progress in ended} == {
            name: [] for name in NAMES
        }
        assert all(progress.documents is not None for progress in ended), ended

    def _wait_decided(self, orders: Sequence[str]) -> None:
        undecided = set(orders)
        after = 0

        def decided() -> bool:
            nonlocal after
            for recorded, event in self.facts(after=after):
                after = recorded.position
                if isinstance(event, OrderConfirmed | OrderCanceled):
                    undecided.discard(event.order_id)
            return not undecided

        wait_until(decided, why=lambda: f"undecided: {sorted(undecided)}")
