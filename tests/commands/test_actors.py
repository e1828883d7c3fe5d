"""A decision knows who asked for it, whoever else is in the batch."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from aggregates.inventory.events import StockReceived
from commands.handlers.registry import HANDLERS
from commands.importing.online_retail.handlers import IMPORT_HANDLERS
from commands.importing.online_retail.recording import ReceiveOpeningStock
from commands.importing.submitting import Submitter
from commands.loop.decision import ANONYMOUS, IMPORT_CHANNEL, Actor, Context, Decision
from commands.loop.handling import Handler, Handlers, Handling
from commands.loop.state_cache import StateCache
from event_store.records import EventLog
from tests.shop.facts import CODEC
from tests.shop.http import open_shop

CLERK = Actor("operator", "clerk", frozenset({"operator", "buyer"}))


@dataclass(frozen=True, slots=True)
class SignFor:
    """Receive a unit in the name of who asks."""

    name: ClassVar = "sign_for"


def handle_sign_for(cache: StateCache, command: SignFor) -> Decision:
    cache.state("stock-MUG")
    who = " ".join((str(cache.actor), *sorted(cache.actor.roles)))
    decision = Decision(id="MUG", stream="stock-MUG")
    decision.add("stock-MUG", [StockReceived(sku="MUG", location="main", quantity=1, reason=who)])
    return decision


def test_each_decision_of_a_batch_sees_its_own_actor_and_roles(log: EventLog) -> None:
    """Two processes take turns on one stream, so that many are decided again."""
    actors = [CLERK, ANONYMOUS, Actor("import", "books.csv")] * 20

    async def scenario() -> None:
        handlers: Handlers = {SignFor: handle_sign_for}
        async with Handling(log, CODEC, handlers) as one, Handling(log, CODEC, handlers) as two:
            await asyncio.gather(
                *(
                    (one, two)[n % 2].handle(SignFor(), Context(actor=actor, channel="api"))
                    for n, actor in enumerate(actors)
                )
            )

    asyncio.run(scenario())
    signed = [(one.actor, CODEC.decode(one).reason) for one in log.read_all(after=0, limit=100)]
    assert len(signed) == len(actors)
    roles = {CLERK: "operator:clerk buyer operator"}
    assert {*signed} == {(str(actor), roles.get(actor, str(actor))) for actor in actors}


def test_requests_processes_and_imports_are_each_seen_as_who_they_are(log: EventLog, tmp_path: Path) -> None:
    seen: dict[str, set[str]] = {}

    def noting(handler: Handler) -> Handler:
        def handle(cache: StateCache, command: Any) -> Decision:
            seen.setdefault(command.name, set()).add(cache.actor.kind)
            return handler(cache, command)

        return handle

    async def scenario() -> None:
        async with open_shop(log, tmp_path, operator_token="t" * 20) as shop:
            shop.handling._deciding._handlers = {
                cls: noting(handler) for cls, handler in {**HANDLERS, **IMPORT_HANDLERS}.items()
            }
            shop.client.headers["Authorization"] = f"Bearer {'t' * 20}"
            await shop.product("MUG", units=5)
            del shop.client.headers["Authorization"]
            answer = await shop.checkout(await shop.cart(MUG=1))
            assert answer.status_code == 201, answer.text
            submitter = Submitter(shop.handling, actor="books.csv")
            receiving = ReceiveOpeningStock(sku="MUG", quantity=1, reason="", source="books.csv")
            await submitter.submit(receiving, valid_at=datetime(2026, 1, 1, tzinfo=UTC), events=1)
            await submitter.flush()

    asyncio.run(scenario())
    assert seen == {
        "list_product": {"operator"},
        "receive_stock": {"operator"},
        "open_cart": {"anonymous"},
        "add_item": {"anonymous"},
        "place_order": {"anonymous"},
        "record_gateway_outcome": {"process"},
        "receive_opening_stock": {"import"},
    }
    assert IMPORT_CHANNEL in {row.channel for row in log.journal_rows(first_position=1, last_position=100)}
