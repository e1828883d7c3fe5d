"""The payment gateway over the sandbox's books: what the adapter is to Stripe, without the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from aggregates.kernel import Money, OrderId
from aggregates.payments.standing import Standing
from commands.gateways.gateway import (
    ClientSecret,
    Finding,
    GatewayRefusal,
    GatewayUnavailable,
    GatewayUnclear,
    News,
    Response,
)
from commands.gateways.sandbox.balance_report import report_lines
from commands.gateways.sandbox.books import Books, Charge, Reply
from commands.gateways.sandbox.objects import Object
from commands.gateways.sandbox.worker import Worker
from commands.gateways.stripe_amounts import chargeable, to_stripe
from commands.gateways.stripe_events import API_VERSION, news_of, read_news
from commands.gateways.stripe_objects import (
    standing_of_dispute,
    standing_of_intent,
    standing_of_refund,
    with_part,
)
from commands.reconciliation.report import balance_report


class SandboxGateway:
    """The gateway over the books at a path, or over books that are handed in; it closes them.

    Its news have the echoes of our own calls only with `echoes`: their responses tell the same.
    """

    name = "sandbox"
    publishable_key = "pk_test_sandbox"

    def __init__(self, books: Books | Path, *, busy_seconds: float = 5.0, echoes: bool = False) -> None:
        """Raises GatewayUnavailable where the file is no ledger."""
        self.echoes = echoes
        self.books = books if isinstance(books, Books) else Books(books, busy_seconds=busy_seconds)
        self.worker = Worker(self.books)

    async def authorize(
        self, *, key: str, method: str, amount: Money, order_id: OrderId, in_parts: bool = False
    ) -> Response:
        """Holds the amount, or not, as the method's name says."""
        parameters: Object = {
            "amount": self._amount(amount),
            "currency": amount.currency.lower(),
            "capture_method": "manual",
            "confirm": "true",
            "confirmation_token" if method.startswith("ctoken_") else "payment_method": method,
            "metadata": {"order": order_id, "step": key},
            "expand": ["latest_charge"],
        }
        if in_parts:
            parameters["payment_method_options"] = {"card": {"request_multicapture": "if_available"}}
        reply = await self._call("payment_intents.create", parameters, key=key, declines=True)
        return _response(reply, standing_of_intent(reply.body))

    async def capture(self, *, key: str, reference: str, amount: Money, final: bool = True) -> Response:
        """Takes the amount from what is held."""
        parameters = {
            "id": reference,
            "amount_to_capture": self._amount(amount),
            "final_capture": "true" if final else "false",
            "expand": ["latest_charge"],
        }
        reply = await self._call("payment_intents.capture", parameters, key=key)
        return _response(reply, standing_of_intent(reply.body))

    async def void(self, *, key: str, reference: str, unless_authorized: bool = False) -> Response:
        """Gives up what is held or waits for the shopper."""
        if unless_authorized:
            seen = await self.look(reference)
            if seen.standing.most or seen.standing.closed:
                return seen
        parameters = {"id": reference, "expand": ["latest_charge"]}
        reply = await self._call("payment_intents.cancel", parameters, key=key)
        return _response(reply, standing_of_intent(reply.body))

    async def refund(
        self, *, key: str, reference: str, amount: Money, credit_note_id: str | None
    ) -> Response:
        """Gives back from what was taken."""
        metadata = {"step": key} | ({"credit_note": credit_note_id} if credit_note_id else {})
        parameters = {"payment_intent": reference, "amount": self._amount(amount), "metadata": metadata}
        reply = await self._call("refunds.create", parameters, key=key)
        return _response(reply, standing_of_refund(reply.body))

    async def look(self, reference: str) -> Response:
        """All that the books hold of a payment."""
        expanded = {"id": reference, "expand": ["latest_charge"]}
        reply = await self._call("payment_intents.retrieve", expanded)
        standing = standing_of_intent(reply.body)
        parts = {"payment_intent": reference, "limit": "100"}
        for operation, of in (("refunds.list", standing_of_refund), ("disputes.list", standing_of_dispute)):
            for one in (await self._call(operation, parts)).body["data"]:
                standing = with_part(standing, of(one))
        return _response(reply, standing)

    async def find(self, *, key: str, since: datetime, until: datetime) -> Response | None:
        """The payment that the step made."""
        created = {"gte": int(since.timestamp()), "lte": int(until.timestamp()) + 1}
        page: Object = {"created": created, "limit": "100"}
        while True:
            found = (await self._call("payment_intents.list", page)).body
            for one in found["data"]:
                if one["metadata"].get("step") == key:
                    return await self.look(one["id"])
            if not found["has_more"]:
                return None
            page = page | {"starting_after": found["data"][-1]["id"]}

    async def action(self, reference: str) -> ClientSecret:
        """What the shopper needs to prove who they are."""
        reply = await self._call("payment_intents.retrieve", {"id": reference})
        return ClientSecret(reply.body["client_secret"])

    def chargeable(self, amount: Money) -> str | None:
        """As Stripe's: the sandbox has its digits."""
        return chargeable(amount)

    def news(self, body: bytes, signature: str, now: datetime) -> News:
        """What the sandbox delivered. NewsRejected."""
        return read_news(
            body,
            signature,
            now,
            secrets=[self.books.webhook_secret],
            livemode=False,
            api_version=API_VERSION,
        )

    async def recent(self, since: datetime) -> AsyncIterator[News]:
        """The news since a moment, oldest first, delivered or not."""
        for event in await self.worker.run(lambda: self.books.events(since, echoes=self.echoes)):
            yield news_of(event, livemode=False, api_version=API_VERSION)

    async def reported_until(self) -> datetime:
        """The end of this second: the sandbox's report is never late."""
        return self.books.clock() + timedelta(seconds=1)

    async def report(self, *, since: datetime, until: datetime, to: BinaryIO) -> None:
        """The books' own movements."""

        def write() -> None:
            for text in balance_report(report_lines(self.books, since=since, until=until)):
                to.write(text.encode())

        await asyncio.to_thread(write)

    def charges(self, order_id: OrderId | None = None) -> list[Charge]:
        """A line per payment, oldest first; of one order where one is named. Blocks."""
        return self.books.charges(order_id)

    def close(self) -> None:
        """Ends what is under way, and blocks until then; later calls raise GatewayUnavailable."""
        self.worker.close()
        self.books.close()

    async def check(self) -> list[Finding]:
        """Says that no money moves."""
        return [Finding(ok=True, text="the sandbox gateway: no money moves")]

    async def aclose(self) -> None:
        """Ends what is under way; later calls raise GatewayUnavailable."""
        await asyncio.to_thread(self.close)

    async def _call(
        self, operation: str, parameters: Object, *, key: str | None = None, declines: bool = False
    ) -> Reply:
        """A call's reply, with the payment intent as its body also where `declines` are no error."""
        reply = await self.worker.run(lambda: self.books.request(operation, parameters, key=key))
        if reply.delay_seconds:
            await asyncio.sleep(reply.delay_seconds)
        if reply.fault in ("lost_before", "lost_after", "reset", "garbled"):
            raise GatewayUnclear("no_answer")
        if reply.status == 200:
            return reply
        error = reply.body["error"]
        code, request_id = error.get("code") or error["type"], reply.request_id
        if declines and reply.status == 402 and "payment_intent" in error:
            return Reply(status=200, body=error["payment_intent"], request_id=request_id)
        if reply.status in (401, 403, 409, 424, 429):
            alarm = reply.status in (401, 403)
            raise GatewayUnavailable(code, request_id=request_id, alarm=alarm)
        if reply.status >= 500 or code == "idempotency_error":
            raise GatewayUnclear(code, request_id=request_id, stored=True)
        raise GatewayRefusal(code, request_id=request_id)

    def _amount(self, amount: Money) -> str:
        if (code := chargeable(amount)) is not None:
            raise GatewayRefusal(code)
        return str(to_stripe(amount))


def _response(reply: Reply, standing: Standing) -> Response:
    return Response(standing=standing, request_id=reply.request_id)
