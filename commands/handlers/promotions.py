"""Commands on coupons and batches of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from aggregates.kernel import Rejected
from aggregates.promotions import batch, coupon
from aggregates.promotions.batch import Batch
from aggregates.promotions.coupon import Coupon
from aggregates.promotions.events import BatchRequested, CouponIssued
from aggregates.terms.checks import Unfit, check_window
from aggregates.terms.reasons import RuleUnfit, UnknownRule
from aggregates.terms.terms import MAIN_TERMS, TermsState
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCoupon:
    """Let a code count for a promotion; `at` is now."""

    name: ClassVar = "issue_coupon"
    issued: CouponIssued
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeCoupon:
    """Let a code count no more."""

    name: ClassVar = "revoke_coupon"
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBatch:
    """Have a number of single-use codes issued; `at` is now."""

    name: ClassVar = "request_coupon_batch"
    requested: BatchRequested
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCodes:
    """Issue some of a batch's codes, as many as are missing at most: its prefix and each of these ends."""

    name: ClassVar = "issue_coupon_codes"
    batch_id: str
    suffixes: tuple[str, ...]  # each once

    def journal_arguments(self) -> dict[str, Any]:
        """The codes stand in the events."""
        return {"batch_id": self.batch_id, "codes": len(self.suffixes)}


def handle_issue_coupon(cache: StateCache, command: IssueCoupon) -> Decision:
    """Issues the coupon, for a promotion that takes coupons."""
    issued = command.issued
    _check_window(issued.starts_at, issued.ends_at, at=command.at)
    stream = coupon.stream(issued.code)
    states = cache.states((stream, MAIN_TERMS))
    _check_promotion(states[MAIN_TERMS], issued.promotion_id)
    state: Coupon = states[stream]
    decision = Decision(id=issued.code, stream=stream)
    decision.add(stream, coupon.issue(state, issued=issued))
    decision.created = bool(decision.events)
    return decision


def handle_revoke_coupon(cache: StateCache, command: RevokeCoupon) -> Decision:
    """Revokes the coupon."""
    stream = coupon.stream(command.code)
    state: Coupon = cache.state(stream)
    decision = Decision(id=command.code, stream=stream)
    decision.add(stream, coupon.revoke(state, code=command.code, reason=command.reason))
    return decision


def handle_request_batch(cache: StateCache, command: RequestBatch) -> Decision:
    """Requests the batch, for a promotion that takes coupons. The codes are issued by a process."""
    requested = command.requested
    _check_window(None, requested.ends_at, at=command.at)
    stream = batch.stream(requested.batch_id)
    cache.expect_new(stream)
    states = cache.states((stream, MAIN_TERMS))
    _check_promotion(states[MAIN_TERMS], requested.promotion_id)
    state: Batch = states[stream]
    decision = Decision(id=requested.batch_id, stream=stream)
    decision.add(stream, batch.request(state, requested=requested))
    decision.created = bool(decision.events)
    return decision


def handle_issue_codes(cache: StateCache, command: IssueCodes) -> Decision:
    """Issues the codes that nobody has, and counts them in the batch."""
    stream = batch.stream(command.batch_id)
    state: Batch = cache.state(stream)
    coupons = batch.coupons(state, batch_id=command.batch_id, suffixes=command.suffixes)
    streams = {coupon.stream(issued.code): issued for issued in coupons}
    cache.expect_new(*streams)
    states: dict[str, Coupon] = cache.states(streams)
    decision = Decision(id=command.batch_id, stream=stream, forget=tuple(streams))
    for name, issued in streams.items():
        if states[name].issued is None:
            decision.add(name, coupon.issue(states[name], issued=issued))
    decision.add(stream, batch.progress(state, batch_id=command.batch_id, more=len(decision.events)))
    return decision


def _check_promotion(terms: TermsState, promotion_id: str) -> None:
    promotion = terms.rules.promotions.get(promotion_id)
    if promotion is None:
        raise Rejected(UnknownRule("promotion", promotion_id))
    coupon.check_takes_coupons(promotion)


def _check_window(starts_at: datetime | None, ends_at: datetime | None, *, at: datetime) -> None:
    try:
        check_window(starts_at, ends_at, at=at)
    except Unfit as unfit:
        raise Rejected(RuleUnfit(unfit.field, unfit.why)) from unfit


HANDLERS: Handlers = {
    IssueCoupon: handle_issue_coupon,
    RevokeCoupon: handle_revoke_coupon,
    RequestBatch: handle_request_batch,
    IssueCodes: handle_issue_codes,
}
