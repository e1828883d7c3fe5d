"""What happens to payments: each change is stored with its events, within the caller's transaction."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from commands.gateways.gateway import GatewayRefusal
from commands.gateways.sandbox import objects
from commands.gateways.sandbox.cards import Card, card_of, method_of
from commands.gateways.sandbox.ledger import Ledger
from commands.gateways.sandbox.objects import Object, packed, unpacked
from commands.gateways.stripe_events import API_VERSION

MINIMUMS = {  # Stripe's, in its units; the sandbox settles every currency in itself
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip


_PAYABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


class Refused(GatewayRefusal):
    """What Stripe answers with an error; `body` is the answer."""

    def __init__(
        self, code: str, message: str, *, status: int = 400, stored: bool = True, **facts: Any
    ) -> None:
        super().__init__(code)
        self.status = status
        self.stored = stored  # under the key, since the call had begun
        error = {"code": code, "message": message, "type": "invalid_request_error", **facts}
        self.body: Object = {"error": error}


@dataclass(frozen=True, slots=True)
class Payments:
    """All payments, at one moment and for one request; `key` is None for what happens by itself."""

    ledger: Ledger
    now: int  # seconds since 1970
    request_id: str | None = None
    key: str | None = None

    # What is there.

    def load(self, identity: str, kind: str | None = None) -> Object:
        """An object of the kind; a hold that is over has lapsed by then. Refused for an unknown one."""
        row = self.ledger.row("SELECT kind, body FROM objects WHERE id = ?", (identity,))
        if row is None or (kind is not None and row[0] != kind):
            name = kind or "object"
            raise Refused("resource_missing", f"No such {name}: '{identity}'", status=404, stored=False)
        found: Object = unpacked(row[1])
        if found["object"] == "payment_intent" and self._is_over(found):
            self.lapse(found)
        return found

    def of_payment(self, intent_id: str, kind: str) -> list[Object]:
        """A payment's objects of a kind, oldest first."""
        rows = self.ledger.rows(
            "SELECT body FROM objects WHERE payment = ? AND kind = ? ORDER BY rowid", (intent_id, kind)
        )
        return [unpacked(body) for (body,) in rows]

    # What the shopper, the shop and the bank do.

    def create(
        self, *, amount: int, currency: str, metadata: dict[str, str], in_parts: bool, method: str | None
    ) -> Object:
        """A payment, tried at once where a method is given."""
        if amount < MINIMUMS.get(currency, 1):
            message = f"Amount must be at least {MINIMUMS.get(currency, 1)} {currency}"
            raise Refused("amount_too_small", message, stored=False, param="amount")
        if method is not None:
            _require_card(method)
        intent = objects.payment_intent(
            _identity("pi"),
            amount=amount,
            currency=currency,
            created=self.now,
            metadata=metadata,
            in_parts=in_parts,
        )
        self._save(intent, order_id=metadata.get("order"))
        self._emit("payment_intent.created", intent)
        if method is not None:
            self.attempt(intent, method)
        return intent

    def attempt(self, intent: Object, method: str, *, proved: bool = False) -> None:
        """The shopper pays with a card; `proved`: after proving who they are."""
        _require(intent, *_PAYABLE, call="confirm")
        card = _require_card(method)
        intent["payment_method"] = method_of(method)
        intent["next_action"] = None
        if card.asks_shopper and not proved:
            intent["status"] = "requires_action"
            intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
            self._save(intent)
            self._emit("payment_intent.requires_action", intent)
            return
        error = _decline(card, intent["payment_method"]) if card.declines else None
        charge = objects.charge(_identity("ch"), intent, created=self.now, error=error)
        intent["latest_charge"] = charge["id"]
        if error:
            error["charge"] = charge["id"]
        self._save(charge)
        self._emit("charge.failed" if error else "charge.succeeded", charge)
        if error:
            self._fail(intent, error)
            return
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        intent["last_payment_error"] = None
        self._save(intent)
        self._emit("payment_intent.amount_capturable_updated", intent)

    def fail_proof(self, intent: Object) -> None:
        """The shopper could not prove who they are; the bank was never asked, so there is no charge."""
        _require(intent, "requires_action", call="fail")
        message = "We are unable to authenticate your payment method."
        code = "payment_intent_authentication_failure"
        method = {"id": intent["payment_method"], "object": "payment_method", "type": "card"}
        self._fail(intent, {"code": code, "message": message, "payment_method": method, "type": "card_error"})

    def capture(self, intent: Object, amount: int | None, *, final: bool) -> None:
        """Takes the amount (None: all that is held); `final` releases the rest."""
        _require(intent, "requires_capture", call="capture")
        charge = self.load(intent["latest_charge"], "charge")
        multicapture = charge["payment_method_details"]["card"]["multicapture"]["status"]
        amount = intent["amount_capturable"] if amount is None else amount
        if (card := card_of(intent["payment_method"])) and card.refuses_capture:
            message = "The charge cannot be captured: its authorization has expired."
            raise Refused("capture_charge_authorization_expired", message)
        if not final and multicapture != "available":
            raise Refused("capture_not_final", "This payment cannot be captured more than once.")
        if amount > intent["amount_capturable"]:
            message = f"The amount_to_capture is greater than {intent['amount_capturable']}"
            raise Refused("amount_too_large", message, param="amount_to_capture")
        if amount < 0 or (amount == 0 and not (final and intent["amount_received"])):
            raise Refused("parameter_invalid_integer", "Invalid positive integer", param="amount_to_capture")
        if amount:
            moved = self._move(
                charge,
                intent,
                category="charge",
                amount=amount,
                fee=objects.charge_fee(amount, intent["currency"]),
            )
            charge["balance_transaction"] = charge["balance_transaction"] or moved["id"]
        intent["amount_received"] += amount
        intent["amount_capturable"] = 0 if final else intent["amount_capturable"] - amount
        self._captured(intent, charge, final=final or intent["amount_capturable"] == 0)

    def cancel(self, intent: Object, reason: str | None) -> None:
        """Gives the payment up; what is held is released."""
        _require(intent, *_PAYABLE, "requires_capture", call="cancel")
        if intent["amount_received"]:
            raise Refused(
                "payment_intent_unexpected_state", "A payment that was captured in part cannot be canceled."
            )
        self._close(intent, reason)

    def lapse(self, intent: Object) -> None:
        """The bank's hold is over: what was taken stays taken, the rest is released."""
        _require(intent, "requires_capture", call="lapse")
        charge = self.load(intent["latest_charge"], "charge")
        intent["amount_capturable"] = 0
        if intent["amount_received"]:
            self._captured(intent, charge, final=True)
        else:
            self._emit("charge.expired", charge)
            self._close(intent, "expired")

    def refund(self, intent: Object, amount: int | None, metadata: dict[str, str]) -> Object:
        """Gives money back, at most what is left of what was taken (None: all of it)."""
        if not intent["amount_received"]:
            message = "This PaymentIntent does not have a successful charge to refund."
            raise Refused("payment_intent_unexpected_state", message)
        charge = self.load(intent["latest_charge"], "charge")
        left = charge["amount_captured"] - charge["amount_refunded"]
        disputed = -sum(
            moved["amount"]
            for dispute in self.of_payment(intent["id"], "dispute")
            for moved in dispute["balance_transactions"]
        )
        amount = left if amount is None else amount
        if left == 0:
            raise Refused("charge_already_refunded", f"Charge {charge['id']} has already been refunded.")
        if disputed and amount > left - disputed:
            raise Refused("charge_disputed", f"Charge {charge['id']} has been charged back.")
        if amount > left:
            raise Refused(
                "amount_too_large", "Refund amount is greater than unrefunded amount", param="amount"
            )
        if amount < 1:
            raise Refused("parameter_invalid_integer", "Invalid positive integer", param="amount")
        card = card_of(charge["payment_method"]) or Card()
        status = "pending" if card.refunds == "pending" else "succeeded"
        refund = objects.refund(
            _identity("re"), charge, amount=amount, created=self.now, status=status, metadata=metadata
        )
        self._pay_out(refund, intent)
        self._save(refund)
        self._refunded(charge, intent)
        self._emit("refund.created", refund)
        self._emit("charge.refunded", charge)
        if card.refunds == "failed":
            self._alone.settle_refund(dict(refund), failed=True)
        return refund

    def settle_refund(self, refund: Object, *, failed: bool) -> None:
        """The refund reached the card, or its bank sent it back: also after it had reached it."""
        if refund["status"] in ("failed", "canceled") or (refund["status"] == "succeeded" and not failed):
            raise Refused("refund_unexpected_state", f"The refund is {refund['status']} already.")
        intent = self.load(refund["payment_intent"], "payment_intent")
        charge = self.load(refund["charge"], "charge")
        paid_out = refund["status"] == "succeeded"
        refund["pending_reason"] = None
        if failed:
            refund |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}
            if paid_out:
                back = self._move(refund, intent, category="refund_failure", amount=refund["amount"], fee=0)
                refund["failure_balance_transaction"] = back["id"]
        else:
            refund["status"] = "succeeded"
            self._pay_out(refund, intent)
        self._save(refund)
        self._refunded(charge, intent)
        self._emit("refund.updated", refund)
        if failed:
            self._emit("refund.failed", refund)
        self._emit("charge.refund.updated", refund)

    def dispute(self, charge: Object, amount: int, *, inquiry: bool = False) -> Object:
        """The card holder wants money back, and their bank takes it and a fee; an inquiry only asks."""
        intent = self.load(charge["payment_intent"], "payment_intent")
        status = "warning_needs_response" if inquiry else "needs_response"
        dispute = objects.dispute(_identity("dp"), charge, amount=amount, created=self.now, status=status)
        charge["disputed"] = True
        self._save(charge)
        if not inquiry:
            self._move_disputed(dispute, intent, "dispute", -amount, objects.DISPUTE_FEE)
        self._save(dispute)
        self._emit("charge.dispute.created", dispute)
        if not inquiry:
            self._emit("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def move_dispute(self, dispute: Object, status: str) -> None:
        """The bank decides, or thinks again: `won` gives the money back, a later `lost` takes it again."""
        intent = self.load(dispute["payment_intent"], "payment_intent")
        gone = -sum(moved["amount"] for moved in dispute["balance_transactions"])
        dispute["status"] = status
        moved = None
        if status == "won" and gone:
            self._move_disputed(dispute, intent, "dispute_reversal", gone, 0)
            moved = "charge.dispute.funds_reinstated"
        elif status in ("lost", "needs_response") and not gone:
            self._move_disputed(dispute, intent, "dispute", -dispute["amount"], objects.DISPUTE_FEE)
            moved = "charge.dispute.funds_withdrawn"
        self._save(dispute)
        if moved:
            self._emit(moved, dispute)
        ended = status in ("won", "lost", "warning_closed")
        self._emit(f"charge.dispute.{'closed' if ended else 'updated'}", dispute)

    def pay_out(self) -> None:
        """Money goes to our bank. How much is of no concern here: balance reports leave payouts out."""
        payout = {"id": _identity("po"), "object": "payout", "created": self.now, "status": "paid"}
        self._emit("payout.paid", payout)

    # How it is stored.

    @property
    def _alone(self) -> Payments:
        """The same, for what happens by itself."""
        return Payments(self.ledger, self.now)

    def _is_over(self, intent: Object) -> bool:
        if intent["status"] != "requires_capture":
            return False
        charge = self.load(intent["latest_charge"], "charge")
        return bool(charge["payment_method_details"]["card"]["capture_before"] <= self.now)

    def _fail(self, intent: Object, error: Object) -> None:
        intent |= {"status": "requires_payment_method", "next_action": None, "last_payment_error": error}
        self._save(intent)
        self._emit("payment_intent.payment_failed", intent)

    def _close(self, intent: Object, reason: str | None) -> None:
        intent |= {
            "status": "canceled",
            "amount_capturable": 0,
            "canceled_at": self.now,
            "cancellation_reason": reason,
            "next_action": None,
        }
        self._save(intent)
        self._emit("payment_intent.canceled", intent)

    def _captured(self, intent: Object, charge: Object, *, final: bool) -> None:
        charge |= {"amount_captured": intent["amount_received"], "captured": final}
        intent["status"] = "succeeded" if final else "requires_capture"
        self._save(charge)
        self._save(intent)
        self._emit("charge.captured" if final else "charge.updated", charge)
        self._emit("payment_intent.amount_capturable_updated", intent)
        if not final:
            return
        self._emit("payment_intent.succeeded", intent)
        card = card_of(intent["payment_method"])
        if card and card.disputes:
            inquiry = card.disputes != "needs_response"
            self._alone.dispute(dict(charge), intent["amount_received"], inquiry=inquiry)

    def _refunded(self, charge: Object, intent: Object) -> None:
        refunds = self.of_payment(intent["id"], "refund")
        back = sum(one["amount"] for one in refunds if one["status"] not in ("failed", "canceled"))
        charge |= {"amount_refunded": back, "refunded": back == charge["amount_captured"]}
        self._save(charge)

    def _pay_out(self, refund: Object, intent: Object) -> None:
        if refund["status"] == "succeeded":
            moved = self._move(refund, intent, category="refund", amount=-refund["amount"], fee=0)
            refund["balance_transaction"] = moved["id"]

    def _move_disputed(self, dispute: Object, intent: Object, category: str, amount: int, fee: int) -> None:
        moved = self._move(dispute, intent, category=category, amount=amount, fee=fee)
        dispute["balance_transactions"].append(moved)

    def _move(self, source: Object, intent: Object, *, category: str, amount: int, fee: int) -> Object:
        moved = objects.balance_transaction(
            _identity("txn"), source, category=category, amount=amount, fee=fee, created=self.now
        )
        self._save(moved, payment=intent["id"])
        return moved

    def _save(self, one: Object, *, payment: str | None = None, order_id: str | None = None) -> None:
        self.ledger.write(
            "INSERT INTO objects (id, kind, payment, order_id, created, body) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (
                one["id"],
                one["object"],
                payment or one.get("payment_intent") or one["id"],
                order_id,
                one["created"],
                packed(one),
            ),
        )

    def _emit(self, kind: str, about: Object) -> None:
        event = objects.event(
            _identity("evt"),
            kind,
            about,
            created=self.now,
            request={"id": self.request_id, "idempotency_key": self.key},
            api_version=API_VERSION,
        )
        self.ledger.write(
            "INSERT INTO events (id, type, created, by_itself, body, due) VALUES (?, ?, ?, ?, ?, ?)",
            (event["id"], kind, self.now, self.request_id is None, packed(event), self.now),
        )


def _identity(prefix: str) -> str:
    return f"{prefix}_sandbox_{secrets.token_hex(12)}"


def _require(intent: Object, *allowed: str, call: str) -> None:
    if intent["status"] not in allowed:
        message = f"You cannot {call} this PaymentIntent because it has a status of {intent['status']}."
        raise Refused("payment_intent_unexpected_state", message, payment_intent=intent)


def _require_card(method: str) -> Card:
    card = card_of(method)
    if card is None:
        kind = "confirmation_token" if method.startswith("ctoken_") else "payment_method"
        raise Refused("resource_missing", f"No such {kind}: '{method}'", stored=False, param=kind)
    return card


def _decline(card: Card, method: str) -> Object:
    return {
        "code": card.code,
        "decline_code": card.declines,
        "message": "Your card was declined.",
        "payment_method": {"id": method, "object": "payment_method", "type": "card"},
        "type": "card_error",
    }
