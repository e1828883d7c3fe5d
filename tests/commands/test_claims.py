"""Limited things and changing rules under many buyers, in two command processes over one log.

Nothing is given away twice, everything comes back once, and nobody pays more than they were shown.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregates.cart import cart
from aggregates.cart.cart import Cart
from aggregates.cart.events import CartCheckedOut, PricesRequoted
from aggregates.customers import shopper
from aggregates.folds import kind_of
from aggregates.kernel import PriceMissing, Rejected
from aggregates.orders import order
from aggregates.orders.events import OrderPlaced
from aggregates.payments import process
from aggregates.payments.events import StepEnded
from aggregates.pricing.compiled_terms import compile_terms
from aggregates.pricing.price import price
from aggregates.pricing.rules import PriceList
from aggregates.promotions import coupon, uses
from aggregates.promotions.events import UseClaimed, UseReleased
from aggregates.terms import terms
from aggregates.terms.terms import MAIN_TERMS
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, VISA
from commands.handlers.cart import AddItem, OpenCart, QuoteCart
from commands.handlers.catalog import ChangePrice, ListProduct, NewPrice
from commands.handlers.customers import SetGroups
from commands.handlers.inventory import ReceiveStock
from commands.handlers.orders import PlaceOrder
from commands.handlers.payments import ExpireOrder, RecordGatewayOutcome
from commands.handlers.terms import DefinePriceList
from commands.loop.decision import Actor, Context
from event_store.postgres.log import PostgresLog
from event_store.records import EventLog
from replays.verification.verify import verify
from tests.commands.test_priced_carts import rules
from tests.shop import commands
from tests.shop.commands import eventually
from tests.shop.facts import ADDRESS, CODEC, EMAIL, LIMITS, listed
from tests.shop.http import CHECKOUT, Shop, key, open_shop
from tests.shop.log import decoded

DECLINED = "pm_card_chargeDeclined"
TEN = {"promotion_id": "ten", "label": "10 % off", "action": {"kind": "percent_off", "percent": 10}}
PENCE = 1000

Pair = tuple[Shop, Shop]


@pytest.fixture
def logs(fresh_postgres: str) -> Iterator[tuple[EventLog, EventLog]]:
    """The connections of two processes to one log, which verification finds nothing wrong with in the end."""
    opened = PostgresLog.open(fresh_postgres), PostgresLog.open(fresh_postgres)
    yield opened
    found: list[str] = []
    verify(opened[0], CODEC, report=lambda finding: found.append(str(finding)))
    assert found == []
    for log in opened:
        log.close()


@asynccontextmanager
async def two_processes(
    logs: tuple[EventLog, EventLog], folder: Path, **settings: Any
) -> AsyncIterator[Pair]:
    """Two command processes; mugs at 10.00 are in stock."""
    settings = {"deadline_seconds": 60.0} | settings
    async with open_shop(logs[0], folder, **settings) as one, open_shop(logs[1], folder, **settings) as two:
        await one.product("MUG", units=100_000, pence=PENCE)
        yield one, two


def state(log: EventLog, stream: str) -> Any:
    """The stream's state as the log has it."""
    kind = kind_of(stream)
    return kind.fold(kind.initial(), map(CODEC.decode, log.read_stream(stream)))


def problem(answer: httpx.Response) -> str:
    """The problem's type, or the status where it is none."""
    return answer.json()["type"].removeprefix("/problems/") if answer.is_error else str(answer.status_code)


async def with_mugs(
    shop: Shop, mugs: int = 1, *, code: str | None = None, customer: str | None = None
) -> str:
    """A cart of so many mugs, and a coupon."""
    body = {"currency": "GBP"} | ({} if customer is None else {"customer_id": customer})
    cart_id: str = (await shop.post("/carts", body)).json()["id"]
    added = await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": mugs})
    assert added.status_code == 201, added.text
    if code is not None:
        entered = await shop.post(f"/carts/{cart_id}/coupons", {"code": code})
        assert entered.status_code == 200, entered.text
    return cart_id


async def check_out(
    shop: Shop, cart_id: str, *, method: str = VISA, email: str = EMAIL, total: Any = None
) -> httpx.Response:
    """Checks it out, for at most this total where there is one."""
    body = CHECKOUT | {"email": email, "payment": {"method": method}}
    return await shop.post(
        f"/carts/{cart_id}/checkout", body | ({} if total is None else {"total": total}), **key()
    )


async def each(pair: Pair, count: int, do: Callable[[Shop, int], Awaitable[Any]]) -> list[Any]:
    """Does it so many times at once, in turns in both processes."""
    return await asyncio.gather(*(do(pair[number % 2], number) for number in range(count)))


def orders(log: EventLog) -> list[OrderPlaced]:
    """Every order of the log."""
    return [event for _, event in decoded(log) if isinstance(event, OrderPlaced)]


def test_two_hundred_buyers_of_one_single_use_code(logs: tuple[EventLog, EventLog], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with two_processes(logs, tmp_path) as pair:
            await rules(
                pair[0],
                promotions=[TEN | {"automatic": False}],
                coupons=[{"code": "ONCE", "promotion_id": "ten", "uses_max": 1}],
            )
            carts = await each(pair, 200, lambda shop, _: with_mugs(shop, code="ONCE"))
            answers = await each(
                pair, 200, lambda shop, n: check_out(shop, carts[n], email=f"buyer{n}@example.org")
            )
            assert Counter(map(problem, answers)) == {"201": 1, "coupon-used-up": 199}

    asyncio.run(scenario())
    log = logs[0]
    (placed,) = orders(log)
    assert placed.total.amount == 900
    assert [one.key for one in placed.claims] == ["ONCE"]
    assert state(log, coupon.stream("ONCE")).uses == 1
    types = Counter(recorded.type for recorded, _ in decoded(log))
    for once in ("coupon_claimed", "order_placed", "order_counted", "stock_reserved", "cart_checked_out"):
        assert [number for name, number in types.items() if name.endswith(once)] == [1], once


async def buys_all_the_same(shop: Shop, cart_id: str, email: str) -> httpx.Response:
    """Checks out, and where the total rose, agrees to it."""
    answer = await check_out(shop, cart_id, email=email)
    while answer.status_code == 409:
        refused = answer.json()
        assert refused["type"] == "/problems/total-changed", answer.text
        answer = await check_out(shop, cart_id, email=email, total=refused["total"])
    return answer


def race_for_a_budget(logs: tuple[EventLog, EventLog], folder: Path, buyers: int) -> None:
    """A promotion of 10 % whose budget is enough for a third of the buyers, of 1 to 3 mugs each."""
    budget = 2 * PENCE // 10 * buyers // 3

    async def scenario() -> None:
        async with two_processes(logs, folder) as pair:
            await rules(pair[0], promotions=[TEN | {"budget": {"GBP": budget}}])
            carts = await each(pair, buyers, lambda shop, n: with_mugs(shop, 1 + n % 3))
            answers = await each(
                pair, buyers, lambda shop, n: buys_all_the_same(shop, carts[n], f"buyer{n}@example.org")
            )
            assert Counter(map(problem, answers)) == {"201": buyers}

    asyncio.run(scenario())
    spent = 0
    for _, event in decoded(logs[0]):
        if isinstance(event, UseClaimed):
            spent += event.amount.amount
            assert spent <= budget
    assert budget - spent < 3 * PENCE // 10
    placed = orders(logs[0])
    assert len(placed) == buyers
    assert sum(line.discount.amount for one in placed for line in one.lines) == spent
    assert state(logs[0], uses.stream("ten")).spent == {"GBP": spent}


def test_a_budget_is_spent_to_the_last_discount_and_never_exceeded(
    logs: tuple[EventLog, EventLog], tmp_path: Path
) -> None:
    race_for_a_budget(logs, tmp_path, 100)


def test_a_promotion_of_seven_uses_is_used_seven_times(
    logs: tuple[EventLog, EventLog], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with two_processes(logs, tmp_path) as pair:
            await rules(pair[0], promotions=[TEN | {"uses_max": 7}])
            carts = await each(pair, 60, lambda shop, _: with_mugs(shop))
            answers = await each(pair, 60, lambda shop, n: check_out(shop, carts[n]))
            assert Counter(map(problem, answers)) == {"201": 7, "total-changed": 53}

    asyncio.run(scenario())
    assert [one.total.amount for one in orders(logs[0])] == [900] * 7
    assert state(logs[0], uses.stream("ten")).uses == 7


@pytest.mark.parametrize("customer", ["anna", None])
def test_one_shopper_uses_a_promotion_once_however_many_carts_they_check_out_at_once(
    customer: str | None, logs: tuple[EventLog, EventLog], tmp_path: Path
) -> None:
    spellings = ("anna@example.org", "Anna@Example.org", "ANNA@EXAMPLE.ORG")

    async def scenario() -> None:
        async with two_processes(logs, tmp_path) as pair:
            await rules(pair[0], promotions=[TEN | {"uses_per_shopper_max": 1, "guests": "by_email"}])
            carts = await each(pair, 20, lambda shop, _: with_mugs(shop, customer=customer))
            answers = await each(
                pair, 20, lambda shop, n: check_out(shop, carts[n], email=spellings[n % len(spellings)])
            )
            assert Counter(map(problem, answers)) == {"201": 1, "total-changed": 19}
            other = await with_mugs(pair[0], customer=customer and "bert")
            placed = await check_out(pair[1], other, email="bert@example.org")
            assert placed.status_code == 201, placed.text

    asyncio.run(scenario())
    placed = orders(logs[0])
    assert [one.total.amount for one in placed] == [900, 900]
    counts = state(logs[0], shopper.stream(placed[0].shopper or ""))
    assert (counts.orders, counts.uses) == (1, {"ten": 1})
    assert (placed[0].shopper or "").startswith("c-" if customer else "m-")


def test_a_guest_has_no_promotion_that_is_limited_by_shopper_and_refuses_guests(
    logs: tuple[EventLog, EventLog], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with two_processes(logs, tmp_path) as pair:
            await rules(pair[0], promotions=[TEN | {"uses_per_shopper_max": 1}])
            cart_id = await with_mugs(pair[0])
            refused = await check_out(pair[1], cart_id)
            assert problem(refused) == "total-changed"
            assert refused.json()["differences"] == [
                {"kind": "discount", "label": "10 % off", "from": -100, "to": 0}
            ]

    asyncio.run(scenario())


async def canceled(pair: Pair, order_id: str) -> None:
    """By the shop, four times at once."""
    answers = await each(pair, 4, lambda shop, _: shop.post(f"/orders/{order_id}/cancel", {}))
    assert {answer.status_code for answer in answers} == {200}


async def declined(pair: Pair, order_id: str) -> None:
    """By the bank, whose answer comes twice more in each process."""
    log = pair[0].log
    await eventually(lambda: state(log, order.stream(order_id)).canceled, lambda: order_id)
    steps = [CODEC.decode(recorded) for recorded in log.read_stream(process.stream(order_id))]
    ended = next(event for event in steps if isinstance(event, StepEnded))
    again = RecordGatewayOutcome(
        order_id=order_id,
        step=ended.step,
        outcome="refused",
        answered_on=datetime.now(UTC).date(),
        code="card_declined",
    )
    await each(pair, 4, lambda shop, _: shop.handling.handle(again, _by_process()))


async def expired(pair: Pair, order_id: str) -> None:
    """As nobody proved who they are: both processes say so, twice, now and later again."""
    log = pair[0].log
    over = ExpireOrder(order_id=order_id, now=datetime.now(UTC) + timedelta(days=2))
    await each(pair, 4, lambda shop, _: shop.handling.handle(over, _by_process()))
    await eventually(lambda: state(log, order.stream(order_id)).canceled, lambda: order_id)
    await each(pair, 4, lambda shop, _: shop.handling.handle(over, _by_process()))


def _by_process() -> Context:
    return Context(actor=Actor("process", "test"), channel="process")


@pytest.mark.parametrize(
    ("method", "give_up"),
    [(VISA, canceled), (DECLINED, declined), (AUTHENTICATION_REQUIRED, expired)],
    ids=["canceled", "declined", "expired"],
)
def test_every_claim_of_an_order_that_is_given_up_comes_back_once(
    method: str,
    give_up: Callable[[Pair, str], Awaitable[None]],
    logs: tuple[EventLog, EventLog],
    tmp_path: Path,
) -> None:
    limited = TEN | {
        "automatic": False,
        "uses_max": 3,
        "budget": {"GBP": 250},
        "uses_per_shopper_max": 1,
        "guests": "by_email",
    }

    async def scenario() -> list[str]:
        async with two_processes(logs, tmp_path) as pair:
            await rules(
                pair[0],
                promotions=[limited],
                coupons=[{"code": "TWICE", "promotion_id": "ten", "uses_max": 2}],
            )
            kept = await check_out(pair[0], await with_mugs(pair[0], code="TWICE"), email="kept@example.org")
            assert kept.status_code == 201, kept.text
            ids = []
            for _ in range(2):  # what came back can be had again
                cart_id = await with_mugs(pair[0], code="TWICE")
                placed = await check_out(pair[1], cart_id, method=method)
                assert placed.status_code == 201, placed.text
                ids.append(placed.json()["id"])
                await give_up(pair, ids[-1])
                late = await pair[0].post(f"/orders/{ids[-1]}/cancel", {})
                assert late.status_code == 200, late.text
            return ids

    given_up = asyncio.run(scenario())
    log = logs[0]
    assert state(log, coupon.stream("TWICE")).uses == 1
    promotion = state(log, uses.stream("ten"))
    assert (promotion.uses, promotion.spent) == (1, {"GBP": 100})
    for placed in orders(log):
        counts = state(log, shopper.stream(placed.shopper or ""))
        expected = (0, {"ten": 0}) if placed.order_id in given_up else (1, {"ten": 1})
        assert (counts.orders, counts.uses) == expected
    for order_id in given_up:
        types = Counter(
            recorded.type.split(".")[-1]
            for recorded, event in decoded(log)
            if getattr(event, "order_id", None) == order_id
        )
        for taken, back in (
            ("coupon_claimed", "coupon_released"),
            ("use_claimed", "use_released"),
            ("order_counted", "order_uncounted"),
        ):
            assert (types[taken], types[back]) == (1, 1), types
    assert sum(isinstance(event, UseReleased) for _, event in decoded(log)) == 2


MARKET = {"market_id": "uk", "countries": ["GB"], "currencies": ["GBP"], "tax_pricing": "exclusive"}
SHOPPERS = 32


def vat(percent: int) -> list[dict[str, Any]]:
    """The standard rate."""
    return [{"tax_category": "standard", "components": [{"name": "VAT", "percent": percent}]}]


def post(pence: int) -> dict[str, Any]:
    """The one shipping method."""
    return {"method_id": "post", "label": "Post", "tiers": [{"price": {"GBP": pence}}]}


def percent_off(number: int, percent: int) -> dict[str, Any]:
    """One of three promotions on the cart."""
    action = {"kind": "percent_off", "percent": percent}
    return {"promotion_id": f"off{number}", "label": f"Offer {number}", "action": action}


class ShopperAtWork:
    """One shopper, who edits a cart and checks it out, each request in either process; checks what they are
    told."""

    def __init__(self, pair: Pair, number: int, refusals: Counter[str]) -> None:
        self.pair = pair
        self.chance = random.Random(number)
        self.refusals = refusals
        self.cart_id = ""
        self.agreed: dict[str, int] = {}  # by cart

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Asks one of the processes."""
        shop = self.chance.choice(self.pair)
        return await shop.client.request(method, f"/api/v1{path}", json=body, headers=headers)

    def cart(self) -> Cart:
        """As it was shown last."""
        held: Cart = state(self.pair[0].log, cart.stream(self.cart_id))
        return held

    async def edit(self) -> None:
        """Some change to the cart."""
        path = f"/carts/{self.cart_id}"
        sku = self.chance.choice(["MUG", "PAN", "CUP"])
        match self.chance.randrange(6):
            case 0 | 1:
                answer = await self.ask("POST", f"{path}/items", {"sku": sku, "quantity": 1})
            case 2:
                quantity = {"quantity": self.chance.randint(1, 5)}
                answer = await self.ask("PUT", f"{path}/items/{sku}", quantity)
            case 3:
                answer = await self.ask("DELETE", f"{path}/items/{self.chance.choice(['PAN', 'CUP'])}")
            case 4:
                method = self.chance.choice(["POST", "DELETE"])
                ending, body = ("", {"code": "CODE"}) if method == "POST" else ("/CODE", None)
                answer = await self.ask(method, f"{path}/coupons{ending}", body)
            case _:
                answer = await self.ask("POST", f"{path}/quote")
        assert answer.status_code in (200, 201), answer.text

    async def buy(self) -> str:
        """One cart from its opening to its order, whose id it gives."""
        opened = await self.ask("POST", "/carts", {"currency": "GBP", "market": "uk"})
        self.cart_id = opened.json()["id"]
        await self.ask("POST", f"/carts/{self.cart_id}/items", {"sku": "MUG", "quantity": 2})
        delivery = {"country": "GB", "postal_code": "N1 1AA", "method_id": "post"}
        chosen = await self.ask("PUT", f"/carts/{self.cart_id}/delivery", delivery)
        assert chosen.status_code == 200, chosen.text
        for _ in range(self.chance.randint(2, 5)):
            await self.edit()
        body: dict[str, Any] = dict(CHECKOUT)
        while True:
            shown = self.cart()
            answer = await self.ask("POST", f"/carts/{self.cart_id}/checkout", body, **key())
            if answer.status_code == 201:
                order_id: str = answer.json()["id"]
                return order_id
            assert answer.status_code == 409, answer.text
            self.refusals[problem(answer)] += 1
            body = await self.answered(answer.json(), shown, body)

    async def answered(self, refused: Any, shown: Cart, asked: dict[str, Any]) -> dict[str, Any]:
        """Checks the refusal; agrees to the new total, or has all quoted anew. The next request's body."""
        if refused["type"] == "/problems/prices-changed":
            by_id = {line.line_id: line for line in shown.lines.values()}
            for line in refused["lines"]:
                assert line["from"] == by_id[line["line_id"]].unit_price.times(1).amount < line["to"]
        else:
            assert refused["type"] == "/problems/total-changed", refused
            quoted, total = refused["quoted"]["amount"], refused["total"]["amount"]
            assert total > quoted == asked.get("total", {"amount": shown.total.amount})["amount"]
            change = sum(part["to"] - part["from"] for part in refused["differences"])
            assert change == total - shown.total.amount
            if self.chance.random() < 0.5:
                self.agreed[self.cart_id] = total
                return dict(CHECKOUT) | {"total": refused["total"]}
        self.agreed.pop(self.cart_id, None)
        quote = await self.ask("POST", f"/carts/{self.cart_id}/quote")
        assert quote.status_code == 200, quote.text
        return dict(CHECKOUT)


async def change_rules(shop: Shop, ended: asyncio.Event) -> int:
    """An operator who changes one thing after the other until nobody shops any more."""
    chance, changes = random.Random(7), 0
    while not ended.is_set():
        number = chance.randrange(3)
        match chance.randrange(5):
            case 0:
                answer = await shop.post("/promotions", percent_off(number, chance.randint(1, 30)))
            case 1:
                answer = await shop.post(f"/promotions/off{number}/end", {"reason": "over"})
            case 2:
                answer = await shop.post("/tax-areas/GB/rates", {"rates": vat(chance.randint(5, 25))})
            case 3:
                answer = await shop.post("/shipping-methods", post(chance.randint(100, 900)))
            case _:
                cost = {"amount": chance.randint(500, 1500), "currency": "GBP"}
                sku = chance.choice(["MUG", "PAN", "CUP"])
                answer = await shop.post(f"/products/{sku}/price", {"price": cost})
        assert answer.status_code in (200, 201, 404), answer.text
        changes += answer.status_code != 404
    return changes


def test_nobody_pays_more_than_they_were_shown_while_the_rules_change(
    logs: tuple[EventLog, EventLog], tmp_path: Path
) -> None:
    refusals: Counter[str] = Counter()

    async def scenario() -> tuple[dict[str, ShopperAtWork], int]:
        async with two_processes(logs, tmp_path, price_lock_seconds=1) as pair:
            home = await pair[0].client.put("/api/v1/home", json={"country": "GB", "tax_included": False})
            assert home.status_code == 201, home.text
            await pair[0].product("PAN", units=100_000, pence=2000)
            await pair[0].product("CUP", units=100_000, pence=500)
            without_tax = {"price": {"amount": PENCE, "currency": "GBP"}}
            assert (await pair[0].post("/products/MUG/price", without_tax)).status_code == 200
            await rules(
                pair[0],
                markets=[MARKET],
                tax_areas=[{"area_id": "GB", "country": "GB", "rates": vat(20)}],
                shipping_methods=[post(395)],
                promotions=[
                    *(percent_off(number, 10) for number in range(3)),
                    percent_off(3, 5) | {"automatic": False, "budget": {"GBP": 2000}},
                ],
                coupons=[{"code": "CODE", "promotion_id": "off3", "uses_max": 20}],
            )
            ended = asyncio.Event()
            operator = asyncio.create_task(change_rules(pair[1], ended))
            shoppers = [ShopperAtWork(pair, number, refusals) for number in range(SHOPPERS)]
            placed: dict[str, ShopperAtWork] = {}
            for _ in range(2):
                ids = await asyncio.gather(*(one.buy() for one in shoppers))
                placed.update(zip(ids, shoppers, strict=True))
            ended.set()
            return placed, await operator

    placed, changes = asyncio.run(scenario())
    assert changes > 10
    assert set(refusals) <= {"total-changed", "prices-changed"}
    assert refusals["total-changed"] > 0
    by_id = {one.order_id: one for one in orders(logs[0])}
    assert by_id.keys() == placed.keys()
    rules_then = _rules_at_every_version(logs[0])
    version_at = 0
    for recorded, event in decoded(logs[0]):
        if recorded.stream == MAIN_TERMS:
            version_at = recorded.version
        if isinstance(event, OrderPlaced):
            shopper_of_it = placed[event.order_id]
            held = _cart_before_its_checkout(logs[0], event.cart_id or "")
            assert event.total.amount <= shopper_of_it.agreed.get(event.cart_id or "", held.total.amount)
            _check_priced_by(event, version_at, rules_then[version_at], logs[0])


def _rules_at_every_version(log: EventLog) -> dict[int, Any]:
    """The compiled rules at each version that they had."""
    found = {}
    held = terms.initial()
    for recorded in log.read_stream(MAIN_TERMS):
        held = terms.evolve(held, CODEC.decode(recorded))
        found[recorded.version] = compile_terms(held.rules)
    return found


def _cart_before_its_checkout(log: EventLog, cart_id: str) -> Cart:
    """As its shopper saw it last."""
    events = [CODEC.decode(recorded) for recorded in log.read_stream(cart.stream(cart_id))]
    assert isinstance(events.pop(), CartCheckedOut)
    if isinstance(events[-1], PricesRequoted) and events[-1].cause == "checkout":
        events.pop()
    return cart.stream.fold(cart.initial(), events)


def _check_priced_by(placed: OrderPlaced, version: int, compiled: Any, log: EventLog) -> None:
    """Every amount is that of the rules that were in force where the order stands in the log."""
    assert placed.explanation is not None
    assert placed.context is not None
    assert placed.explanation.terms == version
    held: Cart = state(log, cart.stream(placed.cart_id or ""))
    again = price([line.priced for line in held.all_lines], compiled, placed.context)
    assert again.explanation == placed.explanation
    assert again.total == placed.total.amount
    assert [(one.kind, one.amount) for one in again.charges] == [
        (one.kind, one.amount.amount) for one in placed.charges
    ]
    assert [(line.discount, line.tax, line.paid) for line in again.lines] == [
        (line.discount.amount, line.tax.amount, line.paid.amount) for line in placed.lines
    ]


DAY = datetime(2026, 11, 25, tzinfo=UTC)


def at(hour: int, minute: int) -> datetime:
    """A moment of the day."""
    return DAY.replace(hour=hour, minute=minute)


@asynccontextmanager
async def mug_held_until_eleven(shop: commands.Shop, cart_id: str) -> AsyncIterator[commands.Shop]:
    """A mug at 12.00 lies in a cart since ten."""
    async with shop.open() as opened:
        await opened.do(ListProduct(product=listed("MUG", price="12.00")))
        await opened.do(ReceiveStock(sku="MUG", quantity=9, reason="delivery"))
        await opened.do(OpenCart(cart_id=cart_id, currency="GBP"))
        await opened.do(
            AddItem(
                cart_id=cart_id, sku="MUG", quantity=1, limits=LIMITS, at=at(10, 0), locked_until=at(11, 0)
            )
        )
        yield opened


def _to(amount: str) -> ChangePrice:
    """The price changes at half past ten."""
    new = NewPrice(sku="MUG", currency="GBP", tiers=((1, Decimal(amount)),))
    return ChangePrice(price=new, now=at(10, 30), schedule_id="a" * 32)


def _placing(cart_id: str, when: datetime) -> PlaceOrder:
    return PlaceOrder(
        cart_id=cart_id,
        order_id=cart_id,
        email=EMAIL,
        shipping_address=ADDRESS,
        payment_method=VISA,
        capture="fulfilment",
        at=when,
        locked_until=when + timedelta(hours=1),
        shopper="m-anna",
        expires_at=when + timedelta(minutes=15),
    )


def test_a_raised_price_counts_from_the_moment_the_lock_is_over(log: EventLog, tmp_path: Path) -> None:
    shop = commands.Shop(log, commands.SandboxGateway(tmp_path / "sandbox.sqlite"))
    in_time, late = "a" * 32, "b" * 32

    async def scenario() -> None:
        async with mug_held_until_eleven(shop, in_time) as opened:
            await opened.do(OpenCart(cart_id=late, currency="GBP"))
            await opened.do(
                AddItem(
                    cart_id=late, sku="MUG", quantity=2, limits=LIMITS, at=at(10, 0), locked_until=at(11, 0)
                )
            )
            await opened.do(_to("13.00"))
            await opened.do(_placing(in_time, at(10, 59)))
            head = log.head()
            for when in (at(11, 0), at(11, 1)):
                with pytest.raises(Rejected) as refused:
                    await opened.do(_placing(late, when))
                assert refused.value.reason.lines == (  # type: ignore[attr-defined]
                    {"line_id": "1", "sku": "MUG", "from": 1200, "to": 1300},
                )
            assert log.head() == head
            await opened.do(QuoteCart(cart_id=late, at=at(11, 2), locked_until=at(12, 2)))
            await opened.do(_placing(late, at(11, 3)))

    asyncio.run(scenario())
    assert [one.total.amount for one in orders(log)] == [1200, 2600]


def test_a_lowered_price_is_taken_once_the_lock_is_over_and_noted_with_the_order(
    log: EventLog, tmp_path: Path
) -> None:
    shop = commands.Shop(log, commands.SandboxGateway(tmp_path / "sandbox.sqlite"))

    async def scenario() -> None:
        async with mug_held_until_eleven(shop, "a" * 32) as opened:
            await opened.do(_to("11.50"))
            await opened.do(_placing("a" * 32, at(11, 1)))

    asyncio.run(scenario())
    (placed,) = orders(log)
    assert placed.total.amount == 1150
    written = {type(event): recorded.command_id for recorded, event in decoded(log)}
    assert written[PricesRequoted] == written[OrderPlaced] == written[CartCheckedOut]
    (requoted,) = [event for _, event in decoded(log) if isinstance(event, PricesRequoted)]
    assert [(line.before, line.price.tiers) for line in requoted.lines] == [
        (Decimal("12.00"), ((1, Decimal("11.50")),))
    ]


def test_what_has_no_price_any_more_is_sold_while_its_lock_holds_and_then_refused(
    log: EventLog, tmp_path: Path
) -> None:
    shop = commands.Shop(log, commands.SandboxGateway(tmp_path / "sandbox.sqlite"))
    trade = PriceList(list_id="trade", currency="EUR", customer_groups=("trade",), priority=50)
    cheap = NewPrice(sku="MUG", currency="EUR", tiers=((1, Decimal("8.00")),))
    in_time, late = "a" * 32, "b" * 32

    async def scenario() -> None:
        async with shop.open() as opened:
            await opened.do(ListProduct(product=listed("MUG", price="12.00")))
            await opened.do(ReceiveStock(sku="MUG", quantity=9, reason="delivery"))
            await opened.do(DefinePriceList(price_list=trade, at=at(9, 0)))
            await opened.do(ChangePrice(price=cheap, now=at(9, 0), schedule_id="a" * 32, list_id="trade"))
            await opened.do(SetGroups(customer_id="trader", groups=("trade",)))
            for cart_id in (in_time, late):
                await opened.do(OpenCart(cart_id=cart_id, currency="EUR", customer_id="trader"))
                await opened.do(
                    AddItem(
                        cart_id=cart_id,
                        sku="MUG",
                        quantity=1,
                        limits=LIMITS,
                        at=at(10, 0),
                        locked_until=at(11, 0),
                    )
                )
            await opened.do(SetGroups(customer_id="trader", groups=()))
            await opened.do(_placing(in_time, at(10, 59)))
            with pytest.raises(Rejected) as refused:
                await opened.do(_placing(late, at(11, 1)))
            assert refused.value.reason == PriceMissing(sku="MUG", currency="EUR", market="main")

    asyncio.run(scenario())
    assert [one.total.amount for one in orders(log)] == [800]
