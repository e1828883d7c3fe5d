"""News that never arrived: the gateway is asked for its recent news, again and again.

What the webhook delivered is known by its id, so asking twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import Counter

from aggregates.payments.events import GatewayNewsFetched
from commands.gateways.gateway import Gateway, GatewayError, News
from commands.handlers.payments import RecordGatewayNews, RecordNewsFetched
from commands.loop.decision import Actor, Context
from commands.processes.kind import Change, Due, NotYet, Opened
from event_store.records import EventLog, RecordedEvent

NEWS = Counter("daybook_gateway_news_total", "News of the gateway by what became of them", ["kind", "result"])

OVERLAP = timedelta(minutes=10)
"""News that are created while others are read may be listed late."""
REACH = timedelta(days=29)
"""Gateways keep their news for 30 days."""

CHANNEL = "gateway"

Submit = Callable[[RecordGatewayNews], Awaitable[Any]]


def command_of(news: News, *, received_on: datetime) -> RecordGatewayNews | None:
    """The command that records the news; None where there is nothing to write down."""
    if news.ignored is not None:
        NEWS.labels(news.kind, news.ignored).inc()
        return None
    NEWS.labels(news.kind, "other_version" if news.other_version else "received").inc()
    return RecordGatewayNews(
        event_id=news.event_id,
        kind=news.kind,
        created=news.created,
        received_on=received_on.date(),
        reference=news.reference,
        standing=news.standing,
        look=news.look,
        concern=news.notice,
    )


def context_of(gateway: Gateway, correlation: str | None = None) -> Context:
    """That of a command on news: the gateway asks for it."""
    return Context(actor=Actor(CHANNEL, gateway.name), channel=CHANNEL, correlation=correlation)


async def catch_up(gateway: Gateway, submit: Submit, *, since: datetime, now: datetime) -> int:
    """Records all news since a moment; how many there were. Raises GatewayError and what `submit` raises."""
    count = 0
    async for news in gateway.recent(max(since, now - REACH)):
        count += 1
        command = command_of(news, received_on=now)
        if command is not None:
            await submit(command)
    return count


class NewsFetching:
    """See ProcessKind. The end of each fetching opens the next."""

    name = "gateway_news"
    event_names = ("payments.gateway_news_fetched",)
    at_once_max = 1
    round_seconds = 1.0

    def __init__(
        self, gateway: Gateway, submit: Submit, *, clock: Callable[[], datetime], every: timedelta
    ) -> None:
        self._gateway = gateway
        self._submit = submit
        self._clock = clock
        self._every = every

    def starts_at(self, log: EventLog) -> int:
        """The log's start: there is one such event for each interval that Daybook ran."""
        return 0

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """Opened again it is the later one instead."""
        match event:
            case GatewayNewsFetched(gateway=name, up_to=up_to) if name == self._gateway.name:
                yield Opened(name, due_at=up_to + self._every)

    async def do(self, due: Due) -> RecordNewsFetched:
        """Asks for all since the last time."""
        last: GatewayNewsFetched = due.event
        now = self._clock()
        try:
            await catch_up(self._gateway, self._submit, since=last.up_to - OVERLAP, now=now)
        except GatewayError as error:
            raise NotYet(f"gateway: {error}") from None
        return RecordNewsFetched(gateway=self._gateway.name, up_to=now)
