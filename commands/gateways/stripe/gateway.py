"""The gateway over Stripe's API.

What is sent depends on the arguments alone, but for the return URL: a call made again under its key is the
same. Where that setting was changed in between, Stripe says that the key was used for something else: a look
tells then.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import structlog
from stripe import ListObject

from aggregates.kernel import Money, OrderId
from aggregates.payments.standing import Standing
from commands.gateways.gateway import (
    ClientSecret,
    Finding,
    GatewayRefusal,
    GatewayUnclear,
    News,
    NewsRejected,
    Response,
)
from commands.gateways.stripe.calls import CALL_SECONDS, Calls, Reply
from commands.gateways.stripe.check import check
from commands.gateways.stripe.reports import POLL_SECONDS, reported_until, write_report
from commands.gateways.stripe_amounts import chargeable, to_stripe
from commands.gateways.stripe_events import API_VERSION, SUBSCRIBED_TYPES, news_of, read_news
from commands.gateways.stripe_members import Object
from commands.gateways.stripe_objects import (
    standing_of_dispute,
    standing_of_intent,
    standing_of_refund,
    with_part,
)

if TYPE_CHECKING:
    from stripe.params import (
        DisputeListParams,
        EventListParams,
        PaymentIntentCaptureParams,
        PaymentIntentCreateParams,
        PaymentIntentListParams,
        RefundCreateParams,
        RefundListParams,
    )

log_lines = structlog.get_logger("commands.gateways.stripe")

PAGE_MAX = 100
"""The most objects that Stripe lists at once."""
TYPES_MAX = 20
"""The most types of events that one list may name."""
FIRST_WINDOW = timedelta(minutes=15)
"""A step's payment is nearly always made at once; lists begin with the latest."""
CLOCKS_APART = timedelta(minutes=5)
"""How far Stripe's clock, which dates payments, may be behind ours."""
SEARCHES_MAX = 1_000


@dataclass(slots=True)
class _Search:
    """How far a step's payment was looked for: a day of many payments is read once, over many calls.

    A payment is listed as soon as it is made, so a time that lies behind gets no new ones.
    """

    since: datetime  # all before is read
    end: datetime | None = None  # of the window whose pages are being read
    after: str | None = None  # the last payment that was read in it


class StripeGateway:
    """See Gateway. Test or live money follows from the key."""

    name = "stripe"

    def __init__(
        self,
        secret_key: str,
        *,
        webhook_secrets: Sequence[str],
        publishable_key: str | None = None,
        api_base: str = "https://api.stripe.com",
        return_url: str | None = None,
        call_seconds: float = CALL_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`poll_seconds`: the first pause while a report is made."""
        self.publishable_key = publishable_key
        self._return_url = return_url
        self.livemode = "_live_" in secret_key[:8]
        self._webhook_secrets = tuple(webhook_secrets)
        self._calls = Calls(secret_key, api_base=api_base, call_seconds=call_seconds)
        self._v1 = self._calls.client.v1
        self._poll_seconds = poll_seconds
        self._searches: dict[str, _Search] = {}  # by the step's key, the longest unfinished first

    async def authorize(
        self, *, key: str, method: str, amount: Money, order_id: OrderId, in_parts: bool = False
    ) -> Response:
        """See Gateway. Creates a PaymentIntent and confirms it in one call."""
        params: PaymentIntentCreateParams = {
            "amount": _units(amount),
            "currency": amount.currency.lower(),
            "capture_method": "manual",
            "confirm": True,
            "allowed_payment_method_types": ["card"],
            "use_stripe_sdk": True,
            "metadata": {"order": order_id, "step": key},
            "expand": ["latest_charge"],
        }
        if method.startswith("ctoken_"):
            params["confirmation_token"] = method
        else:
            params["payment_method"] = method
        if self._return_url is not None:
            params["return_url"] = self._return_url
        if in_parts:
            params["payment_method_options"] = {"card": {"request_multicapture": "if_available"}}
        answer = await self._calls.call(
            "payment_intents.create",
            lambda: self._v1.payment_intents.create_async(params, {"idempotency_key": key}),
            declines=True,
        )
        return _response(answer, standing_of_intent)

    async def capture(self, *, key: str, reference: str, amount: Money, final: bool = True) -> Response:
        """See Gateway. Only where several captures were granted may one not be final."""
        params: PaymentIntentCaptureParams = {
            "amount_to_capture": _units(amount),
            "expand": ["latest_charge"],
        }
        if not final or amount.amount == 0:  # Stripe takes a capture as final where nothing is said.
            params["final_capture"] = final
        answer = await self._calls.call(
            "payment_intents.capture",
            lambda: self._v1.payment_intents.capture_async(reference, params, {"idempotency_key": key}),
        )
        return _response(answer, standing_of_intent)

    async def void(self, *, key: str, reference: str, unless_authorized: bool = False) -> Response:
        """See Gateway."""
        if unless_authorized and (ended := await self._ended(reference)) is not None:
            return ended
        try:
            answer = await self._calls.call(
                "payment_intents.cancel",
                lambda: self._v1.payment_intents.cancel_async(
                    reference, {"expand": ["latest_charge"]}, {"idempotency_key": key}
                ),
            )
        except GatewayRefusal:
            # The shopper was quicker, or another call of ours was: what is there now answers.
            if unless_authorized and (ended := await self._ended(reference)) is not None:
                return ended
            raise
        return _response(answer, standing_of_intent)

    async def refund(
        self, *, key: str, reference: str, amount: Money, credit_note_id: str | None
    ) -> Response:
        """See Gateway."""
        metadata = {"step": key} if credit_note_id is None else {"step": key, "credit_note": credit_note_id}
        params: RefundCreateParams = {
            "payment_intent": reference,
            "amount": _units(amount),
            "metadata": metadata,
        }
        answer = await self._calls.call(
            "refunds.create", lambda: self._v1.refunds.create_async(params, {"idempotency_key": key})
        )
        return _response(answer, standing_of_refund)

    async def look(self, reference: str) -> Response:
        """See Gateway. Also by the id of a charge, a refund or a dispute, which news may bear."""
        answer = await self._intent(await self._payment_of(reference))
        found = _response(answer, standing_of_intent)
        standing, intent = found.standing, found.standing.reference
        if standing.captured == 0:  # There is nothing to give back or to dispute.
            return found
        async for refund in self._listed("refunds.list", partial(self._refunds, intent)):
            standing = with_part(standing, _read(standing_of_refund, refund))
        async for dispute in self._listed("disputes.list", partial(self._disputes, intent)):
            standing = with_part(standing, _read(standing_of_dispute, dispute))
        return replace(found, standing=standing)

    async def find(self, *, key: str, since: datetime, until: datetime) -> Response | None:
        """See Gateway. By list: Stripe's search lags behind, its lists do not.

        Where it is given up on the way, the next call for the key goes on after the last page that was read.
        """
        search = self._searches.setdefault(key, _Search(since))
        if len(self._searches) > SEARCHES_MAX:
            del self._searches[next(iter(self._searches))]
        while search.since < until:
            first = search.since == since
            search.end = search.end or min(until, since + FIRST_WINDOW if first else until)
            list_page = partial(self._intents, max(since, search.since - CLOCKS_APART), search.end)
            async for page in self._pages("payment_intents.list", list_page, after=search.after):
                for intent in page:
                    metadata = intent.get("metadata")
                    if isinstance(metadata, Mapping) and metadata.get("step") == key:
                        return await self.look(str(intent.get("id")))
                search.after = str(page[-1].get("id")) if page else None
            search.since, search.end, search.after = search.end, None, None
        return None

    async def action(self, reference: str) -> ClientSecret:
        """See Gateway. GatewayRefusal where Stripe does not wait for the shopper."""
        answer = await self._intent(reference)
        secret = answer.body.get("client_secret")
        if answer.body.get("status") != "requires_action" or not isinstance(secret, str):
            raise GatewayRefusal("no_action_needed", request_id=answer.request_id)
        return ClientSecret(secret)

    def chargeable(self, amount: Money) -> str | None:
        """See Gateway."""
        return chargeable(amount)

    def news(self, body: bytes, signature: str, now: datetime) -> News:
        """See Gateway."""
        return read_news(
            body,
            signature,
            now,
            secrets=self._webhook_secrets,
            livemode=self.livemode,
            api_version=API_VERSION,
        )

    async def recent(self, since: datetime) -> AsyncIterator[News]:
        """See Gateway. Stripe keeps them for 30 days and lists the latest first: all are read before any."""
        found: list[News] = []
        for first in range(0, len(SUBSCRIBED_TYPES), TYPES_MAX):
            types = list(SUBSCRIBED_TYPES[first : first + TYPES_MAX])
            async for event in self._listed("events.list", partial(self._events, since, types)):
                try:
                    found.append(news_of(event, livemode=self.livemode, api_version=API_VERSION))
                except NewsRejected as error:  # One that cannot be read must not hide the others.
                    log_lines.critical("event_unreadable", member=str(error))
        for news in sorted(found, key=lambda one: one.created):
            yield news

    async def reported_until(self) -> datetime:
        """See Gateway."""
        return await reported_until(self._calls)

    async def report(self, *, since: datetime, until: datetime, to: BinaryIO) -> None:
        """See Gateway."""
        await write_report(self._calls, since=since, until=until, to=to, poll_seconds=self._poll_seconds)

    async def check(self) -> list[Finding]:
        """See Gateway."""
        return await check(self._calls, livemode=self.livemode)

    async def aclose(self) -> None:
        """See Gateway."""
        await self._calls.aclose()

    async def _ended(self, reference: str) -> Response | None:
        """The payment, where it holds or took money, or is closed."""
        found = await self.look(reference)
        return found if found.standing.most or found.standing.closed else None

    async def _intent(self, reference: str) -> Reply:
        return await self._calls.call(
            "payment_intents.retrieve",
            lambda: self._v1.payment_intents.retrieve_async(reference, {"expand": ["latest_charge"]}),
        )

    async def _payment_of(self, reference: str) -> str:
        """The PaymentIntent's id for its own, or that of a charge, a refund or a dispute."""
        retrieve: Callable[[], Awaitable[Any]]
        match reference.partition("_")[0]:
            case "ch" | "py":
                endpoint, retrieve = "charges", partial(self._v1.charges.retrieve_async, reference)
            case "re" | "pyr":
                endpoint, retrieve = "refunds", partial(self._v1.refunds.retrieve_async, reference)
            case "du" | "dp":
                endpoint, retrieve = "disputes", partial(self._v1.disputes.retrieve_async, reference)
            case _:
                return reference
        answer = await self._calls.call(f"{endpoint}.retrieve", retrieve)
        intent = answer.body.get("payment_intent")
        if not isinstance(intent, str):
            raise GatewayRefusal("no_payment_intent", request_id=answer.request_id)
        return intent

    # Pages of lists, each from the start or after the last object of the page before.

    def _refunds(self, intent: str, after: str | None) -> Awaitable[ListObject[Any]]:
        params: RefundListParams = {"payment_intent": intent, "limit": PAGE_MAX}
        if after is not None:
            params["starting_after"] = after
        return self._v1.refunds.list_async(params)

    def _disputes(self, intent: str, after: str | None) -> Awaitable[ListObject[Any]]:
        params: DisputeListParams = {"payment_intent": intent, "limit": PAGE_MAX}
        if after is not None:
            params["starting_after"] = after
        return self._v1.disputes.list_async(params)

    def _intents(self, start: datetime, end: datetime, after: str | None) -> Awaitable[ListObject[Any]]:
        params: PaymentIntentListParams = {
            "created": {"gte": math.floor(start.timestamp()), "lte": math.ceil(end.timestamp())},
            "limit": PAGE_MAX,
        }
        if after is not None:
            params["starting_after"] = after
        return self._v1.payment_intents.list_async(params)

    def _events(self, since: datetime, types: list[str], after: str | None) -> Awaitable[ListObject[Any]]:
        params: EventListParams = {
            "created": {"gte": math.floor(since.timestamp())},
            "types": types,
            "limit": PAGE_MAX,
        }
        if after is not None:
            params["starting_after"] = after
        return self._v1.events.list_async(params)

    async def _listed(
        self, endpoint: str, page: Callable[[str | None], Awaitable[ListObject[Any]]]
    ) -> AsyncIterator[Object]:
        """Every object of a list, page by page."""
        async for objects in self._pages(endpoint, page):
            for one in objects:
                yield one

    async def _pages(
        self,
        endpoint: str,
        page: Callable[[str | None], Awaitable[ListObject[Any]]],
        *,
        after: str | None = None,
    ) -> AsyncIterator[list[Object]]:
        """The pages of a list, from its start or after an object of it."""
        while True:
            answer = await self._calls.call(endpoint, partial(page, after))
            data = answer.body.get("data")
            if not isinstance(data, list) or not all(isinstance(one, Mapping) for one in data):
                raise GatewayUnclear("unreadable_answer", request_id=answer.request_id)
            yield data
            if not data or answer.body.get("has_more") is not True:
                return
            last = data[-1].get("id")
            if not isinstance(last, str) or last == after:
                raise GatewayUnclear("unreadable_answer", request_id=answer.request_id)
            after = last


def _units(amount: Money) -> int:
    if (code := chargeable(amount)) is not None:
        raise GatewayRefusal(code)
    return to_stripe(amount)


def _response(answer: Reply, read: Callable[[Object], Standing]) -> Response:
    return Response(standing=_read(read, answer.body), request_id=answer.request_id)


def _read(read: Callable[[Object], Standing], found: Object) -> Standing:
    try:
        return read(found)
    except NewsRejected:
        unreadable = GatewayUnclear("unreadable_answer")
    raise unreadable
