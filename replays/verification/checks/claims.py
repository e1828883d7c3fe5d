"""What is limited is never used more often, or for more, than its limit; an order takes what it says when it
is placed, and gives it back once, when it is canceled."""

from __future__ import annotations

from collections import Counter

from aggregates.customers.events import OrderCounted, OrderUncounted, ShopperEvent
from aggregates.kernel import OrderId
from aggregates.orders.events import OrderCanceled, OrderPlaced
from aggregates.promotions.events import (
    CouponClaimed,
    CouponEvent,
    CouponIssued,
    CouponReleased,
    UseClaimed,
    UseEvent,
    UseReleased,
)
from event_store.records import RecordedEvent
from replays.verification.checks.prices import RulesOfSale
from replays.verification.findings import Finding, Report, at

Use = tuple[str, str, object]
"""What is limited (coupon, promotion, shopper), which one, and how much of it."""


class ClaimsCheck:
    """Claims less releases, of each coupon, promotion and shopper, against the limit at that position; what
    one command takes and gives back, against the order that it places or cancels."""

    def __init__(self, rules: RulesOfSale, report: Report) -> None:
        self._rules = rules
        self._report = report
        self._uses_max: dict[str, int] = {}  # by code, of coupons that have a limit
        self._coupons: dict[str, set[OrderId]] = {}  # by code, whose uses were not given back
        self._uses: dict[str, dict[OrderId, tuple[str, int]]] = {}  # by promotion: currency and amount
        self._spent: Counter[tuple[str, str]] = Counter()  # by promotion and currency
        self._counted: dict[OrderId, tuple[str, tuple[str, ...]]] = {}  # shopper, and the promotions used
        self._by_shopper: Counter[tuple[str, str]] = Counter()  # by shopper and promotion
        self._held: Counter[OrderId] = Counter()  # how many uses each order has
        self._first: RecordedEvent | None = None  # of the command under way, as all below
        self._placed: dict[OrderId, Counter[Use]] = {}  # what an order says that it took
        self._taken: dict[OrderId, Counter[Use]] = {}
        self._canceled: set[OrderId] = set()
        self._given_back: set[OrderId] = set()

    def begin(self, first: RecordedEvent) -> None:
        """Compares what the command before wrote; `first` is the next one's first event."""
        self.end()
        self._first = first

    def end(self) -> None:
        """Compares what the command took and gave back with its orders, and forgets it."""
        for order_id in {**self._placed, **self._taken}:
            said, taken = self._placed.get(order_id, Counter()), self._taken.get(order_id, Counter())
            for limit, key, _ in said - taken:
                self._wrong(
                    self._first, f"order {order_id} says that it used {limit} {key}, and took none so"
                )
            for limit, key, _ in taken - said:
                self._wrong(self._first, f"order {order_id} took a use of {limit} {key}, and does not say so")
        for order_id in self._canceled:
            if self._held[order_id]:
                wrong = f"order {order_id} was canceled, and gave {self._held[order_id]} uses not back"
                self._wrong(self._first, wrong)
            del self._held[order_id]
        for order_id in self._given_back - self._canceled:
            self._wrong(self._first, f"order {order_id} gives uses back, though it is not canceled here")
        self._placed.clear()
        self._taken.clear()
        self._canceled.clear()
        self._given_back.clear()

    def is_limited(self, code: str) -> bool:
        """Whether so far the coupon was issued for so many orders only."""
        return code in self._uses_max

    def see_placed(self, _recorded: RecordedEvent, event: OrderPlaced) -> None:
        """Notes what an order says that it took."""
        said: Counter[Use] = Counter()
        by_shopper: list[str] = []
        for one in event.claims:
            match one.limit:
                case "coupon":
                    said["coupon", one.key, 1] += 1
                case "promotion":
                    said["promotion", one.key, (event.currency, one.amount)] += 1
                case "shopper":
                    by_shopper.append(one.promotion_id)
        if event.shopper is not None:
            said["shopper", event.shopper, tuple(by_shopper)] += 1
        if said:
            self._placed[event.order_id] = said

    def see_canceled(self, _recorded: RecordedEvent, event: OrderCanceled) -> None:
        """Notes that an order is to give everything back."""
        self._canceled.add(event.order_id)

    def _take(self, order_id: OrderId, limit: str, key: str, much: object) -> None:
        self._held[order_id] += 1
        self._taken.setdefault(order_id, Counter())[limit, key, much] += 1

    def _give_back(self, order_id: OrderId) -> None:
        self._held[order_id] -= 1
        self._given_back.add(order_id)

    def see_coupon(self, recorded: RecordedEvent, event: CouponEvent) -> None:
        """Counts a coupon's uses."""
        match event:
            case CouponIssued(code=code, uses_max=uses_max):
                if uses_max is not None:
                    self._uses_max[code] = uses_max
            case CouponClaimed(code=code, order_id=order_id):
                orders = self._coupons.setdefault(code, set())
                if order_id in orders:
                    self._wrong(recorded, f"order {order_id} has a use of {code} already")
                orders.add(order_id)
                self._take(order_id, "coupon", code, 1)
                if len(orders) > self._uses_max.get(code, 0):
                    self._wrong(recorded, f"{len(orders)} uses of {code}, of {self._uses_max.get(code, 0)}")
            case CouponReleased(code=code, order_id=order_id):
                if order_id not in self._coupons.get(code, ()):
                    self._wrong(recorded, f"order {order_id} has no use of {code} to give back")
                else:
                    self._coupons[code].discard(order_id)
                    self._give_back(order_id)
            case _:
                pass  # what is revoked may be used no more, and what was used stays so

    def see_use(self, recorded: RecordedEvent, event: UseEvent) -> None:
        """Counts a promotion's uses, and what they took off."""
        orders = self._uses.setdefault(event.promotion_id, {})
        spent = (event.promotion_id, event.amount.currency)
        used = (event.amount.currency, event.amount.amount)
        match event:
            case UseClaimed(order_id=order_id):
                if order_id in orders:
                    self._wrong(recorded, f"order {order_id} has a use of {event.promotion_id} already")
                orders[order_id] = used
                self._take(order_id, "promotion", event.promotion_id, used)
                self._spent[spent] += event.amount.amount
                self._check_promotion(recorded, event)
            case UseReleased(order_id=order_id):
                if orders.get(order_id) != used:
                    has = orders.get(order_id, "none")
                    wrong = f"order {order_id} gives back {used} of {event.promotion_id}, it has {has}"
                    self._wrong(recorded, wrong)
                if orders.pop(order_id, None) is not None:
                    self._give_back(order_id)
                    self._spent[spent] -= event.amount.amount

    def see_shopper(self, recorded: RecordedEvent, event: ShopperEvent) -> None:
        """Counts what a shopper used."""
        counted = (event.shopper, event.uses)
        match event:
            case OrderCounted(order_id=order_id, uses=uses):
                if order_id in self._counted:
                    self._wrong(recorded, f"order {order_id} was counted before")
                self._counted[order_id] = counted
                self._take(order_id, "shopper", event.shopper, uses)
                for promotion_id in uses:
                    self._by_shopper[event.shopper, promotion_id] += 1
                    self._check_shopper(recorded, event.shopper, promotion_id)
            case OrderUncounted(order_id=order_id, uses=uses):
                before = self._counted.pop(order_id, None)
                if before != counted:
                    self._wrong(recorded, f"order {order_id} was not counted so")
                if before is not None:
                    self._give_back(order_id)
                for promotion_id in uses:
                    self._by_shopper[event.shopper, promotion_id] -= 1

    def _check_promotion(self, recorded: RecordedEvent, event: UseClaimed) -> None:
        promotions = self._rules.promotions
        if promotions is None:
            return
        promotion_id, currency = event.promotion_id, event.amount.currency
        promotion = promotions.get(promotion_id)
        if promotion is None:
            self._wrong(recorded, f"a use of {promotion_id}, which is not in force")
            return
        uses = len(self._uses[promotion_id])
        if promotion.uses_max is not None and uses > promotion.uses_max:
            self._wrong(recorded, f"{uses} uses of {promotion_id}, of {promotion.uses_max}")
        spent, budget = self._spent[promotion_id, currency], promotion.budget.get(currency)
        if budget is not None and spent > budget:
            self._wrong(recorded, f"{spent} {currency} taken off by {promotion_id}, of {budget}")

    def _check_shopper(self, recorded: RecordedEvent, shopper: str, promotion_id: str) -> None:
        promotions = self._rules.promotions
        promotion = None if promotions is None else promotions.get(promotion_id)
        if promotion is None or promotion.uses_per_shopper_max is None:
            return
        uses = self._by_shopper[shopper, promotion_id]
        if uses > promotion.uses_per_shopper_max:
            self._wrong(recorded, f"{uses} uses of {promotion_id}, of {promotion.uses_per_shopper_max} each")

    def _wrong(self, recorded: RecordedEvent | None, wrong: str) -> None:
        self._report(Finding(rule="limit", wrong=wrong) if recorded is None else at(recorded, "limit", wrong))
