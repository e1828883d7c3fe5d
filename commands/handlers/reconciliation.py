"""What came of holding the gateway's balance report against our payments."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import ClassVar

from aggregates.payments import gateway
from aggregates.payments.events import BalanceReconciled
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReconciliation:
    """Write down the outcome of a reconciliation; see BalanceReconciled."""

    name: ClassVar = "record_reconciliation"
    gateway: str
    since: datetime  # UTC
    until: datetime  # UTC
    lines: int = 0
    healed: int = 0
    left: int = 0
    failure: str | None = None


def handle_record_reconciliation(cache: StateCache, command: RecordReconciliation) -> Decision:
    """Each time, for the same time also: what is left may have become less."""
    stream = gateway.reconciliation_stream(command.gateway)
    decision = Decision(id=command.gateway, stream=stream)
    cache.state(stream)
    decision.add(stream, (BalanceReconciled(**asdict(command)),))
    return decision


HANDLERS: Handlers = {RecordReconciliation: handle_record_reconciliation}
