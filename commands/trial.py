"""What a promotion does to a cart, or would do: it is priced with it and without it, and nothing written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from aggregates.cart import cart
from aggregates.cart.cart import Cart, UnknownCart
from aggregates.folds import kind_of
from aggregates.kernel import CartId, Money, Rejected
from aggregates.pricing.explanation import Explanation, Priced, WhyNot
from aggregates.pricing.rules import Promotion
from aggregates.terms import terms
from aggregates.terms.events import PromotionDefined
from aggregates.terms.reasons import UnknownRule
from aggregates.terms.terms import MAIN_TERMS, TermsState
from commands.loop.decision import copy_of
from commands.loop.reading import read_states
from commands.loop.state_cache import StateCache, StreamState
from commands.quoting import gift_changes, quote
from event_store.codec import Codec
from event_store.records import EventReader

Assumption = Literal["started", "not_over", "not_ended", "coupon"]
"""What does not hold today: its start is to come, its window is over, it was ended, the cart has no coupon of
it."""

ANY_CODE = "*"
"""Stands for a coupon of the promotion; no coupon has this code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedTotal:
    """What the cart costs, and how that comes about."""

    total: Money
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A cart priced `at` one moment with a promotion and without it.

    `at`: now; the promotion's start, where that is to come. `assumes`: what had to be taken for granted for
    the promotion to be in force. `why`: why it gives the cart nothing even so; None where it `applies`.
    """

    promotion_id: str
    cart_id: CartId
    at: datetime
    applies: bool
    why: WhyNot | Literal["gift_unavailable"] | None
    assumes: tuple[Assumption, ...]
    with_promotion: TriedTotal
    without_promotion: TriedTotal


def try_promotion(
    log: EventReader, codec: Codec, *, promotion_id: str, cart_id: CartId, at: datetime
) -> Trial:
    """Tries the promotion, as it was defined last, on the cart as it is, `at` now.

    Rejected: UnknownRule, UnknownCart. Raises StoreUnavailable.
    """
    rules, promotion = _rules(log, codec, promotion_id)
    held: Cart = _state(log, codec, cart.stream(cart_id))
    if held.status == "unknown":
        raise Rejected(UnknownCart(cart_id))
    assumes = _assumptions(promotion, rules, held, at)
    at = promotion.starts_at if "started" in assumes and promotion.starts_at is not None else at
    in_force = replace(promotion, ends_at=None) if "not_over" in assumes else promotion
    others = {one: other for one, other in rules.rules.promotions.items() if one != promotion_id}
    coupon = {
        ANY_CODE: promotion_id
    }  # Also where it needs none: what is named is reported when it is missed.
    coupons = {code: one for code, one in held.coupons.items() if one != promotion_id}
    with_it = _priced(
        log,
        codec,
        replace(held, coupons=held.coupons | coupon),
        cart_id,
        rules,
        others | {promotion_id: in_force},
        at,
    )
    without_it = _priced(log, codec, replace(held, coupons=coupons), cart_id, rules, others, at)
    applies = any(claim.promotion_id == promotion_id for claim in with_it.claims)
    missed = {one.rule: one.why for one in with_it.explanation.not_applied}
    return Trial(
        promotion_id=promotion_id,
        cart_id=cart_id,
        at=at,
        applies=applies,
        why=None if applies else missed.get(promotion_id, "gift_unavailable"),
        assumes=assumes,
        with_promotion=_total(with_it),
        without_promotion=_total(without_it),
    )


def _rules(log: EventReader, codec: Codec, promotion_id: str) -> tuple[TermsState, Promotion]:
    """The rules in force, and the promotion as it was defined last, in force or not."""
    state, defined = terms.initial(), None
    for recorded in log.read_stream(MAIN_TERMS):
        event = codec.decode(recorded)
        state = terms.evolve(state, event)
        if isinstance(event, PromotionDefined) and event.promotion.promotion_id == promotion_id:
            defined = event.promotion
    if defined is None:
        raise Rejected(UnknownRule("promotion", promotion_id))
    return state, defined


def _assumptions(promotion: Promotion, rules: TermsState, held: Cart, at: datetime) -> tuple[Assumption, ...]:
    assumes: list[Assumption] = []
    if promotion.promotion_id not in rules.rules.promotions:
        assumes.append("not_ended")
    if promotion.starts_at is not None and at < promotion.starts_at:
        assumes.append("started")
    if promotion.ends_at is not None and at >= promotion.ends_at:
        assumes.append("not_over")
    if not promotion.automatic and promotion.promotion_id not in held.coupons.values():
        assumes.append("coupon")
    return tuple(assumes)


def _priced(
    log: EventReader,
    codec: Codec,
    held: Cart,
    cart_id: CartId,
    rules: TermsState,
    promotions: dict[str, Promotion],
    at: datetime,
) -> Priced:
    """What the cart costs under these promotions, with the gifts that they give."""
    cache = StateCache(codec)
    world = TermsState(rules=replace(rules.rules, promotions=promotions), retired=rules.retired)
    cache.put({MAIN_TERMS: StreamState(state=world)})

    def price() -> Priced:
        found = quote(cache, held, at=at)
        assert found is not None  # a promotion was defined
        changes = gift_changes(cache, held, cart_id, found.priced, at)
        if changes:
            with_gifts = cart.stream.fold(copy_of(held), changes)
            found = quote(cache, with_gifts, at=at)
            assert found is not None
        return found.priced

    return read_states(log, cache, price)


def _state(log: EventReader, codec: Codec, stream: str) -> Any:
    kind = kind_of(stream)
    return kind.fold(kind.initial(), map(codec.decode, log.read_stream(stream)))


def _total(priced: Priced) -> TriedTotal:
    return TriedTotal(total=Money(priced.total, priced.currency), explanation=priced.explanation)
