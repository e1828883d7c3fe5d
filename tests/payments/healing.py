"""A gateway that did what our log has not heard of, and a report that tells of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from aggregates.inventory import stock
from aggregates.kernel import Money
from aggregates.payments import payment
from aggregates.payments.observation import observe
from commands.gateways.gateway import Gateway
from commands.gateways.sandbox.balance_report import report_lines
from commands.gateways.sandbox.books import Books
from commands.handlers.registry import HANDLERS
from commands.importing.progress import Progress
from commands.loop.decision import Context
from commands.loop.handling import Handling
from commands.operator.handling import CHANNEL, OPERATOR
from commands.reconciliation.healing import Submit, healing
from commands.reconciliation.report import balance_report
from commands.reconciliation.running import reconcile
from event_store.records import EventLog
from tests.payments.reported import NOVEMBER
from tests.shop.facts import CODEC
from tests.shop.log import Shop

ORDER = "c" * 32
TOTAL = Money(1299, "GBP")


def _key(step: int) -> str:
    return f"checkout-{ORDER}/{step}"


async def authorized(log: EventLog, gateway: Gateway) -> str:
    """An order, its payment authorized at both; returns the gateway's reference."""
    shop = Shop(log)
    shop.lists("MUG-1")
    requested = shop.decide(
        payment.request, order_id=ORDER, method="pm_card_visa", amount=TOTAL, capture="fulfilment"
    )
    reserved = shop.decide(stock.reserve, sku="MUG-1", order_id=ORDER, quantity=1, expires_at=NOVEMBER)
    shop.record(shop.ordered(ORDER, {"MUG-1": 1}), requested, reserved)
    response = await gateway.authorize(key=_key(1), method="pm_card_visa", amount=TOTAL, order_id=ORDER)
    shop.record(shop.decide(observe, standing=response.standing, order_id=ORDER))
    shop.flush()
    return response.standing.reference


async def capture_unheard(gateway: Gateway, reference: str) -> None:
    """Captures all of it; our log hears nothing."""
    await gateway.capture(key=_key(2), reference=reference, amount=TOTAL)


def submitting(handling: Handling) -> Submit:
    """Has commands handled as an operator's."""

    async def submit(command: Any) -> Any:
        return await handling.handle(command, Context(actor=OPERATOR, channel=CHANNEL))

    return submit


async def loses_and_heals(log: EventLog, folder: Path, gateway: Gateway, books: Books) -> None:
    """Captured, refunded at the dashboard, disputed, won, the refund failed: all lost here, then healed."""
    reference = await authorized(log, gateway)
    await capture_unheard(gateway, reference)
    refund = books.refund_in_dashboard(reference, 300)
    books.dispute_won(books.dispute(reference, 400))
    books.refund_fails(refund)
    file = folder / "report.csv"
    file.write_text("".join(balance_report(report_lines(books))))
    progress = Progress(io.StringIO())
    before = await reconcile(file, log, progress=progress)
    async with Handling(log, CODEC, HANDLERS) as handling:
        heal = healing(gateway, submitting(handling))
        healed, after = [await reconcile(file, log, heal=heal, progress=progress) for _ in range(2)]
    await gateway.aclose()
    kinds = ["charge", "dispute", "dispute", "refund", "refund_failure"]
    assert [
        sorted((one.verdict, one.kind) for one in result.findings) for result in (before, healed, after)
    ] == [[("missing_here", kind) for kind in kinds], [("healed", kind) for kind in kinds], []]
    assert before.left
    assert not healed.left
    assert sum(after.counts.values()) == len(kinds)
