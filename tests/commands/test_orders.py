"""One order end to end through the command API: checkout, payment, fulfilment, return, refund."""

from __future__ import annotations

import asyncio
from pathlib import Path

from event_store.records import EventLog
from tests.shop.http import key, open_shop


def names(events: list[object]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_an_order_is_placed_paid_sent_returned_and_refunded(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=5, pence=1299)
            await shop.product("TEA", units=9, pence=450)
            before = log.head()
            cart_id = await shop.cart(MUG=2, TEA=1)
            answer = await shop.checkout(cart_id)
            assert answer.status_code == 201, answer.text
            order_id = answer.json()["id"]
            assert int(answer.headers["daybook-position"]) == answer.json()["position"] == log.head()
            story = [one.type for one in log.read_all(after=before, limit=100)]
            assert story == [
                "cart.cart_opened",
                "cart.item_added",
                "cart.item_added",
                "cart.cart_checked_out",
                "orders.order_numbered",
                "customers.order_counted",
                "orders.order_placed",
                "inventory.stock_reserved",
                "inventory.stock_reserved",
                "payments.payment_requested",
                "payments.process_started",
                "payments.step_begun",
                "payments.step_ended",
                "payments.payment_authorized",
                "payments.gateway_payment_linked",
                "orders.order_confirmed",
                "inventory.reservation_confirmed",
                "inventory.reservation_confirmed",
            ]
            sent = await shop.post(f"/orders/{order_id}/fulfilments", {})
            assert sent.status_code == 201, sent.text
            assert sent.json()["order_id"] == order_id
            back = await shop.post(
                f"/orders/{order_id}/returns", {"lines": [{"line_id": "1", "quantity": 1}]}
            )
            assert back.status_code == 201, back.text
            paid_back = await shop.post(
                f"/orders/{order_id}/refunds", {"lines": [{"line_id": "1", "quantity": 1}]}, **key()
            )
            assert paid_back.status_code == 201, paid_back.text
            (note,) = shop.events("orders.credit_note_issued")
            assert (note.amount.amount, note.credit_note_id) == (1299, paid_back.json()["id"])
            assert paid_back.json()["position"] == log.head()
            over = await shop.post(
                f"/orders/{order_id}/refunds", {"amount": {"amount": 9999, "currency": "GBP"}}, **key()
            )
            assert over.status_code == 409
            assert over.json()["type"] == "/problems/refund-too-large"

    asyncio.run(scenario())


def test_a_declined_card_cancels_the_order_and_frees_the_stock(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=1)
            declined = await shop.checkout(await shop.cart(MUG=1), method="pm_card_chargeDeclined")
            assert declined.status_code == 201
            story = names(shop.events())
            declined_at = story.index("PaymentDeclined")
            assert story[declined_at - 3 : declined_at + 5] == [
                "StepEnded",
                "PaymentAttemptFailed",
                "GatewayPaymentLinked",
                "PaymentDeclined",
                "OrderCanceled",
                "OrderUncounted",
                "ReservationReleased",
                "StepBegun",  # which gives up what could still be paid at the gateway
            ]
            again = await shop.checkout(await shop.cart(MUG=1))
            assert again.status_code == 201

    asyncio.run(scenario())


def test_checkout_reserves_every_line_or_none_and_names_all_that_is_short(
    log: EventLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=5)
            await shop.product("TEA", units=1)
            await shop.product("PAN")
            cart_id = await shop.cart(MUG=2, TEA=2, PAN=1)
            head = log.head()
            refused = await shop.checkout(cart_id)
            assert refused.status_code == 409
            problem = refused.json()
            assert problem["type"] == "/problems/not-enough-stock"
            assert (problem["sku"], problem["asked"], problem["available"]) == ("TEA", 2, 1)
            assert problem["short"] == [
                {"sku": "TEA", "asked": 2, "available": 1},
                {"sku": "PAN", "asked": 1, "available": 0},
            ]
            assert log.head() == head

    asyncio.run(scenario())


def test_canceling_before_capture_gives_the_hold_up(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=1)
            order_id = (await shop.checkout(await shop.cart(MUG=1))).json()["id"]
            canceled = await shop.post(f"/orders/{order_id}/cancel", {"reason": "changed my mind"})
            assert canceled.status_code == 200, canceled.text
            assert "PaymentVoided" in names(shop.events())
            assert (await shop.post(f"/orders/{order_id}/fulfilments")).status_code == 409
            twice = await shop.post(f"/orders/{order_id}/cancel")
            assert twice.status_code == 200
            assert names(shop.events()).count("OrderCanceled") == 1

    asyncio.run(scenario())


def test_a_refund_before_capture_is_a_void(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=1)
            order_id = (await shop.checkout(await shop.cart(MUG=1))).json()["id"]
            part = await shop.post(
                f"/orders/{order_id}/refunds", {"amount": {"amount": 1, "currency": "GBP"}}, **key()
            )
            assert part.json()["type"] == "/problems/partial-refund-before-capture"
            whole = await shop.post(f"/orders/{order_id}/refunds", {"all": True}, **key())
            assert whole.status_code == 201, whole.text
            assert names(shop.events())[-2:] == ["StepEnded", "PaymentVoided"]
            assert "CreditNoteIssued" not in names(shop.events())

    asyncio.run(scenario())
