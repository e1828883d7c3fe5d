"""Commands on carts that have outside providers asked before they are answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from fastapi import Request
from starlette.responses import Response

from aggregates.pricing.provider_requests import TaxRequest
from commands.handlers.cart import ASKS, CartCommand
from commands.http.problems import SHIPPING_UNAVAILABLE, TAX_UNAVAILABLE
from commands.http.requests import context_of
from commands.http.responses import outcome, response_of
from commands.providers.asking import Asking, Unanswered
from deploy.edge.problems import RETRY_SOON, problem


async def answered_with_quotes(request: Request, command: CartCommand) -> Response:
    """The command's outcome, once the cart has the quotes of outside providers that its price depends on.

    503 where one does not answer: what the command did stays, and the same request asks again.
    """
    state = request.app.state
    answer = await outcome(request, command)
    asking = Asking(
        log=state.log,
        handling=state.handling,
        providers=state.providers,
        lock=timedelta(seconds=state.settings.price_lock_seconds),
    )
    try:
        answer = await asking.settle(
            command.cart_id, answer, at=command.at, context=await context_of(request)
        )
    except Unanswered as error:
        return problem(
            TAX_UNAVAILABLE if isinstance(error.request, TaxRequest) else SHIPPING_UNAVAILABLE,
            headers=RETRY_SOON,
            provider=error.request.provider,
            why=error.why,
            position=error.answer.position,
        )
    facts = {name: fact for name, fact in answer.facts.items() if name != ASKS}
    return response_of(replace(answer, facts=facts))
