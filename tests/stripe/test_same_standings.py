"""One history, once through the library and HTTP and once through the sandbox: both gateways say the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregates.kernel import Money
from aggregates.payments.standing import Standing
from commands.gateways.gateway import Gateway, GatewayError, GatewayUnclear
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, CHARGE_DECLINED, VISA, Books, SandboxGateway
from commands.gateways.sandbox.cards import (
    CAPTURE_REFUSED,
    CREATE_DISPUTE,
    INSUFFICIENT_FUNDS,
    PENDING_REFUND,
    REFUND_FAIL,
)
from commands.gateways.stripe.gateway import StripeGateway
from tests.stripe.face import KEY, Face

ORDER = "5" * 32
TOTAL = Money(1299, "EUR")


class Story:
    """A payment at one gateway, and what each call told."""

    def __init__(self, gateway: Gateway, books: Books, run: Callable[[Any], Any]) -> None:
        self.gateway, self.books, self._run = gateway, books, run
        self.reference = ""
        self.results: list[Any] = []
        self._names: dict[str, str] = {}

    def call(self, name: str, number: int = 1, **how: Any) -> None:
        """A call under the step's key, or a look."""
        if name != "look":
            how["key"] = f"checkout-{ORDER}/{number}"
        if name == "authorize":
            how = {"method": VISA, "amount": TOTAL, "order_id": ORDER} | how
        else:
            how = {"reference": self.reference} | how
        try:
            standing = self._run(getattr(self.gateway, name)(**how)).standing
        except GatewayError as error:
            # Of a connection that broke, only that it broke is the same.
            code = "" if isinstance(error, GatewayUnclear) and not error.request_id else error.code
            self.results.append((type(error).__name__, code, getattr(error, "stored", None)))
            return
        self.reference = standing.reference
        self.results.append(self._named(standing))

    def money(self, amount: int) -> Money:
        return Money(amount, TOTAL.currency)

    def last(self, kind: str) -> str:
        """The latest refund or dispute."""
        return str(self.books.objects(self.reference, kind)[-1]["id"])

    def _named(self, standing: Standing) -> Standing:
        """With names of our own for what each gateway names as it likes."""

        def name(reference: str) -> str:
            return self._names.setdefault(reference, f"{reference[:3]}{len(self._names)}")

        return replace(
            standing,
            reference=name(standing.reference),
            capture_before=None,
            refunds=tuple(
                replace(one, reference=name(one.reference))
                for one in sorted(standing.refunds, key=lambda one: (one.amount, one.state))
            ),
            moves=tuple(
                replace(one, transaction=name(one.transaction), dispute=name(one.dispute))
                for one in sorted(standing.moves, key=lambda one: (one.amount, one.fee))
            ),
        )


def taken(story: Story, method: str = VISA) -> None:
    story.call("authorize", method=method)
    story.call("capture", 2, amount=TOTAL)


def full_life(story: Story) -> None:
    taken(story)
    story.call("refund", 3, amount=story.money(500), credit_note_id="C1")
    story.call("refund", 3, amount=story.money(500), credit_note_id="C1")
    story.call("refund", 4, amount=story.money(800), credit_note_id="C2")
    story.call("refund", 5, amount=story.money(799), credit_note_id=None)
    story.call("refund", 6, amount=story.money(1), credit_note_id="C3")
    story.call("void", 7)


def in_parts(story: Story) -> None:
    story.call("authorize", in_parts=True)
    story.call("capture", 2, amount=story.money(300), final=False)
    story.call("capture", 3, amount=story.money(1000), final=False)
    story.call("capture", 4, amount=story.money(0), final=True)


def proof(story: Story) -> None:
    story.call("authorize", method=AUTHENTICATION_REQUIRED)
    story.books.shopper_fails(story.reference)
    story.call("look")
    story.call("capture", 2, amount=TOTAL)
    story.books.shopper_pays_with(story.reference, VISA)
    story.call("void", 3, unless_authorized=True)
    story.call("authorize", method=AUTHENTICATION_REQUIRED)


def given_up(story: Story) -> None:
    story.call("authorize", method=AUTHENTICATION_REQUIRED)
    story.call("void", 2, unless_authorized=True)
    story.call("void", 3)
    story.call("void", 4, unless_authorized=True)


def lapsed(story: Story) -> None:
    story.call("authorize")
    story.books.hold_lapses(story.reference)
    story.call("capture", 2, amount=TOTAL)
    story.call("look")


def disputed(story: Story) -> None:
    taken(story, CREATE_DISPUTE)
    story.call("refund", 3, amount=story.money(10), credit_note_id="C1")
    story.books.dispute_won(story.last("dispute"))
    story.call("refund", 4, amount=story.money(10), credit_note_id="C1")


def refunds_that_wait(story: Story) -> None:
    taken(story, PENDING_REFUND)
    story.call("refund", 3, amount=story.money(500), credit_note_id="C1")
    story.books.refund_settles(story.last("refund"))
    story.call("look")
    story.books.refund_fails(story.last("refund"))
    story.books.refund_in_dashboard(story.reference, 30)


def refund_to_a_dead_card(story: Story) -> None:
    taken(story, REFUND_FAIL)
    story.call("refund", 3, amount=story.money(500), credit_note_id="C1")


def used_keys(story: Story) -> None:
    story.call("authorize")
    story.call("authorize")
    story.call("authorize", amount=story.money(1300))
    story.call("capture", 1, amount=TOTAL)


def too_little(story: Story) -> None:
    story.call("authorize", amount=story.money(49))
    story.call("authorize", method="pm_card_unknown")
    story.call("authorize", amount=Money(1, "KWD"))
    story.call("authorize", method="ctoken_visa")


def declined(method: str) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        for _ in range(2):
            story.call("authorize", method=method)
        story.call("void", 2)

    return tell


def hit_by(fault: Any) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        story.call("authorize")
        story.books.plant("payment_intents.capture", fault)
        for _ in range(3):
            story.call("capture", 2, amount=TOTAL)

    return tell


STORIES: dict[str, Callable[[Story], None]] = {
    "full life": full_life,
    "in parts": in_parts,
    "proof": proof,
    "given up": given_up,
    "lapsed": lapsed,
    "disputed": disputed,
    "refunds that wait": refunds_that_wait,
    "refund to a dead card": refund_to_a_dead_card,
    "used keys": used_keys,
    "too little": too_little,
    "declined": declined(CHARGE_DECLINED),
    "no funds": declined(INSUFFICIENT_FUNDS),
    "capture refused": lambda story: taken(story, CAPTURE_REFUSED),
} | {
    fault: hit_by(fault)
    for fault in ("lost_before", "lost_after", "reset", "garbled", "500", "500_done", "429", "409", "401")
}


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("name", STORIES)
def test_both_gateways_tell_the_same(face: Face, tmp_path: Path, runner: asyncio.Runner, name: str) -> None:
    sandbox = SandboxGateway(tmp_path / "sandbox.sqlite")
    real = StripeGateway(
        KEY, webhook_secrets=["whsec_x"], api_base=face.url, return_url="https://shop.example/paid"
    )
    results = []
    gateways: list[tuple[Gateway, Books]] = [(sandbox, sandbox.books), (real, face.books)]
    for gateway, books in gateways:
        story = Story(gateway, books, runner.run)
        try:
            STORIES[name](story)
            if story.reference:
                story.call("look")
        finally:
            runner.run(gateway.aclose())
        results.append(story.results)
    assert results[0] == results[1]
    assert results[0]
