"""A payment gateway without money: it answers like Stripe's test cards and keeps a ledger in SQLite.

The ledger is one file that all command processes share, as they would share Stripe. It is the only witness
of what a card was charged, so a test can count there.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from aggregates.kernel import Money, OrderId
from commands.gateways.gateway import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    GatewayAnswer,
    GatewayRefusal,
    GatewayTimeout,
    GatewayUnavailable,
    Refunded,
    Voided,
)

VISA = "pm_card_visa"
CHARGE_DECLINED = "pm_card_chargeDeclined"
AUTHENTICATION_REQUIRED = "pm_card_authenticationRequired"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY,
    request TEXT NOT NULL,  -- JSON: what was asked under the key
    answer TEXT NOT NULL    -- JSON: kind and facts
) STRICT;
CREATE TABLE IF NOT EXISTS charges (
    reference TEXT PRIMARY KEY,
    order_id TEXT NOT NULL,
    method TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    status TEXT NOT NULL,   -- authorized, action_required, declined, captured, voided
    captured INTEGER NOT NULL DEFAULT 0,
    refunded INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS charges_of_order ON charges (order_id);
"""
_ANSWERS: dict[str, type[GatewayAnswer]] = {
    kind.__name__: kind for kind in (Authorized, ActionNeeded, Declined, Captured, Voided, Refunded)
}
A = TypeVar("A", bound=GatewayAnswer)


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of the ledger; amounts in minor units."""

    reference: str
    order_id: OrderId
    method: str
    currency: str
    amount: int
    status: str
    captured: int
    refunded: int


class SandboxGateway:
    """The gateway over the ledger at `path`, which is made where it is missing."""

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        """Raises GatewayUnavailable where the file is no ledger: nothing is written over what lies there."""
        self._lock = threading.Lock()
        self._path = path
        until = time.monotonic() + busy_seconds
        with self._ledger_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._ledger = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
            while not self._prepared(last_try=time.monotonic() >= until):
                time.sleep(0.02)

    def close(self) -> None:
        """Closes the ledger; later calls raise GatewayUnavailable."""
        with self._lock:
            self._ledger.close()

    def authorize(
        self, *, key: str, method: str, amount: Money, order_id: OrderId
    ) -> Authorized | ActionNeeded | Declined:
        """Holds the amount, or not, by the method's name."""
        reference = f"ch_sandbox_{hashlib.sha256(key.encode()).hexdigest()[:24]}"

        def charge() -> Authorized | ActionNeeded | Declined:
            answer: Authorized | ActionNeeded | Declined
            match method:
                case "pm_card_visa":
                    answer, status = Authorized(reference), "authorized"
                case "pm_card_authenticationRequired":
                    answer, status = ActionNeeded(reference), "action_required"
                case "pm_card_chargeDeclined":
                    answer, status = Declined("card_declined"), "declined"
                case _:
                    answer, status = Declined("unknown_payment_method"), "declined"
            self._ledger.execute(
                "INSERT INTO charges (reference, order_id, method, currency, amount, status)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (reference, order_id, method, amount.currency, amount.amount, status),
            )
            return answer

        return self._once(key, ["authorize", method, amount.amount, amount.currency, order_id], charge)

    def capture(self, *, key: str, reference: str, amount: Money) -> Captured:
        """Takes the amount from what is authorized."""

        def take() -> Captured:
            charge = self._charge(reference)
            if charge.status != "authorized":
                raise GatewayRefusal(f"charge_{charge.status}")
            if amount.amount > charge.amount or amount.currency != charge.currency:
                raise GatewayRefusal("amount_too_large")
            self._ledger.execute(
                "UPDATE charges SET status = 'captured', captured = ? WHERE reference = ?",
                (amount.amount, reference),
            )
            return Captured()

        return self._once(key, ["capture", reference, amount.amount, amount.currency], take)

    def void(self, *, key: str, reference: str) -> Voided:
        """Gives up what is authorized or waits for the shopper."""

        def give_up() -> Voided:
            charge = self._charge(reference)
            if charge.status not in ("authorized", "action_required"):
                raise GatewayRefusal(f"charge_{charge.status}")
            self._ledger.execute("UPDATE charges SET status = 'voided' WHERE reference = ?", (reference,))
            return Voided()

        return self._once(key, ["void", reference], give_up)

    def refund(self, *, key: str, reference: str, amount: Money) -> Refunded:
        """Gives back from what was captured."""

        def give_back() -> Refunded:
            charge = self._charge(reference)
            if charge.status != "captured":
                raise GatewayRefusal(f"charge_{charge.status}")
            if amount.amount > charge.captured - charge.refunded or amount.currency != charge.currency:
                raise GatewayRefusal("amount_too_large")
            self._ledger.execute(
                "UPDATE charges SET refunded = refunded + ? WHERE reference = ?",
                (amount.amount, reference),
            )
            return Refunded()

        return self._once(key, ["refund", reference, amount.amount, amount.currency], give_back)

    def charges(self, order_id: OrderId | None = None) -> list[Charge]:
        """The ledger's charges, oldest first; of one order where one is named."""
        with self._lock, self._ledger_errors():
            rows = self._ledger.execute(
                f"{_SELECT} WHERE ? IS NULL OR order_id = ? ORDER BY rowid", (order_id, order_id)
            )
            return [Charge(*row) for row in rows]

    def _once(self, key: str, request: list[str | int], do: Callable[[], A]) -> A:
        """Does what a key asks for the first time, and repeats its answer after that."""
        with self._lock, self._ledger_errors(), self._transaction():
            request_json = json.dumps(request)
            row = self._ledger.execute("SELECT request, answer FROM calls WHERE key = ?", (key,)).fetchone()
            if row is None:
                answer = do()
                facts = {name: getattr(answer, name) for name in answer.__dataclass_fields__}
                self._ledger.execute(
                    "INSERT INTO calls (key, request, answer) VALUES (?, ?, ?)",
                    (key, request_json, json.dumps([type(answer).__name__, facts])),
                )
                return answer
            if row[0] != request_json:
                raise GatewayRefusal("idempotency_key_reused")
            try:
                kind, facts = json.loads(row[1])
                return _ANSWERS[kind](**facts)  # type: ignore[return-value]
            except (ValueError, LookupError, TypeError) as error:
                raise self._unavailable(error) from error

    def _prepared(self, *, last_try: bool) -> bool:
        """Whether the ledger is ready; False while another process opens it at the same moment.

        SQLite refuses the change to WAL at once then, whatever its busy time-out.
        """
        try:
            self._ledger.execute("PRAGMA journal_mode = WAL")
            self._ledger.execute("PRAGMA synchronous = FULL")  # what a card was charged outlives a power cut
            self._ledger.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            if last_try or not _is_busy(error):
                self._ledger.close()
                raise
            return False
        return True

    def _charge(self, reference: str) -> Charge:
        row = self._ledger.execute(f"{_SELECT} WHERE reference = ?", (reference,)).fetchone()
        if row is None:
            raise GatewayRefusal("unknown_charge")
        return Charge(*row)

    @contextmanager
    def _ledger_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                raise GatewayTimeout(str(error)) from error
            raise self._unavailable(error) from error
        except (sqlite3.Error, OSError) as error:  # Among them "Cannot operate on a closed database."
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> GatewayUnavailable:
        return GatewayUnavailable(f"the sandbox's ledger {self._path} cannot be used: {error}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._ledger.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._ledger.execute("ROLLBACK")
            raise
        self._ledger.execute("COMMIT")


_SELECT = "SELECT reference, order_id, method, currency, amount, status, captured, refunded FROM charges"


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # of extended codes the low byte is the kind
