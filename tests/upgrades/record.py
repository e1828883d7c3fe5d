"""Writes down a log as today's code leaves it, with work under way at every step of a payment.

    python -m tests.upgrades.record tests/upgrades/<name>

A folder is made with each table's rows as PostgreSQL's COPY gives them, the card ledger as SQL, and the
number of the migration that the log stands at. What is recorded is never recorded again: all code to come
must open it, verify it and finish its orders.
"""

from __future__ import annotations

import asyncio
import gzip
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from aggregates.catalog.events import ProductListed
from aggregates.kernel import Money, UnitPrice
from aggregates.orders.events import Address
from commands.gateways.gateway import Gateway, GatewayUnavailable, Response
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, CHARGE_DECLINED, VISA, SandboxGateway
from commands.handlers import cart, catalog, inventory, orders
from commands.handlers.cancel_order import CancelOrder
from commands.handlers.fulfilment import FulfilOrder, ReturnLines
from commands.handlers.refunds import RefundOrder
from deploy.local.servers.account import server_account
from deploy.local.servers.binaries import find_binaries
from deploy.local.servers.postgres import PostgresServer
from event_store.postgres.log import PostgresLog
from event_store.postgres.queries import migrations
from event_store.retries import RetryPolicy
from tests.importing.files import SMALL
from tests.importing.files import run as import_invoices
from tests.shop.commands import KEPT, Shop, eventually
from tests.shop.facts import ADDING, LIMITS, LOCKED_UNTIL, NOON, PLACING
from tests.shop.gateways import Do, DyingGateway, WatchedGateway

LONG = RetryPolicy(pause_first=60.0, pause_max=60.0)  # Whoever lost a call is dead before it asks again.
STOCK_EVENTS = 300  # More than a stream has before a snapshot of it is drawn.


class GatewayOfOne(WatchedGateway):
    """The gateway for one order, and away for every other."""

    def __init__(self, gateway: Gateway, order_id: str) -> None:
        super().__init__(gateway)
        self._order_id = order_id

    async def call(self, name: str, do: Do, key: str) -> Response:
        if not key.startswith(f"checkout-{self._order_id}/"):
            raise GatewayUnavailable("away")
        return await do()


class Recording:
    """A shop whose orders stop where each is told to."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    async def do(self, command: Any) -> None:
        await self.shop.do(command)

    async def fill(self) -> None:
        """Four products, and a stream that is loaded from a snapshot."""
        for sku, price in (("MUG", "4.50"), ("PAN", "20.00"), ("NAIL", "0.125"), ("GONE", "3.00")):
            await self.do(
                catalog.ListProduct(
                    product=ProductListed(
                        sku=sku,
                        title=sku.title(),
                        description=f"A {sku.lower()}",
                        category="Kitchen > Things",
                        attributes={"colour": "blue"},
                        price=UnitPrice(Decimal(price), "GBP"),
                        seller="shop",
                    )
                )
            )
            await self.do(inventory.ReceiveStock(sku=sku, quantity=500, reason="", source="first"))
        await self.do(inventory.AdjustStock(sku="PAN", delta=-3, reason="broken"))
        for number in range(STOCK_EVENTS):
            await self.do(inventory.ReceiveStock(sku="NAIL", quantity=1, reason="", source=f"box {number}"))

    async def place(
        self, name: str, method: str = VISA, *, capture: Any = "fulfilment", customer_id: str | None = None
    ) -> str:
        """An order of three mugs and a pan, 33.50 in all; its id."""
        order_id = order_of(name)
        await self.do(cart.OpenCart(cart_id=order_id, currency="GBP", customer_id=customer_id))
        for sku, quantity in (("MUG", 3), ("PAN", 1)):
            await self.do(
                cart.AddItem(
                    cart_id=order_id,
                    sku=sku,
                    quantity=quantity,
                    limits=LIMITS,
                    at=NOON,
                    locked_until=LOCKED_UNTIL,
                )
            )
        await self.do(
            orders.PlaceOrder(
                **PLACING,
                cart_id=order_id,
                order_id=order_id,
                email=f"{name.replace(' ', '.')}@example.org",
                shipping_address=Address(
                    name=name.title(), line1="1 High St", city="York", postal_code="YO1 7EP", country="GB"
                ),
                payment_method=method,
                capture=capture,
                expires_at=NOON + KEPT,
            )
        )
        return order_id

    @asynccontextmanager
    async def managed(
        self, order_id: str, *, losing: str | None = None, done: bool = False
    ) -> AsyncIterator[None]:
        """The process managers at work on one order; `losing` a call, they end with it."""
        dying = DyingGateway(self.shop.gateway, at=losing or "no call", done=done)
        async with self.shop.managers(GatewayOfOne(dying, order_id), LONG):
            yield
            if losing is not None:
                await eventually(dying.dead.is_set, lambda: f"{losing} is not called")

    async def paid(self, name: str, *, at: Any = "fulfilment", customer_id: str | None = None) -> str:
        """An order whose money is promised, or taken `at` checkout."""
        order_id = await self.place(name, capture=at, customer_id=customer_id)
        payment = "authorized" if at == "fulfilment" else "captured"
        await self.after(order_id, "confirmed", payment)
        return order_id

    async def after(self, order_id: str, order: str, payment: str, *commands: Any) -> None:
        """Has the commands handled; the managers work until order and payment stand so."""
        async with self.managed(order_id):
            for command in commands:
                await self.do(command)
            await self.shop.until(order, payment, order_id=order_id)
            # What was declined could still be paid there, and is given up.
            await eventually(
                lambda: not self.shop.open_steps(order_id), lambda: self.shop.open_steps(order_id)
            )


def order_of(name: str) -> str:
    """An order's id, from its story's name."""
    return name.encode().hex().rjust(40, "0")


def refund(order_id: str, number: int, **what: Any) -> RefundOrder:
    return RefundOrder(
        order_id=order_id,
        credit_note_id=f"{order_id[-20:]}-{number}",
        reason=f"reason {number}",
        issued_on=NOON.date(),
        **what,
    )


async def live(shop: Shop) -> None:
    """Every story up to where it stops."""
    async with shop.open() as opened:
        it = Recording(opened)
        await it.fill()
        await whole_stories(it)
        for done in (False, True):
            await lost_calls(it, done=done)
        await loose_ends(it)


async def whole_stories(it: Recording) -> None:
    """Orders that wait for nobody but the merchant."""
    anna = "customer-anna"
    await it.paid("authorized", customer_id=anna)
    part = await it.paid("part sent", customer_id=anna)
    sent = FulfilOrder(order_id=part, sent_at=NOON, fulfilment_id="f-part", lines={"1": 1})
    await it.after(part, "partially_fulfilled", "captured", sent)
    all_back = await it.paid("refunded unsent", at="checkout")
    await it.after(all_back, "canceled", "refunded", refund(all_back, 1))
    one_sent = await it.paid("refunded one sent", at="checkout")
    sent = FulfilOrder(order_id=one_sent, sent_at=NOON, fulfilment_id="f-one", lines={"1": 1})
    await it.after(one_sent, "fulfilled", "refunded", sent, refund(one_sent, 1))
    some = await it.paid("refunded units", at="checkout")
    await it.after(some, "confirmed", "partially_refunded", refund(some, 1, lines={"1": 2}))
    amount = await it.paid("refunded amount", at="checkout")
    await it.after(amount, "confirmed", "partially_refunded", refund(amount, 1, amount=Money(100, "GBP")))
    back = await it.paid("returned")
    await it.after(
        back, "fulfilled", "captured", FulfilOrder(order_id=back, sent_at=NOON, fulfilment_id="f-back")
    )
    returned = ReturnLines(order_id=back, return_id="r-back", restock=True, reason="too blue", lines={"1": 2})
    await it.after(
        back, "partially_returned", "partially_refunded", returned, refund(back, 1, lines={"1": 2})
    )
    void = await it.paid("canceled")
    await it.after(
        void,
        "canceled",
        "voided",
        CancelOrder(order_id=void, canceled_on=NOON.date(), reason="changed their mind"),
    )
    declined = await it.place("declined", CHARGE_DECLINED)
    await it.after(declined, "canceled", "declined")


async def lost_calls(it: Recording, *, done: bool) -> None:
    """Orders whose managers ended within each call, before or after the gateway did it."""
    word = "done" if done else "lost"
    order_id = await it.place(f"authorize {word}")
    async with it.managed(order_id, losing="authorize", done=done):
        pass
    order_id = await it.paid(f"capture {word}")
    await it.do(FulfilOrder(order_id=order_id, sent_at=NOON, fulfilment_id=f"f-{word}"))
    async with it.managed(order_id, losing="capture", done=done):
        pass
    order_id = await it.paid(f"refund {word}", at="checkout")
    await it.do(refund(order_id, 1, lines={"1": 2}))
    async with it.managed(order_id, losing="refund", done=done):
        pass
    order_id = await it.paid(f"void {word}")
    await it.do(CancelOrder(order_id=order_id, canceled_on=NOON.date(), reason="late"))
    async with it.managed(order_id, losing="void", done=done):
        pass


async def loose_ends(it: Recording) -> None:
    """An open cart, a product that is sold no more, and orders that wait."""
    await it.do(cart.OpenCart(cart_id="c" * 40, currency="GBP"))
    for sku in ("GONE", "MUG"):
        await it.do(cart.AddItem(cart_id="c" * 40, sku=sku, quantity=1, **ADDING))
    await it.do(catalog.DelistProduct(sku="GONE", reason="out of fashion"))
    price = catalog.NewPrice(sku="MUG", currency="GBP", tiers=((1, Decimal("4.75")),))
    await it.do(catalog.ChangePrice(price=price, now=NOON, schedule_id="s"))
    waiting = await it.place("waiting", AUTHENTICATION_REQUIRED)
    await it.after(waiting, "placed", "action_required")
    async with it.managed(waiting):
        await eventually(lambda: all(it.shop.checkpoints()), it.shop.checkpoints)
    await it.place("not called")


def record(url: str, ledger: Path, folder: Path) -> None:
    """Lives every story on a new log at `url` and writes it down in `folder`."""
    log = PostgresLog.open(url)
    gateway = SandboxGateway(ledger)
    shop = Shop(log, gateway)
    asyncio.run(live(shop))
    import_invoices(log, SMALL, ledger.parent)
    log.close()
    gateway.close()
    folder.mkdir(parents=True)
    (folder / "migration").write_text(f"{migrations()[-1][0]}\n")
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname = 'daybook' AND tablename <> 'schema_migrations'"
        )
        for (table,) in cursor.fetchall():
            with (
                cursor.copy(f"COPY (SELECT * FROM daybook.{table} ORDER BY 1) TO STDOUT".encode()) as rows,
                gzip.GzipFile(folder / f"{table}.copy.gz", "wb", mtime=0) as file,
            ):
                for row in rows:
                    file.write(row)
    with sqlite3.connect(ledger) as connection:
        (folder / "ledger.sql").write_text("\n".join(connection.iterdump()) + "\n")


def main(folder: Path) -> None:
    account = server_account()
    place = Path(tempfile.mkdtemp(prefix="daybook-record-", dir="/tmp"))
    place.chmod(0o711)
    sockets = place / "s"
    sockets.mkdir()
    if not account.is_us:
        shutil.chown(sockets, account.uid)
    server = PostgresServer(
        programs=find_binaries(account).postgres,
        folder=place / "postgres",
        sockets=sockets,
        account=account,
        log=place / "postgres.log",
    )
    server.start()
    try:
        record(server.url(), place / "ledger" / "sandbox.sqlite", folder)
    finally:
        server.stop()
        shutil.rmtree(place)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
