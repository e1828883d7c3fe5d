"""What a report has and our log lacks is asked of Stripe, over HTTP and through its own library."""

from __future__ import annotations

import asyncio
from pathlib import Path

from commands.gateways.stripe.gateway import StripeGateway
from event_store.memory.log import MemoryLog
from tests.payments.healing import loses_and_heals
from tests.stripe.face import KEY, Face


def test_what_is_missing_here_is_looked_at_and_matched_ever_after(face: Face, tmp_path: Path) -> None:
    gateway = StripeGateway(
        KEY,
        webhook_secrets=["whsec_test"],
        api_base=face.url,
        return_url="https://shop.example/paid",
    )
    asyncio.run(loses_and_heals(MemoryLog(), tmp_path, gateway, face.books))
