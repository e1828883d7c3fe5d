"""The test cards: what each does is in its name, as with Stripe's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VISA = "pm_card_visa"
CHARGE_DECLINED = "pm_card_chargeDeclined"
INSUFFICIENT_FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
AUTHENTICATION_REQUIRED = "pm_card_authenticationRequired"
CREATE_DISPUTE = "pm_card_createDispute"
PENDING_REFUND = "pm_card_pendingRefund"
REFUND_FAIL = "pm_card_refundFail"
CAPTURE_REFUSED = "pm_card_captureRefused"


@dataclass(frozen=True, slots=True)
class Card:
    """What a test card does."""

    declines: str | None = None  # the bank's code
    code: str = "card_declined"  # Stripe's code for it
    asks_shopper: bool = False  # to prove who they are, before the bank is asked
    disputes: Literal["needs_response", "warning_needs_response"] | None = None  # once it is charged
    refunds: Literal["succeeded", "pending", "failed"] = "succeeded"
    refuses_capture: bool = False  # ours; Stripe has no such card


_CARDS = {
    VISA: Card(),
    "pm_card_mastercard": Card(),
    "pm_card_amex": Card(),
    CHARGE_DECLINED: Card(declines="generic_decline"),
    "pm_card_visa_chargeDeclined": Card(declines="generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": Card(declines="insufficient_funds"),
    INSUFFICIENT_FUNDS: Card(declines="insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": Card(declines="lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": Card(declines="stolen_card"),
    "pm_card_chargeDeclinedExpiredCard": Card(declines="expired_card", code="expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": Card(declines="incorrect_cvc", code="incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": Card(declines="processing_error", code="processing_error"),
    AUTHENTICATION_REQUIRED: Card(asks_shopper=True),
    "pm_card_threeDSecure2Required": Card(asks_shopper=True),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        asks_shopper=True, declines="insufficient_funds"
    ),
    CREATE_DISPUTE: Card(disputes="needs_response"),
    "pm_card_createDisputeProductNotReceived": Card(disputes="needs_response"),
    "pm_card_createDisputeInquiry": Card(disputes="warning_needs_response"),
    PENDING_REFUND: Card(refunds="pending"),
    REFUND_FAIL: Card(refunds="failed"),
    CAPTURE_REFUSED: Card(refuses_capture=True),
}


def card_of(method: str) -> Card | None:
    """The card behind a test method or a confirmation token: `ctoken_visa` stands for `pm_card_visa`."""
    return _CARDS.get(method_of(method))


def method_of(method_or_token: str) -> str:
    """The name of the test method."""
    token = method_or_token.removeprefix("ctoken_")
    return method_or_token if token == method_or_token else f"pm_card_{token.removeprefix('pm_card_')}"
