"""An order that rules of sale priced, and that credit pays a part of, whatever happens to its money."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from aggregates.catalog.events import ProductListed
from aggregates.credit import account
from aggregates.credit.events import AccountExpired
from aggregates.kernel import Money, UnitPrice
from aggregates.orders.events import Address, CreditNoteIssued, OrderRefunded
from aggregates.pricing.rules import (
    SHIPPING,
    Action,
    Home,
    Market,
    Promotion,
    Selector,
    ShippingMethod,
    ShippingTier,
    TaxArea,
    TaxComponent,
    TaxRate,
)
from commands.handlers import cart, catalog, inventory, orders, terms
from commands.handlers.credit import BlockAccount, ExpireAccount, IssueGiftCard, NamedCredit
from commands.handlers.fulfilment import FulfilOrder, ReturnLines
from commands.handlers.refunds import RefundOrder
from tests.payments.deciding import NOON, ORDER, TODAY
from tests.payments.world import World
from tests.promotions.given import UNITS
from tests.shop.facts import ADDING, EMAIL, PLACING

PERCENT = 10_000
"""Parts per million."""
PRODUCTS = (("TEA", "9.99", "standard"), ("BOOK", "3.335", "reduced"), ("MUG", "12.50", "standard"))
"""SKU, price in euros, tax category."""
BERLIN = Address(name="Eva", line1="Hof 1", city="Berlin", postal_code="10115", country="DE")
GIFT_UNTIL = TODAY + timedelta(days=30)
REFUNDS = ("all", "amount", "lines", "lines and amount", "shipping", "lines and shipping")


@dataclass(frozen=True, kw_only=True)
class Sale:
    """What is ordered, and how it is paid. `units` of each product, 0 for none; `credit`: the worth of each
    account that pays, in minor units, and the card pays the rest."""

    units: tuple[int, ...]
    tax_included: bool
    discounted: bool
    credit: tuple[int, ...]


class PricedWorld(World):
    """One such order's life; every action may be followed by `check_laws`."""

    def __init__(self, folder: Path, *, method: str, capture: Any, sale: Sale) -> None:
        self.sale = sale
        super().__init__(folder, method=method, capture=capture)

    def place(self, method: str, capture: Any) -> None:
        """The rules, the products, the accounts; a cart, and its order."""
        for command in (*self._rules(), *self._goods()):
            self.desk.do(command)
        for account_id, worth in self._accounts.items():
            self.desk.do(
                IssueGiftCard(
                    account_id=account_id, amount=Money(worth, "EUR"), expires_on=GIFT_UNTIL, today=TODAY
                )
            )
        self.desk.do(cart.OpenCart(cart_id=ORDER, currency="EUR"))
        for (sku, _, _), quantity in zip(PRODUCTS, self.sale.units, strict=True):
            if quantity:
                self.desk.do(cart.AddItem(cart_id=ORDER, sku=sku, quantity=quantity, **ADDING))
        chosen = {"country": "DE", "postal_code": "10115", "method_id": "post"}
        moments = {name: ADDING[name] for name in ("at", "locked_until")}
        self.desk.do(cart.ChooseDelivery(cart_id=ORDER, **chosen, **moments))
        self.desk.do(
            orders.PlaceOrder(
                **PLACING,
                cart_id=ORDER,
                order_id=ORDER,
                email=EMAIL,
                shipping_address=BERLIN,
                payment_method=method,
                capture=capture,
                expires_at=NOON + timedelta(minutes=15),
                credits=tuple(NamedCredit(account_id=one, by_code=True) for one in self._accounts),
            )
        )

    @property
    def _accounts(self) -> dict[str, int]:
        """What each is worth at first."""
        return {f"gift{nth}": worth for nth, worth in enumerate(self.sale.credit) if worth}

    def _rules(self) -> list[Any]:
        included = self.sale.tax_included
        rates = tuple(
            TaxRate(tax_category=category, components=(TaxComponent(name="USt", percent=percent * PERCENT),))
            for category, percent in (("standard", 19), ("reduced", 7))
        )
        defined: list[Any] = [
            terms.SetHome(home=Home(country="DE", tax_included=included)),
            terms.DefineMarket(
                market=Market(
                    market_id="main",
                    countries=("DE",),
                    currencies=("EUR",),
                    tax_pricing="inclusive" if included else "exclusive",
                )
            ),
            terms.DefineTaxArea(area=TaxArea(area_id="de", country="DE", rates=rates), keep_rates=False),
            terms.DefineShippingMethod(
                method=ShippingMethod(
                    method_id="post", label="Post", tiers=(ShippingTier(price={"EUR": 395}),)
                )
            ),
        ]
        if self.sale.discounted:
            cheaper_tea = Action(kind="percent", percent=15 * PERCENT, selector=Selector(skus=("TEA",)))
            ten_percent = Action(kind="percent_off", percent=10 * PERCENT)
            defined += [
                terms.DefinePromotion(
                    promotion=Promotion(promotion_id=name, label=name, action=action), units=UNITS, at=NOON
                )
                for name, action in (("tea", cheaper_tea), ("ten", ten_percent))
            ]
        return defined

    def _goods(self) -> list[Any]:
        done: list[Any] = []
        for sku, price, tax_category in PRODUCTS:
            done += [
                catalog.ListProduct(
                    product=ProductListed(
                        sku=sku,
                        title=sku.title(),
                        description="",
                        category="Kitchen",
                        attributes={},
                        price=UnitPrice(Decimal(price), "EUR"),
                        seller="shop",
                        tax_category=tax_category,
                    )
                ),
                inventory.ReceiveStock(sku=sku, quantity=20, reason="", source=f"first {sku}"),
            ]
        return done

    # What people do

    async def fulfil(self, pick: int) -> None:
        """Some units of some lines, or all that are left."""
        chance = random.Random(pick)
        self._notes += 1
        self._command(
            FulfilOrder(
                order_id=ORDER,
                fulfilment_id=f"f{self._notes}",
                sent_at=self.now,
                lines=self._some_units(chance) if chance.random() < 0.7 else None,
            )
        )

    async def return_lines(self, pick: int) -> None:
        """Some units of some lines come back."""
        chance = random.Random(pick)
        self._notes += 1
        self._command(
            ReturnLines(
                order_id=ORDER,
                return_id=f"r{self._notes}",
                restock=bool(pick % 2),
                reason=None,
                lines=self._some_units(chance),
            )
        )

    async def refund(self, pick: int) -> None:
        """In each way in which one can be asked for, to any of the tenders."""
        chance = random.Random(pick)
        self._notes += 1
        what = chance.choice(REFUNDS)
        to = None
        if chance.random() < 0.4:
            key = chance.choice([one.key for one in self.placed.tenders])
            to = {key: Money(chance.choice((1, 99, 500, 1_500)), "EUR")}
        self._command(
            RefundOrder(
                order_id=ORDER,
                credit_note_id=f"n{self._notes}",
                reason=None,
                issued_on=self.now.date(),
                amount=Money(chance.choice((1, 7, 250, 999, 3_000)), "EUR") if "amount" in what else None,
                lines=self._some_units(chance) if "lines" in what else None,
                shipping="shipping" in what,
                to=to,
            )
        )

    async def credit_expires(self, pick: int) -> None:
        """An account's last day is over."""
        self._of_account(
            pick, lambda one: ExpireAccount(account_id=one, today=GIFT_UNTIL + timedelta(days=1))
        )

    async def credit_is_blocked(self, pick: int) -> None:
        """An account pays for nothing any more."""
        self._of_account(pick, lambda one: BlockAccount(account_id=one, reason="lost"))

    def _of_account(self, pick: int, command: Any) -> None:
        if accounts := list(self._accounts):
            self._command(command(accounts[pick % len(accounts)]))

    def _some_units(self, chance: random.Random) -> dict[str, int]:
        lines = list(self.desk.order.lines)
        return {one: chance.randint(1, 3) for one in chance.sample(lines, chance.randint(1, len(lines)))}

    # What holds at every moment

    def check_laws(self) -> None:
        """No more went back than was taken, for anything and to anything; papers agree; credit is nowhere
        lost or made."""
        refunds = self._happened(OrderRefunded)
        self._check_targets(refunds)
        self._check_notes(refunds)
        back: Counter[str] = Counter()
        for refund in refunds:
            for tender in refund.tenders or ():
                back[tender.key] += tender.amount.amount
        gave = {one.key: one.amount.amount for one in self.placed.tenders}
        assert all(0 < amount <= gave.get(key, 0) for key, amount in back.items()), (back, gave)
        self._check_accounts(gave, back)

    def _check_targets(self, refunds: list[OrderRefunded]) -> None:
        paid, tax = {}, {}
        for line in self.placed.lines:
            paid[line.line_id], tax[line.line_id] = line.paid.amount, line.tax.amount
        assert self.placed.shipping is not None
        paid[SHIPPING], tax[SHIPPING] = self.placed.shipping.paid, self.placed.shipping.tax
        money: Counter[str] = Counter()
        taxes: Counter[str] = Counter()
        for refund in refunds:
            charges = refund.charges or ()
            borne = [*(one.amount for one in refund.lines), *(one.amount for one in charges)]
            assert sum(one.amount for one in borne) == refund.amount.amount
            assert sum(one.amount.amount for one in refund.tenders or ()) == refund.amount.amount
            for target, amount, part in (
                *((one.line_id, one.amount, one.tax) for one in refund.lines),
                *((SHIPPING, one.amount, one.tax) for one in charges),
            ):
                assert part is not None
                assert 0 <= part.amount <= amount.amount
                money[target] += amount.amount
                taxes[target] += part.amount
        for target, amount in money.items():
            assert amount <= paid[target], target
            assert taxes[target] <= tax[target], target
            assert amount < paid[target] or taxes[target] == tax[target], target

    def _check_notes(self, refunds: list[OrderRefunded]) -> None:
        """Each refund has one credit note, which says the same; by tax group they come to the order's."""
        notes = {note.credit_note_id: note for note in self._happened(CreditNoteIssued)}
        assert len(notes) == len(self._happened(CreditNoteIssued)) == len(refunds)
        base: Counter[str] = Counter()
        tax: Counter[str] = Counter()
        for refund in refunds:
            note = notes[refund.credit_note_id]
            assert note.amount == refund.amount
            parts = [*(one.amount for one in note.lines), *(one.amount for one in note.charges)]
            assert sum(one.amount for one in parts) == note.amount.amount
            taxes = [one.tax for one in refund.lines] + [one.tax for one in refund.charges or ()]
            assert sum(one.amount.amount for one in note.taxes) == sum(one.amount for one in taxes if one)
            for one in note.taxes:
                base[one.group] += one.base.amount
                tax[one.group] += one.amount.amount
        assert self.desk.order.refunded_amount == sum(note.amount.amount for note in notes.values())
        is_all = self.desk.order.refunded == self.placed.total
        for total in self.placed.taxes:
            net = total.base - total.amount if total.inside else total.base
            assert tax[total.group] <= total.amount
            assert base[total.group] <= net
            assert not is_all or (base[total.group], tax[total.group]) == (net, total.amount)

    def _check_accounts(self, gave: Mapping[str, int], back: Mapping[str, int]) -> None:
        for account_id, worth in self._accounts.items():
            held: account.Account = self.desk.state(account.stream(account_id))
            borne = held.redeemed.get(ORDER, 0)
            expired = sum(
                one.amount.amount for one in self._happened(AccountExpired) if one.account_id == account_id
            )
            assert held.balance >= 0
            assert held.balance + borne + expired == worth
            if not self.desk.order.canceled:
                assert borne == gave.get(account_id, 0) - back.get(account_id, 0)
            else:
                assert borne == 0

    def _happened(self, kind: type[Any]) -> list[Any]:
        return [event for _, event in self.desk.events if isinstance(event, kind)]
