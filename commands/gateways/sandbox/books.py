"""The sandbox's books: a Stripe of our own over one file, in calls that block.

Every call is done once for its key, which lives for a day, and may be hit by a fault that a test has planted.
What happens at Stripe without a call of ours (a shopper's proof, a dispute, a lapse) has methods here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from aggregates.kernel import OrderId
from commands.gateways.gateway import GatewayRefusal
from commands.gateways.sandbox import objects
from commands.gateways.sandbox.ledger import Ledger
from commands.gateways.sandbox.objects import Object, packed, unpacked
from commands.gateways.sandbox.operations import Parameters, perform
from commands.gateways.sandbox.payments import Payments, Refused
from commands.gateways.stripe_amounts import from_stripe

KEY_SECONDS = 24 * 3600
EVENT_SECONDS = 30 * 24 * 3600

FaultKind = Literal[
    "lost_before",  # the connection ends without an answer; nothing was done
    "lost_after",  # the same; it was done
    "reset",  # the connection is reset; nothing was done
    "500",  # stored under the key; nothing was done
    "500_done",  # stored under the key; it was done
    "429",
    "409",  # the key's first call is still under way
    "401",
    "garbled",  # done; the answer is not JSON
    "slow",  # done; the answer takes its time
    "dripped",  # done; the answer comes byte by byte for that time
]
T = TypeVar("T")

_STATUS = {
    "requires_payment_method": "declined",
    "requires_action": "action_required",
    "requires_capture": "authorized",
    "succeeded": "captured",
    "canceled": "voided",
}
_FAULTS: dict[str, tuple[int, Object]] = {
    "500": (500, {"type": "api_error", "message": "An unknown error occurred"}),
    "429": (429, {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"}),
    "409": (409, {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "In progress"}),
    "401": (401, {"type": "invalid_request_error", "message": "Invalid API Key provided"}),
}
_NEVER_BEGUN = ("429", "409", "401", "lost_before", "reset")


@dataclass(frozen=True, slots=True)
class Charge:
    """A payment in one line; amounts in our minor units."""

    reference: str
    order_id: OrderId
    method: str
    currency: str
    amount: int
    status: str  # authorized, action_required, declined, captured, voided, lapsed
    captured: int
    refunded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a call is answered; `fault` says how the answer fails to arrive."""

    status: int
    body: Object
    request_id: str
    replayed: bool = False
    fault: FaultKind | None = None
    delay_seconds: float = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event that is due at the webhook."""

    number: int
    body: bytes
    created: int  # seconds since 1970
    attempts: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A movement of our balance; by its number, later ones have higher ones."""

    number: int
    transaction: Object
    source: Object  # the charge, refund or dispute
    payment: Object


class Books:
    """The books at `path`, which are made where they are missing; several processes may share them."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        webhook_secret: str | None = None,
        busy_seconds: float = 5.0,
    ) -> None:
        """Without a secret for its news it uses one that it made with the file. GatewayUnavailable."""
        self._ledger = Ledger(path, busy_seconds=busy_seconds)
        self._clock = clock
        self._secret = self._ledger.setting("secret") or ""
        self.webhook_secret = webhook_secret or self._ledger.setting("webhook_secret") or ""

    def close(self) -> None:
        """Later calls raise GatewayUnavailable."""
        self._ledger.close()

    # Calls

    def request(self, operation: str, parameters: Parameters, *, key: str | None = None) -> Reply:
        """Does a call, or repeats what its key was answered. GatewayUnavailable where the file is away."""
        with self._ledger.transaction():
            fault, seconds = self._next_fault(operation)
            request_id = f"req_{secrets.token_hex(7)}"
            if fault in _NEVER_BEGUN:
                status, error = _FAULTS.get(fault, _FAULTS["500"])
                return Reply(status=status, body={"error": error}, request_id=request_id, fault=fault)
            reply = self._stored(operation, parameters, key) if key else None
            if reply is None:
                reply = self._do(operation, parameters, key, request_id, fault)
        objects.shown(reply.body, self._secret)
        return Reply(
            status=reply.status,
            body=reply.body,
            request_id=reply.request_id,
            replayed=reply.replayed,
            fault=fault,
            delay_seconds=seconds,
        )

    def together(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """Makes several calls with one write to the disk; an exception stands in its call's place."""
        results: list[Any] = []
        with self._ledger.transaction():
            for call in calls:
                try:
                    results.append(call())
                except Exception as error:  # raised where the call was asked for
                    results.append(error)
        return results

    def client_secret(self, reference: str) -> str:
        """What lets the shopper act on the payment."""
        return objects.client_secret(reference, self._secret)

    def plant(self, operation: str, kind: FaultKind, *, times: int = 1, seconds: float = 0) -> None:
        """Has the next calls of the operation fail: `plant("refunds.create", "lost_after")`."""
        with self._ledger.transaction():
            for _ in range(times):
                self._ledger.write(
                    "INSERT INTO faults (operation, kind, seconds) VALUES (?, ?, ?)",
                    (operation, kind, seconds),
                )

    def clear_faults(self) -> bool:
        """Takes back all that was planted; whether there was anything."""
        with self._ledger.transaction():
            planted = bool(self._ledger.rows("SELECT 1 FROM faults LIMIT 1"))
            self._ledger.write("DELETE FROM faults")
            return planted

    # What shoppers, banks and operators at the dashboard do. GatewayRefusal for what cannot be.

    def shopper_passes(self, reference: str) -> None:
        """The shopper proves who they are, and the bank is asked."""
        with self._by_itself(reference) as (payments, intent):
            if intent["status"] != "requires_action":
                raise GatewayRefusal("payment_intent_unexpected_state")
            payments.attempt(intent, intent["payment_method"], proved=True)

    def shopper_fails(self, reference: str) -> None:
        """The shopper does not prove who they are; they may try again."""
        with self._by_itself(reference) as (payments, intent):
            payments.fail_proof(intent)

    def shopper_pays_with(self, reference: str, method: str) -> None:
        """The shopper, who holds the client secret, tries a card."""
        with self._by_itself(reference) as (payments, intent):
            payments.attempt(intent, method)

    def hold_lapses(self, reference: str) -> None:
        """The bank holds the money no longer."""
        with self._by_itself(reference) as (payments, intent):
            payments.lapse(intent)

    def refund_settles(self, refund: str) -> None:
        """A pending refund reaches the card."""
        with self._ledger.transaction():
            payments = self._payments()
            payments.settle_refund(payments.load(refund, "refund"), failed=False)

    def refund_fails(self, refund: str) -> None:
        """A refund comes back, pending or not."""
        with self._ledger.transaction():
            payments = self._payments()
            payments.settle_refund(payments.load(refund, "refund"), failed=True)

    def refund_in_dashboard(self, reference: str, amount: int) -> str:
        """An operator gives money back at the gateway; returns the refund's name. Stripe's units."""
        with self._by_itself(reference) as (payments, intent):
            return str(payments.refund(intent, amount, {})["id"])

    def dispute(self, reference: str, amount: int, *, inquiry: bool = False) -> str:
        """The card holder disputes an amount (Stripe's units); returns the dispute's name."""
        with self._by_itself(reference) as (payments, intent):
            if not intent["amount_received"]:
                raise GatewayRefusal("payment_intent_unexpected_state")
            charge = payments.load(intent["latest_charge"], "charge")
            return str(payments.dispute(charge, amount, inquiry=inquiry)["id"])

    def dispute_becomes(self, dispute: str, status: str) -> None:
        """The bank decides: won, lost, warning_closed; on the way under_review, appeal_under_review…"""
        with self._ledger.transaction():
            payments = self._payments()
            payments.move_dispute(payments.load(dispute, "dispute"), status)

    def dispute_won(self, dispute: str) -> None:
        """The money comes back, the fee does not."""
        self.dispute_becomes(dispute, "won")

    def dispute_lost(self, dispute: str) -> None:
        """The money stays gone; after a dispute that was won it goes again."""
        self.dispute_becomes(dispute, "lost")

    def pay_out(self) -> None:
        """The gateway pays our balance out, as it does by itself each day; only the news of it is kept."""
        with self._ledger.transaction():
            self._payments().pay_out()

    # What there is to see

    def charges(self, order_id: OrderId | None = None) -> list[Charge]:
        """A line per payment, oldest first; of one order where one is named."""
        with self._ledger.transaction():
            rows = self._ledger.rows(
                "SELECT id FROM objects WHERE kind = 'payment_intent'"
                f"{'' if order_id is None else ' AND order_id = ?'} ORDER BY rowid",
                () if order_id is None else (order_id,),
            )
            payments = self._payments()
            return [_line(payments, payments.load(identity)) for (identity,) in rows]

    def objects(self, reference: str, kind: str) -> list[Object]:
        """A payment's charges, refunds, disputes or balance transactions, in Stripe's shape, oldest first."""
        with self._ledger.transaction():
            return self._payments().of_payment(reference, kind)

    def moved(self, since: datetime, until: datetime, *, after: int = 0, limit: int = 500) -> list[Moved]:
        """Movements of our balance in that time, in the order in which they were made; a page of them."""
        with self._ledger.transaction():
            rows = self._ledger.rows(
                "SELECT rowid, payment, body FROM objects WHERE kind = 'balance_transaction'"
                " AND created >= ? AND created < ? AND rowid > ? ORDER BY rowid LIMIT ?",
                (int(since.timestamp()), int(until.timestamp()), after, limit),
            )
            payments = self._payments()
            moved = [(number, payment, unpacked(body)) for number, payment, body in rows]
            return [
                Moved(number, one, payments.load(one["source"]), payments.load(payment))
                for number, payment, one in moved
            ]

    def events(self, since: datetime, *, echoes: bool = True) -> list[Object]:
        """The events since a moment, oldest first; without `echoes` those of our own calls are left out."""
        rows = self._ledger.rows(
            f"SELECT body FROM events WHERE created >= ?{'' if echoes else ' AND by_itself = 1'}"
            " ORDER BY created, number",
            (int(since.timestamp()),),
        )
        return [objects.shown(unpacked(body), self._secret) for (body,) in rows]

    # The way to the webhook

    def sweep(self) -> None:
        """Lets holds lapse that are over; forgets keys after a day and events after thirty."""
        now = self._now()
        with self._ledger.transaction():
            over = self._ledger.rows(
                "SELECT id FROM objects INDEXED BY holds WHERE kind = 'payment_intent'"
                " AND json_extract(body, '$.status') = 'requires_capture' AND created <= ?",
                (now - objects.HOLD_SECONDS,),
            )
            for (reference,) in over:
                self._payments().load(reference)
            self._ledger.write("DELETE FROM calls WHERE created <= ?", (now - KEY_SECONDS,))
            self._ledger.write("DELETE FROM events WHERE created < ?", (now - EVENT_SECONDS,))

    def due(self, *, echoes: bool, late_seconds: float = 0, limit: int = 100) -> list[Outgoing]:
        """The events to be delivered now, oldest first; with `echoes` those of our own calls too."""
        rows = self._ledger.rows(
            "SELECT number, body, created, attempts FROM events WHERE delivered = 0"
            f"{'' if echoes else ' AND by_itself = 1'} AND due <= ? ORDER BY number LIMIT ?",
            (self._clock().timestamp() - late_seconds, limit),
        )
        return [
            Outgoing(number, packed(objects.shown(unpacked(body), self._secret)).encode(), *rest)
            for number, body, *rest in rows
        ]

    def delivered(self, number: int) -> None:
        """The webhook has taken the event."""
        self._ledger.write("UPDATE events SET delivered = 1 WHERE number = ?", (number,))

    def not_delivered(self, number: int, *, again_seconds: float | None) -> None:
        """The webhook has not taken it; it is due again after that time, or never."""
        due = self._clock().timestamp() + (again_seconds or 0)
        self._ledger.write(
            "UPDATE events SET attempts = attempts + 1, due = ?, delivered = ? WHERE number = ?",
            (due, 2 if again_seconds is None else 0, number),
        )

    def set_webhook_endpoints(self, endpoints: Sequence[Object]) -> None:
        """What `webhook_endpoints.list` shows."""
        self._ledger.set("webhook_endpoints", packed(list(endpoints)))

    @property
    def clock(self) -> Callable[[], datetime]:
        """The books' clock: keys and holds grow old by it."""
        return self._clock

    # How a key's answer is kept

    def _do(
        self, operation: str, parameters: Parameters, key: str | None, request_id: str, fault: str | None
    ) -> Reply:
        """Does the call and stores its answer under the key."""
        stored = True
        if fault == "500":
            status, body = 500, {"error": _FAULTS["500"][1]}
        else:
            try:
                status, body = perform(self._payments(request_id, key), operation, parameters)
            except Refused as refused:
                status, body, stored = refused.status, refused.body, refused.stored
            if fault == "500_done":
                status, body = 500, {"error": _FAULTS["500"][1]}
        if key and stored:
            self._ledger.write(
                "INSERT OR REPLACE INTO calls (key, created, request, status, body, request_id)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (key, self._now(), _request(operation, parameters), status, packed(body), request_id),
            )
        return Reply(status=status, body=body, request_id=request_id)

    def _stored(self, operation: str, parameters: Parameters, key: str) -> Reply | None:
        row = self._ledger.row(
            "SELECT request, status, body, request_id FROM calls WHERE key = ? AND created > ?",
            (key, self._now() - KEY_SECONDS),
        )
        if row is None:
            return None
        request, status, body, request_id = row
        # A call from the ledger of the code before is stored with its operation only.
        if request not in (_request(operation, parameters), packed([operation])):
            message = "Keys for idempotent requests can only be used with the same parameters."
            error = {"type": "idempotency_error", "message": message}
            return Reply(status=400, body={"error": error}, request_id=f"req_{secrets.token_hex(7)}")
        try:
            return Reply(status=status, body=unpacked(body), request_id=request_id, replayed=True)
        except ValueError as error:
            raise self._ledger.unusable(error) from error

    def _next_fault(self, operation: str) -> tuple[FaultKind | None, float]:
        row = self._ledger.row(
            "SELECT number, kind, seconds FROM faults WHERE operation = ? ORDER BY number LIMIT 1",
            (operation,),
        )
        if row is None:
            return None, 0
        self._ledger.write("DELETE FROM faults WHERE number = ?", (row[0],))
        return row[1], row[2]

    @contextmanager
    def _by_itself(self, reference: str) -> Iterator[tuple[Payments, Object]]:
        with self._ledger.transaction():
            payments = self._payments()
            yield payments, payments.load(reference, "payment_intent")

    def _payments(self, request_id: str | None = None, key: str | None = None) -> Payments:
        return Payments(self._ledger, self._now(), request_id, key)

    def _now(self) -> int:
        return int(self._clock().timestamp())


def _request(operation: str, parameters: Parameters) -> str:
    return packed([operation, parameters])


def _line(payments: Payments, intent: Object) -> Charge:
    def ours(amount: int) -> int:
        return from_stripe(amount, intent["currency"]).amount

    refunds = payments.of_payment(intent["id"], "refund")
    lapsed = intent["cancellation_reason"] == "expired"
    return Charge(
        reference=intent["id"],
        order_id=intent["metadata"].get("order", ""),
        method=intent["payment_method"] or "",
        currency=intent["currency"].upper(),
        amount=ours(intent["amount"]),
        status="lapsed" if lapsed else _STATUS[intent["status"]],
        captured=ours(intent["amount_received"]),
        refunded=ours(sum(one["amount"] for one in refunds if one["status"] not in ("failed", "canceled"))),
    )
