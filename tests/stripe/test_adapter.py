"""The adapter against a stateful Stripe over HTTP, with stripe-mock in front: each call must please both."""

from __future__ import annotations

import asyncio
import io
import logging
import traceback
from datetime import UTC, datetime, timedelta

import pytest

from aggregates.kernel import Money
from aggregates.payments.standing import join
from commands.gateways.gateway import (
    GatewayError,
    GatewayRefusal,
    GatewayUnavailable,
    GatewayUnclear,
)
from commands.gateways.sandbox.objects import CARD_HOLDER
from commands.gateways.stripe.gateway import CLOCKS_APART, StripeGateway
from commands.gateways.stripe_events import API_VERSION, SUBSCRIBED_TYPES, WEBHOOK_PATH
from commands.gateways.stripe_signature import sign
from tests.stripe.face import KEY

ORDER = "5" * 32
TOTAL = Money(1299, "EUR")
VISA, DECLINED, PROOF = "pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired"
SECRET = "whsec_face"
RETURN_URL = "https://shop.example/paid"


def key(number):
    return f"checkout-{ORDER}/{number}"


class Stripe:
    """The adapter with its calls made one after the other, each awaited."""

    def __init__(self, face, runner, secret_key=KEY):
        self.gateway = StripeGateway(
            secret_key,
            webhook_secrets=[SECRET],
            publishable_key="pk_test_face",
            api_base=face.url,
            return_url=RETURN_URL,
        )
        self.run = runner.run
        self.books = face.books

    def authorize(self, method=VISA, number=1, amount=TOTAL, **more):
        call = self.gateway.authorize(key=key(number), method=method, amount=amount, order_id=ORDER, **more)
        return self.run(call)

    def capture(self, reference, amount=TOTAL, number=2, **more):
        return self.run(self.gateway.capture(key=key(number), reference=reference, amount=amount, **more))

    def void(self, reference, number=3, **more):
        return self.run(self.gateway.void(key=key(number), reference=reference, **more))

    def refund(self, reference, amount, number=4, credit_note_id="c" * 32):
        return self.run(
            self.gateway.refund(
                key=key(number), reference=reference, amount=amount, credit_note_id=credit_note_id
            )
        )

    def look(self, reference):
        return self.run(self.gateway.look(reference))

    def find(self, number=1, minutes=5):
        now = datetime.now(UTC)
        since, until = now - timedelta(minutes=minutes), now + timedelta(minutes=1)
        return self.run(self.gateway.find(key=key(number), since=since, until=until))

    def charges_of(self, reference):
        return self.books.objects(reference, "charge")

    def recent(self, since):
        async def read():
            return [news async for news in self.gateway.recent(since)]

        return self.run(read())


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def gateway(face, runner):
    one = Stripe(face, runner)
    yield one
    runner.run(one.gateway.aclose())


def numbers(response):
    standing = response.standing
    return standing.most, standing.captured, standing.returned, standing.disputed, standing.closed


# Authorize


def test_a_card_holds_the_amount(gateway, face):
    response = gateway.authorize()
    assert numbers(response) == (1299, 0, 0, 0, None)
    assert response.standing.capture_before > datetime.now(UTC) + timedelta(days=6)
    assert (response.standing.order_id, response.standing.step) == (ORDER, key(1))
    assert response.request_id.startswith("req_")
    (call,) = face.made("payment_intents.create")
    assert call.key == key(1)
    assert call.parameters == {
        "amount": "1299",
        "currency": "eur",
        "capture_method": "manual",
        "confirm": "true",
        "payment_method": VISA,
        "allowed_payment_method_types": ["card"],
        "use_stripe_sdk": "true",
        "return_url": RETURN_URL,
        "metadata": {"order": ORDER, "step": key(1)},
        "expand": ["latest_charge"],
    }


def test_a_confirmation_token_goes_by_its_own_name(gateway, face):
    assert gateway.authorize("ctoken_visa").standing.most == 1299
    (call,) = face.made("payment_intents.create")
    assert call.parameters["confirmation_token"] == "ctoken_visa"
    assert "payment_method" not in call.parameters


@pytest.mark.parametrize(
    ("method", "code"),
    [
        (DECLINED, "card_declined"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc"),
    ],
)
def test_a_declined_card_is_no_error_but_a_failed_attempt(gateway, method, code):
    response = gateway.authorize(method)
    assert response.standing.failed == code
    assert numbers(response) == (0, 0, 0, 0, None)
    assert response.standing.reference.startswith("pi_")
    assert response.standing.step == key(1)
    assert response.request_id.startswith("req_")
    assert gateway.authorize(method) == response  # the key's answer
    assert numbers(gateway.void(response.standing.reference)) == (0, 0, 0, 0, "canceled")


def test_the_same_key_holds_once(gateway, face):
    assert gateway.authorize() == gateway.authorize()
    assert len(face.books.charges()) == 1


def test_an_amount_that_stripe_cannot_write_is_refused_without_a_call(gateway, face):
    with pytest.raises(GatewayRefusal, match="amount_has_too_many_digits"):
        gateway.authorize(amount=Money(1234, "KWD"))
    assert face.calls == []


def test_an_amount_under_the_minimum_is_refused(gateway):
    with pytest.raises(GatewayRefusal, match="amount_too_small"):
        gateway.authorize(amount=Money(30, "EUR"))


def test_amounts_are_sent_in_stripes_digits_and_read_back_in_ours(gateway, face):
    assert gateway.authorize(amount=Money(5000, "ISK")).standing.authorized == 5000
    assert face.made("payment_intents.create")[0].parameters["amount"] == "500000"


# The shopper proves who they are


def test_a_shopper_who_must_prove_themselves_gets_the_secret_and_passes(gateway, face):
    response = gateway.authorize(PROOF)
    reference = response.standing.reference
    assert response.standing.acting
    assert numbers(response) == (0, 0, 0, 0, None)
    secret = gateway.run(gateway.gateway.action(reference))
    assert secret.value == face.books.client_secret(reference)
    assert secret.value not in repr(secret)
    face.books.shopper_passes(reference)
    assert numbers(gateway.look(reference)) == (1299, 0, 0, 0, None)
    with pytest.raises(GatewayRefusal, match="no_action_needed"):
        gateway.run(gateway.gateway.action(reference))


def test_a_shopper_who_fails_may_try_again(gateway, face):
    reference = gateway.authorize(PROOF).standing.reference
    face.books.shopper_fails(reference)
    failed = gateway.look(reference)
    assert failed.standing.failed is not None
    assert failed.standing.open
    face.books.shopper_pays_with(reference, VISA)
    assert numbers(gateway.look(reference)) == (1299, 0, 0, 0, None)


# Capture


def test_a_capture_takes_all(gateway):
    reference = gateway.authorize().standing.reference
    assert numbers(gateway.capture(reference)) == (1299, 1299, 0, 0, "captured")


def test_a_final_capture_of_less_gives_up_the_rest(gateway):
    reference = gateway.authorize().standing.reference
    assert numbers(gateway.capture(reference, Money(1000, "EUR"))) == (1299, 1000, 0, 0, "captured")


def test_captures_in_parts_then_the_rest_is_released(gateway, face):
    authorized = gateway.authorize(in_parts=True)
    reference = authorized.standing.reference
    assert authorized.standing.in_parts
    assert numbers(gateway.capture(reference, Money(500, "EUR"), 2, final=False)) == (1299, 500, 0, 0, None)
    assert numbers(gateway.capture(reference, Money(300, "EUR"), 3, final=False)) == (1299, 800, 0, 0, None)
    assert numbers(gateway.capture(reference, Money(0, "EUR"), 4)) == (1299, 800, 0, 0, "captured")
    finals = [call.parameters.get("final_capture") for call in face.made("payment_intents.capture")]
    assert finals == ["false", "false", "true"]


def test_more_than_is_held_is_refused(gateway):
    reference = gateway.authorize().standing.reference
    with pytest.raises(GatewayRefusal, match="amount_too_large"):
        gateway.capture(reference, Money(1300, "EUR"))


def test_a_card_error_outside_authorize_is_a_refusal(gateway):
    reference = gateway.authorize("pm_card_captureRefused").standing.reference
    with pytest.raises(GatewayRefusal) as refused:
        gateway.capture(reference)
    assert refused.value.request_id.startswith("req_")


def test_what_is_not_there_is_refused(gateway):
    for call in (gateway.capture, gateway.void, gateway.look):
        with pytest.raises(GatewayRefusal, match="resource_missing"):
            call("pi_missing")


# Void


def test_a_void_gives_up_a_hold(gateway):
    reference = gateway.authorize().standing.reference
    assert numbers(gateway.void(reference)) == (1299, 0, 0, 0, "canceled")


def test_a_void_that_looks_first_keeps_a_hold_and_gives_up_what_waits(gateway, face):
    held = gateway.authorize(PROOF).standing.reference
    face.books.shopper_passes(held)
    assert numbers(gateway.void(held, unless_authorized=True)) == (1299, 0, 0, 0, None)
    assert face.made("payment_intents.cancel") == []
    waiting = gateway.authorize(PROOF, number=5).standing.reference
    assert numbers(gateway.void(waiting, 6, unless_authorized=True)) == (0, 0, 0, 0, "canceled")
    assert numbers(gateway.void(waiting, 7, unless_authorized=True)) == (0, 0, 0, 0, "canceled")


def test_a_void_after_a_capture_is_refused(gateway):
    reference = gateway.authorize().standing.reference
    gateway.capture(reference)
    with pytest.raises(GatewayRefusal, match="payment_intent_unexpected_state"):
        gateway.void(reference)


# Refund


def test_a_refund_names_its_credit_note_and_step(gateway):
    reference = gateway.authorize().standing.reference
    gateway.capture(reference)
    (made,) = gateway.refund(reference, Money(500, "EUR")).standing.refunds
    assert (made.amount, made.state, made.credit_note_id, made.step) == (500, "succeeded", "c" * 32, key(4))
    gateway.refund(reference, Money(799, "EUR"), 5, credit_note_id=None)
    looked = gateway.look(reference)
    assert numbers(looked) == (1299, 1299, 1299, 0, "captured")
    assert {refund.credit_note_id for refund in looked.standing.refunds} == {"c" * 32, None}
    with pytest.raises(GatewayRefusal, match="charge_already_refunded"):
        gateway.refund(reference, Money(1, "EUR"), 6)


def test_a_pending_refund_settles_or_fails(gateway, face):
    reference = gateway.authorize("pm_card_pendingRefund").standing.reference
    gateway.capture(reference)
    (made,) = gateway.refund(reference, Money(500, "EUR")).standing.refunds
    assert made.state == "pending"
    assert gateway.look(reference).standing.returned == 500
    face.books.refund_fails(made.reference)
    assert gateway.look(reference).standing.returned == 0


# Look and find


def test_a_look_tells_refunds_of_the_dashboard_and_disputes(gateway, face):
    reference = gateway.authorize().standing.reference
    gateway.capture(reference)
    made = face.books.refund_in_dashboard(reference, 300)
    dispute = face.books.dispute(reference, 999)
    looked = gateway.look(reference)
    assert numbers(looked) == (1299, 1299, 300, 999, "captured")
    assert looked.standing.moves[0].fee > 0
    (charge,) = face.books.objects(reference, "charge")
    for other in (charge["id"], made, dispute):
        if other.partition("_")[0] in ("ch", "re", "dp", "du"):
            assert gateway.look(other).standing == looked.standing
    face.books.dispute_won(dispute)
    assert numbers(gateway.look(reference)) == (1299, 1299, 300, 0, "captured")


def test_a_look_reads_every_page(gateway, face):
    reference = gateway.authorize(amount=Money(20_000, "EUR")).standing.reference
    gateway.capture(reference, Money(20_000, "EUR"))
    for _ in range(101):
        face.books.refund_in_dashboard(reference, 100)
    assert gateway.look(reference).standing.returned == 10_100
    assert len(face.made("refunds.list")) == 2


def test_a_lapsed_hold_is_told(gateway, face):
    reference = gateway.authorize().standing.reference
    face.books.hold_lapses(reference)
    assert numbers(gateway.look(reference)) == (1299, 0, 0, 0, "lapsed")


def test_a_step_finds_what_it_made_and_nothing_else(gateway, face):
    assert gateway.find() is None
    first = gateway.authorize()
    gateway.authorize(number=2)
    assert (
        gateway.find() == gateway.look(first.standing.reference) or gateway.find().standing == first.standing
    )
    assert gateway.find(3) is None
    gateway.capture(first.standing.reference, number=5)
    assert gateway.find().standing.captured == 1299
    assert all(int(call.parameters["limit"]) == 100 for call in face.made("payment_intents.list"))


def test_a_step_is_found_behind_a_hundred_others(gateway, face):
    reference = gateway.authorize().standing.reference
    for number in range(2, 120):
        face.books.request(
            "payment_intents.create",
            {"amount": "100", "currency": "eur", "metadata": {"order": ORDER, "step": key(number)}},
        )
    assert gateway.find().standing.reference == reference
    assert len(face.made("payment_intents.list")) > 1


def others(face, count):
    """Payments of other steps, made after all that is there."""
    for number in range(count):
        face.books.request(
            "payment_intents.create",
            {"amount": "100", "currency": "eur", "metadata": {"order": ORDER, "step": key(1000 + number)}},
        )


def pages(face):
    return [call.parameters.get("starting_after") for call in face.made("payment_intents.list")]


def fails_at(face, page):
    """The list fails at that page, from 1, and goes on after it."""
    face.books.plant("payment_intents.list", "slow", times=page - 1)
    face.books.plant("payment_intents.list", "429")


@pytest.mark.parametrize("last", [2, 3])
def test_a_search_that_is_given_up_goes_on_after_the_last_page_that_was_read(gateway, face, last):
    reference = gateway.authorize().standing.reference
    others(face, 250)
    fails_at(face, last)
    with pytest.raises(GatewayUnavailable):
        gateway.find()
    before = pages(face)
    assert len(before) == last
    assert gateway.find().standing.reference == reference
    again = pages(face)[last:]
    assert again[0] == before[-1]  # the page that failed
    assert len({*before, *again}) == 3  # each page once, but for that
    assert len(again) == 4 - last
    assert gateway.find(3) is None  # another step's search begins at the start
    assert pages(face)[last + len(again)] is None


def test_a_search_that_found_nothing_reads_only_what_came_after(gateway, face):
    others(face, 250)
    now = datetime.now(UTC)
    since = now - timedelta(hours=23)

    def find(until):
        before = len(pages(face))
        found = gateway.run(gateway.gateway.find(key=key(1), since=since, until=until))
        return found, [call.parameters for call in face.made("payment_intents.list")[before:]]

    found, made = find(now + timedelta(seconds=1))
    assert found is None
    assert len(made) == 1 + 3  # the first quarter of an hour, then the rest
    reference = gateway.authorize().standing.reference
    found, made = find(now + timedelta(minutes=1))
    assert found.standing.reference == reference
    (call,) = made
    assert int(call["created"]["gte"]) >= (now - CLOCKS_APART).timestamp() - 1


def test_a_payment_of_the_last_second_is_found(gateway):
    reference = gateway.authorize().standing.reference
    (charge,) = gateway.charges_of(reference)
    until = datetime.fromtimestamp(charge["created"], UTC)
    call = gateway.gateway.find(key=key(1), since=until - timedelta(minutes=1), until=until)
    assert gateway.run(call).standing.reference == reference


def test_only_so_many_searches_are_remembered(gateway, face, monkeypatch):
    monkeypatch.setattr("commands.gateways.stripe.gateway.SEARCHES_MAX", 1)
    reference = gateway.authorize().standing.reference
    others(face, 150)
    fails_at(face, 2)
    with pytest.raises(GatewayUnavailable):
        gateway.find()
    assert gateway.find(3) is None
    before = len(pages(face))
    assert gateway.find().standing.reference == reference
    assert pages(face)[before] is None  # from the start


# News


def falsified(face, change):
    """The events, changed by SQL: at Stripe nothing of ours could do that."""
    face.books._ledger.write(f"UPDATE events SET {change}")


def test_news_of_different_times_are_told_in_their_order(gateway, face):
    before = datetime.now(UTC) - timedelta(minutes=10)
    gateway.capture(gateway.authorize().standing.reference)
    at = "created - 100 + number"
    falsified(face, f"created = {at}, body = json_set(body, '$.created', {at})")
    created = [one.created for one in gateway.recent(before)]
    assert created == sorted(set(created))


def test_one_event_that_cannot_be_read_hides_no_other(gateway, face):
    before = datetime.now(UTC) - timedelta(seconds=2)
    gateway.authorize()
    there = len(gateway.recent(before))
    falsified(face, "body = json_set(body, '$.created', 'never') WHERE number = 1")
    assert len(gateway.recent(before)) == there - 1 > 0


def test_the_news_are_fetched_oldest_first_and_tell_what_a_look_tells(gateway, face):
    before = datetime.now(UTC) - timedelta(seconds=2)
    reference = gateway.authorize().standing.reference
    gateway.capture(reference)
    gateway.refund(reference, Money(300, "EUR"))
    face.books.dispute(reference, 999)
    news = gateway.recent(before)
    assert [one.created for one in news] == sorted(one.created for one in news)
    assert {one.reference for one in news} == {reference}
    assert len({one.event_id for one in news}) == len(news)
    standings = [one.standing for one in news if one.standing is not None]
    joined = standings[0]
    for standing in standings:
        joined = join(joined, standing)
    looked = gateway.look(reference).standing
    assert (joined.most, joined.captured, joined.returned, joined.disputed, joined.closed) == (
        1299,
        1299,
        300,
        999,
        "captured",
    )
    assert (joined.moves, joined.refunds, joined.order_id) == (looked.moves, looked.refunds, ORDER)
    assert gateway.recent(datetime.now(UTC) + timedelta(minutes=1)) == []
    assert all(len(call.parameters["types"]) <= 20 for call in face.made("events.list"))


def test_signed_news_are_read(gateway, face):
    face.books.request("payment_intents.create", {"amount": "1299", "currency": "eur"})
    (outgoing, *_) = face.books.due(echoes=True)
    now = datetime.now(UTC)
    news = gateway.gateway.news(outgoing.body, sign(outgoing.body, SECRET, now), now)
    assert news.kind == "payment_intent.created"
    assert news.standing is not None


# Errors


@pytest.mark.parametrize(
    ("fault", "kind", "code", "more"),
    [
        ("409", GatewayUnavailable, "idempotency_key_in_use", {"alarm": False}),
        ("429", GatewayUnavailable, "rate_limit", {"alarm": False}),
        ("401", GatewayUnavailable, "invalid_request_error", {"alarm": True}),
        ("500", GatewayUnclear, "api_error", {"stored": True}),
        ("500_done", GatewayUnclear, "api_error", {"stored": True}),
        ("lost_before", GatewayUnclear, "no_answer", {"stored": False}),
        ("lost_after", GatewayUnclear, "no_answer", {"stored": False}),
        ("reset", GatewayUnclear, "no_answer", {"stored": False}),
        ("garbled", GatewayUnclear, "status_200", {"stored": False}),
    ],
)
def test_each_fault_says_what_became_of_the_money(gateway, face, fault, kind, code, more):
    face.books.plant("payment_intents.create", fault)
    with pytest.raises(kind) as raised:
        gateway.authorize()
    assert raised.value.code == code
    assert {name: getattr(raised.value, name) for name in more} == more
    done = fault in ("500_done", "lost_after", "garbled")
    assert len(face.books.charges()) == done
    if fault.startswith("500"):  # The key's answer stays; only a look tells.
        with pytest.raises(GatewayUnclear) as again:
            gateway.authorize()
        assert again.value.stored
        found = gateway.find()
        assert (found.standing.most if found else 0) == (1299 if done else 0)
    else:
        assert numbers(gateway.authorize()) == (1299, 0, 0, 0, None)
    assert len(face.books.charges()) == (fault != "500")


@pytest.mark.parametrize("operation", ["payment_intents.capture", "refunds.create", "payment_intents.cancel"])
@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "429", "409", "garbled"])
def test_a_lost_answer_is_got_again_under_its_key(gateway, face, operation, fault):
    reference = gateway.authorize().standing.reference
    if operation == "refunds.create":
        gateway.capture(reference)
    face.books.plant(operation, fault)
    call = {
        "payment_intents.capture": lambda: gateway.capture(reference),
        "payment_intents.cancel": lambda: gateway.void(reference),
        "refunds.create": lambda: gateway.refund(reference, Money(500, "EUR")),
    }[operation]
    with pytest.raises((GatewayUnavailable, GatewayUnclear)):
        call()
    call()
    (line,) = face.books.charges()
    expected = {"payment_intents.capture": (1299, 0), "payment_intents.cancel": (0, 0)}
    assert (line.captured, line.refunded) == expected.get(operation, (1299, 500))


def test_a_key_that_was_used_for_something_else_is_unclear(gateway):
    gateway.authorize()
    with pytest.raises(GatewayUnclear, match="idempotency_error") as raised:
        gateway.authorize(amount=Money(1300, "EUR"))
    assert raised.value.stored


def test_a_wrong_key_is_an_alarm(face, runner):
    stranger = Stripe(face, runner, "sk_test_another")
    with pytest.raises(GatewayUnavailable) as raised:
        stranger.authorize()
    assert (raised.value.code, raised.value.alarm) == ("api_key_invalid", True)
    assert face.books.charges() == []
    runner.run(stranger.gateway.aclose())


# No secrets


def test_nothing_of_stripes_secrets_or_persons_is_shown(gateway, face):
    """Not in what is returned, raised, logged or printed, down to the finest level of the logs."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    shown = []
    try:
        reference = gateway.authorize(PROOF).standing.reference
        shown.append(gateway.run(gateway.gateway.action(reference)))
        face.books.shopper_passes(reference)
        shown += [gateway.capture(reference), gateway.look(reference), gateway.find()]
        shown += gateway.recent(datetime.now(UTC) - timedelta(minutes=1))
        declined = gateway.authorize(DECLINED, number=9)
        shown.append(declined)
        for fault in ("500", "401", "429", "garbled", "lost_after"):
            face.books.plant("payment_intents.create", fault)
            try:
                gateway.authorize(number=fault)
            except GatewayError as error:
                shown += [error, error.args, error.__dict__, "".join(traceback.format_exception(error))]
                assert (error.__cause__, error.__context__) == (None, None)
        for call in (lambda: gateway.void(reference), lambda: gateway.capture("pi_missing")):
            try:
                call()
            except GatewayError as error:
                shown += [error, "".join(traceback.format_exception(error))]
                assert (error.__cause__, error.__context__) == (None, None)
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
    text = heard.getvalue() + repr(shown) + repr(gateway.gateway)
    assert "payment_intents" in heard.getvalue()
    words = {
        CARD_HOLDER,
        CARD_HOLDER.split()[0],
        "_secret_",
        face.books.client_secret(reference),
        face.books.client_secret(declined.standing.reference),
        KEY,
        SECRET,
        "4242",
    }
    assert [word for word in words if word in text] == []


# The check at the start


def endpoint(**members):
    return {
        "id": "we_1",
        "object": "webhook_endpoint",
        "url": f"https://shop.example{WEBHOOK_PATH}",
        "status": "enabled",
        "api_version": API_VERSION,
        "enabled_events": list(SUBSCRIBED_TYPES),
    } | members


@pytest.mark.parametrize(
    ("endpoints", "ok", "word"),
    [
        ([endpoint()], True, "sends all"),
        ([endpoint(enabled_events=["*"])], True, "sends all"),
        ([endpoint(url="https://shop.example/other")], True, "news are fetched only"),
        ([endpoint(api_version="2024-06-20")], False, "2024-06-20"),
        ([endpoint(api_version=None)], False, "default"),
        ([endpoint(status="disabled")], False, "not enabled"),
        ([endpoint(enabled_events=["charge.failed"])], False, "refund.failed"),
    ],
)
def test_the_check_tells_the_mode_the_version_and_the_endpoint(gateway, face, endpoints, ok, word):
    face.books.set_webhook_endpoints(endpoints)
    first, *_, last = gateway.run(gateway.gateway.check())
    assert (first.ok, first.text) == (True, f"Stripe in test mode, API version {API_VERSION}")
    assert last.ok is ok
    assert word in last.text


def test_the_check_tells_what_cannot_be_read(face, runner):
    stranger = Stripe(face, runner, "sk_test_another")
    findings = runner.run(stranger.gateway.check())
    assert [one.ok for one in findings] == [True, False]
    assert "api_key_invalid" in findings[1].text
    runner.run(stranger.gateway.aclose())
