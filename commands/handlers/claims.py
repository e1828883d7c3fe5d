"""What an order takes of limited things when it is placed, and gives back when it is given up."""

from __future__ import annotations

from datetime import datetime

from aggregates.cart.cart import Cart
from aggregates.customers import shopper
from aggregates.kernel import Money, OrderId
from aggregates.orders.events import OrderClaim, OrderPlaced
from aggregates.promotions import coupon, uses
from commands.handlers import credit
from commands.loop.decision import Decision
from commands.loop.state_cache import StateCache
from commands.quoting import Quote, rules_of


def coupons_that_count(cache: StateCache, held: Cart, *, at: datetime) -> dict[str, str]:
    """One code of each promotion that the cart has coupons of: the first that can be used; where none can,
    the first, which is refused by name where its promotion applies."""
    states = cache.states(coupon.stream(code) for code in held.coupons)

    def is_refused(code: str) -> bool:
        return coupon.refusal(states[coupon.stream(code)], code=code, at=at) is not None

    found: dict[str, str] = {}
    for code, promotion_id in held.coupons.items():
        first = found.setdefault(promotion_id, code)
        if is_refused(first) and not is_refused(code):
            found[promotion_id] = code
    return {code: promotion_id for promotion_id, code in found.items()}


def claim(
    cache: StateCache,
    decision: Decision,
    found: Quote | None,
    *,
    order_id: OrderId,
    shopper_key: str,
    at: datetime,
) -> tuple[OrderClaim, ...]:
    """Claims what applied and is limited: the coupon, the promotion, the shopper; counts the order for the
    shopper.

    Refuses a coupon that was used up, ended or revoked meanwhile. What the order is to remember of it.
    """
    claims: list[OrderClaim] = []
    priced = None if found is None else found.priced
    promotions = rules_of(cache).rules.promotions
    for one in () if priced is None else priced.claims:
        promotion = promotions[one.promotion_id]
        if one.code is not None:
            stream = coupon.stream(one.code)
            state = cache.state(stream)
            coupon.redeemable(state, code=one.code, at=at)
            if state.issued.uses_max is not None:
                decision.add(stream, coupon.claim(state, code=one.code, order_id=order_id, at=at))
                claims.append(OrderClaim(limit="coupon", key=one.code, promotion_id=one.promotion_id))
        if uses.is_limited(promotion) and priced is not None:
            stream = uses.stream(one.promotion_id)
            amount = Money(one.amount, priced.currency)
            decision.add(
                stream,
                uses.claim(cache.state(stream), promotion=promotion, order_id=order_id, amount=amount),
            )
            claims.append(
                OrderClaim(
                    limit="promotion", key=one.promotion_id, promotion_id=one.promotion_id, amount=one.amount
                )
            )
        if promotion.uses_per_shopper_max is not None:
            claims.append(OrderClaim(limit="shopper", key=shopper_key, promotion_id=one.promotion_id))
    shopper_stream = shopper.stream(shopper_key)
    cache.state(shopper_stream)
    decision.add(
        shopper_stream,
        shopper.count(shopper=shopper_key, order_id=order_id, uses=_per_shopper(claims)),
    )
    return tuple(claims)


def release(cache: StateCache, decision: Decision, placed: OrderPlaced) -> None:
    """Gives back every claim of the order and the credit that it still bears, and counts it no more."""
    credit.release(cache, decision, placed)
    names = [_stream(one) for one in placed.claims if one.limit != "shopper"]
    shopper_stream = None if placed.shopper is None else shopper.stream(placed.shopper)
    states = cache.states([*names, *([] if shopper_stream is None else [shopper_stream])])
    for one in placed.claims:
        stream = _stream(one)
        match one.limit:
            case "coupon":
                decision.add(stream, coupon.release(states[stream], code=one.key, order_id=placed.order_id))
            case "promotion":
                amount = Money(one.amount, placed.currency)
                decision.add(
                    stream,
                    uses.release(
                        states[stream], promotion_id=one.key, order_id=placed.order_id, amount=amount
                    ),
                )
            case "shopper":
                pass  # counted below, all of them at once
    if placed.shopper is not None and shopper_stream is not None:
        decision.add(
            shopper_stream,
            shopper.uncount(
                states[shopper_stream],
                shopper=placed.shopper,
                order_id=placed.order_id,
                uses=_per_shopper(placed.claims),
            ),
        )


def _stream(one: OrderClaim) -> str:
    return coupon.stream(one.key) if one.limit == "coupon" else uses.stream(one.key)


def _per_shopper(claims: list[OrderClaim] | tuple[OrderClaim, ...]) -> tuple[str, ...]:
    return tuple(one.promotion_id for one in claims if one.limit == "shopper")
