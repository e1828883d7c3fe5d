"""What happens at the sandbox without a call of ours, and the news that tell of it."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from aggregates.kernel import Money
from aggregates.payments.standing import Standing, join
from commands.gateways.gateway import GatewayRefusal, News, NewsRejected
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, CHARGE_DECLINED, VISA, SandboxGateway
from commands.gateways.sandbox.cards import CREATE_DISPUTE, PENDING_REFUND, REFUND_FAIL
from commands.gateways.stripe_events import API_VERSION
from commands.gateways.stripe_signature import sign
from tests.gateways.sandbox import FOUR, ORDER, TEN, Sandbox, run


def recent(sandbox: Sandbox, *, echoes: bool = True) -> list[News]:
    gateway = SandboxGateway(sandbox.books, echoes=echoes)

    async def collect() -> list[News]:
        return [news async for news in gateway.recent(sandbox.clock() - timedelta(days=30))]

    return run(collect())


def joined_news(sandbox: Sandbox, reference: str, *, seed: int = 0) -> Standing:
    """What the news alone tell of a payment: each twice, in an order of chance."""
    parts = [news.standing for news in recent(sandbox) if news.standing and news.reference == reference] * 2
    random.Random(seed).shuffle(parts)
    joined = parts[0]
    for part in parts[1:]:
        joined = join(joined, part)
    return joined


def without_order_of(standing: Standing) -> tuple[object, ...]:
    return (
        standing.authorized,
        standing.captured,
        standing.closed,
        standing.failed,
        standing.capture_before,
        sorted(standing.refunds, key=str),
        sorted(standing.moves, key=str),
    )


# The shopper


def test_a_shopper_who_proves_who_they_are_has_the_money_held(sandbox):
    reference = sandbox.authorize(AUTHENTICATION_REQUIRED).reference
    sandbox.books.shopper_passes(reference)
    assert sandbox.look(reference).held == 1000
    with pytest.raises(GatewayRefusal):
        sandbox.books.shopper_passes(reference)


def test_a_shopper_who_fails_may_pay_with_another_card(sandbox):
    reference = sandbox.authorize(AUTHENTICATION_REQUIRED).reference
    sandbox.books.shopper_fails(reference)
    failed = sandbox.look(reference)
    assert (failed.failed, failed.held, failed.open) == ("payment_intent_authentication_failure", 0, True)
    sandbox.books.shopper_pays_with(reference, CHARGE_DECLINED)
    assert sandbox.look(reference).failed == "card_declined"
    sandbox.books.shopper_pays_with(reference, VISA)
    assert sandbox.look(reference).held == 1000
    assert [charge.status for charge in sandbox.gateway.charges()] == ["authorized"]


def test_a_shopper_may_prove_it_and_be_declined_all_the_same(sandbox):
    method = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    reference = sandbox.authorize(method).reference
    sandbox.books.shopper_passes(reference)
    standing = sandbox.look(reference)
    assert (standing.failed, standing.held) == ("card_declined", 0)


def test_a_canceled_payment_takes_no_card_any_more(sandbox):
    reference = sandbox.authorize(AUTHENTICATION_REQUIRED).reference
    sandbox.void(reference)
    for act in (
        lambda: sandbox.books.shopper_passes(reference),
        lambda: sandbox.books.shopper_fails(reference),
        lambda: sandbox.books.shopper_pays_with(reference, VISA),
    ):
        with pytest.raises(GatewayRefusal, match="payment_intent_unexpected_state"):
            act()


# The bank


@pytest.mark.parametrize("by_itself", [True, False])
def test_a_hold_lapses_and_says_so(sandbox, by_itself):
    standing = sandbox.authorize()
    assert standing.capture_before == sandbox.clock() + timedelta(days=7)
    if by_itself:
        sandbox.clock.forward(days=7)
        sandbox.books.sweep()
    else:
        sandbox.books.hold_lapses(standing.reference)
    assert sandbox.news()[-2:] == ["charge.expired", "payment_intent.canceled"]
    assert sandbox.look(standing.reference).closed == "lapsed"
    assert [charge.status for charge in sandbox.gateway.charges()] == ["lapsed"]


def test_a_hold_that_is_over_cannot_be_taken_even_before_anybody_swept(sandbox):
    reference = sandbox.authorize().reference
    sandbox.clock.forward(days=7)
    with pytest.raises(GatewayRefusal, match="payment_intent_unexpected_state"):
        sandbox.capture(reference)
    assert sandbox.look(reference).closed == "lapsed"


def test_a_hold_that_was_taken_in_part_lapses_as_captured(sandbox):
    reference = sandbox.authorize(in_parts=True).reference
    sandbox.capture(reference, FOUR, final=False)
    sandbox.books.hold_lapses(reference)
    standing = sandbox.look(reference)
    assert (standing.closed, standing.captured, standing.held) == ("captured", 400, 0)


def test_a_pending_refund_settles_or_fails(sandbox):
    for ends, state, returned in (("refund_settles", "succeeded", 400), ("refund_fails", "failed", 0)):
        reference = sandbox.captured(PENDING_REFUND)
        (refund,) = sandbox.refund(reference).refunds
        assert (refund.state, sandbox.look(reference).returned) == ("pending", 400)
        assert len(sandbox.books.objects(reference, "balance_transaction")) == 1  # the charge's
        getattr(sandbox.books, ends)(refund.reference)
        moved = sandbox.books.objects(reference, "balance_transaction")
        assert sum(one["amount"] for one in moved) == 1000 - returned
        standing = sandbox.look(reference)
        assert (standing.refunds[0].state, standing.returned) == (state, returned)


def test_a_refund_that_arrived_may_come_back_and_be_made_again(sandbox):
    reference = sandbox.captured()
    (refund,) = sandbox.refund(reference, TEN).refunds
    sandbox.books.refund_fails(refund.reference)
    assert sandbox.look(reference).returned == 0
    sandbox.refund(reference, TEN)
    assert sandbox.look(reference).returned == 1000
    moved = sandbox.books.objects(reference, "balance_transaction")
    assert [(one["type"], one["amount"]) for one in moved] == [
        ("charge", 1000),
        ("refund", -1000),
        ("refund_failure", 1000),
        ("refund", -1000),
    ]
    with pytest.raises(GatewayRefusal):
        sandbox.books.refund_settles(refund.reference)


def test_a_refund_to_a_dead_card_succeeds_and_then_fails_by_itself(sandbox):
    reference = sandbox.captured(REFUND_FAIL)
    assert sandbox.refund(reference).refunds[0].state == "succeeded"
    assert sandbox.look(reference).refunds[0].state == "failed"
    assert "refund.failed" in sandbox.news()


def test_a_refund_in_the_dashboard_has_neither_step_nor_credit_note(sandbox):
    reference = sandbox.captured()
    sandbox.books.refund_in_dashboard(reference, 300)
    (refund,) = sandbox.look(reference).refunds
    assert (refund.amount, refund.step, refund.credit_note_id) == (300, None, None)


@pytest.mark.parametrize(
    ("statuses", "disputed"),
    [
        ((), 1000),
        (("under_review", "won"), 0),
        (("under_review", "lost"), 1000),
        (("won", "lost"), 1000),
        (("lost", "appeal_under_review", "won"), 0),
    ],
)
def test_a_dispute_moves_money_by_its_transactions(sandbox, statuses, disputed):
    reference = sandbox.captured()
    dispute = sandbox.books.dispute(reference, 1000)
    for status in statuses:
        sandbox.books.dispute_becomes(dispute, status)
    standing = sandbox.look(reference)
    assert standing.disputed == disputed
    assert standing.moves[0].fee == 1500


def test_an_inquiry_moves_nothing_until_it_becomes_a_dispute(sandbox):
    reference = sandbox.captured()
    dispute = sandbox.books.dispute(reference, 1000, inquiry=True)
    assert sandbox.look(reference).moves == ()
    sandbox.books.dispute_becomes(dispute, "warning_closed")
    assert sandbox.look(reference).moves == ()
    sandbox.books.dispute_becomes(dispute, "needs_response")
    assert sandbox.look(reference).disputed == 1000


def test_a_card_can_dispute_by_itself_and_then_nothing_is_left_to_give_back(sandbox):
    reference = sandbox.captured(CREATE_DISPUTE)
    assert sandbox.look(reference).disputed == 1000
    with pytest.raises(GatewayRefusal, match="charge_disputed"):
        sandbox.refund(reference)


# News


def story(sandbox: Sandbox) -> str:
    """A payment to which everything happens."""
    reference = sandbox.authorize(AUTHENTICATION_REQUIRED, in_parts=True).reference
    sandbox.books.shopper_fails(reference)
    sandbox.books.shopper_pays_with(reference, PENDING_REFUND)
    sandbox.capture(reference, FOUR, final=False)
    sandbox.capture(reference, Money(500, "GBP"))
    (first,) = sandbox.refund(reference, Money(100, "GBP"), credit_note="C-1").refunds
    (second,) = sandbox.refund(reference, Money(50, "GBP")).refunds
    sandbox.books.refund_settles(first.reference)
    sandbox.books.refund_settles(second.reference)
    sandbox.books.refund_fails(second.reference)
    sandbox.books.dispute_won(sandbox.books.dispute(reference, 200))
    sandbox.books.dispute_lost(sandbox.books.dispute(reference, 300))
    return reference


@pytest.mark.parametrize("seed", range(10))
def test_the_news_tell_in_any_order_what_a_look_tells(sandbox, seed):
    reference = story(sandbox)
    looked, joined = sandbox.look(reference), joined_news(sandbox, reference, seed=seed)
    for part in (looked.authorized, looked.captured, looked.returned, looked.disputed):
        assert part > 0
    # The attempt that failed was followed by another, of which only the news still know.
    assert joined.failed == "payment_intent_authentication_failure"
    assert joined.acting
    assert without_order_of(join(joined, looked)) == without_order_of(joined)


def test_news_name_the_key_of_the_call_that_made_them(sandbox):
    reference = sandbox.captured()
    sandbox.books.dispute(reference, 100)
    events = sandbox.books.events(sandbox.clock())
    keys = {event["type"]: event["request"]["idempotency_key"] for event in events}
    assert keys["charge.succeeded"] == f"checkout-{ORDER}/1"
    assert keys["payment_intent.succeeded"] == f"checkout-{ORDER}/2"
    assert keys["charge.dispute.created"] is None
    assert {event["api_version"] for event in events} == {API_VERSION}
    assert len({event["id"] for event in events}) == len(events)


def test_news_are_snapshots(sandbox):
    reference = sandbox.authorize().reference
    sandbox.capture(reference)
    events = sandbox.books.events(sandbox.clock())
    intents = [event["data"]["object"] for event in events if event["type"].startswith("payment_intent.")]
    assert [(one["status"], one["amount_received"]) for one in intents] == [
        ("requires_payment_method", 0),
        ("requires_capture", 0),
        ("succeeded", 1000),
        ("succeeded", 1000),
    ]


def test_a_refused_call_is_no_news(sandbox):
    reference = sandbox.captured()
    before = sandbox.news()
    with pytest.raises(GatewayRefusal):
        sandbox.void(reference)
    sandbox.authorize(key="a")
    after = sandbox.news()
    sandbox.authorize(key="a")
    assert len(after) > len(before)
    assert sandbox.news() == after


def test_only_news_that_the_sandbox_signed_are_read(sandbox):
    reference = sandbox.captured()
    sandbox.books.dispute(reference, 100)
    body = sandbox.books.due(echoes=False)[0].body
    now, secret = sandbox.clock(), sandbox.books.webhook_secret
    news = sandbox.gateway.news(body, sign(body, secret, now), now)
    assert (news.kind, news.reference) == ("charge.dispute.created", reference)
    for signature in (sign(body, "whsec_other", now), sign(body, secret, now - timedelta(hours=1)), ""):
        with pytest.raises(NewsRejected):
            sandbox.gateway.news(body, signature, now)


def test_recent_news_are_without_the_echoes_of_our_own_calls(sandbox):
    reference = sandbox.captured()
    assert recent(sandbox, echoes=False) == []
    sandbox.books.refund_in_dashboard(reference, 100)
    assert [news.kind for news in recent(sandbox, echoes=False)] == ["refund.created", "charge.refunded"]
    assert [news.kind for news in recent(sandbox)] == sandbox.news()


def test_recent_news_begin_at_the_moment_and_end_after_thirty_days(sandbox):
    sandbox.authorize()
    sandbox.clock.forward(days=1)
    since = sandbox.clock()
    reference = sandbox.captured()
    assert {event["data"]["object"]["id"] for event in sandbox.books.events(since)} >= {reference}
    before = len(sandbox.news())
    assert 0 < len(sandbox.books.events(since)) < before
    sandbox.clock.forward(days=30)
    sandbox.books.sweep()
    left = sandbox.books.events(since - timedelta(days=60))
    assert {event["created"] >= int(since.timestamp()) for event in left} == {True}
