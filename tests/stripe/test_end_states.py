"""The end states over HTTP: the real library, stripe-mock before a stateful Stripe, news doubled."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from commands.gateways.gateway import Gateway
from commands.gateways.stripe.gateway import StripeGateway
from tests.payments.test_end_states import SCENARIOS, live
from tests.payments.world import World
from tests.stripe.face import KEY, serving


@pytest.mark.parametrize("name", SCENARIOS)
def test_end_state(name: str, stripe_mock: str, tmp_path: Path) -> None:
    with ExitStack() as servers:

        def over_http(world: World) -> Gateway:
            face = servers.enter_context(serving(world.books, stripe_mock))
            return StripeGateway(
                KEY,
                webhook_secrets=["whsec_test"],
                api_base=face.url,
                return_url="https://shop.example/paid",
            )

        asyncio.run(live(tmp_path, SCENARIOS[name], over_http))
