"""The real library against the face: its calls please stripe-mock, and the books answer as Stripe does."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from stripe import StripeClient, Webhook

from commands.gateways.stripe_events import API_VERSION
from commands.gateways.stripe_signature import sign
from tests.stripe.face import KEY, Face, nested
from tests.waiting import SECONDS_MAX

STEP = "checkout-a/1"
HELD: dict[str, Any] = {
    "amount": 1299,
    "currency": "eur",
    "capture_method": "manual",
    "confirm": True,
    "payment_method": "pm_card_visa",
    "allowed_payment_method_types": ["card"],
    "return_url": "https://shop.example/return",
    "use_stripe_sdk": True,
    "metadata": {"order": "a", "step": STEP},
    "expand": ["latest_charge"],
}
KEYED = {"idempotency_key": STEP}


def client_of(face: Face, *, read_seconds: float = 8, key: str = KEY) -> StripeClient:
    stripe.enable_telemetry = False
    http = stripe.RequestsClient(timeout=(2, read_seconds))
    return StripeClient(key, base_addresses={"api": face.url}, http_client=http, max_network_retries=0)


@pytest.fixture
def client(face: Face) -> StripeClient:
    return client_of(face)


def hold(client: StripeClient, key: str = STEP, **changed: Any) -> Any:
    return client.v1.payment_intents.create({**HELD, **changed}, {"idempotency_key": key})


def code_of(call: Any) -> str | None:
    with pytest.raises(stripe.StripeError) as refused:
        call()
    return refused.value.error.code if refused.value.error else None


def test_a_form_is_read_as_maps_and_lists():
    pairs = [("a[b][c]", "1"), ("e[0]", "x"), ("e[1]", "y"), ("t[]", "p"), ("t[]", "q"), ("n", "z")]
    assert nested(pairs) == {"a": {"b": {"c": "1"}}, "e": ["x", "y"], "t": ["p", "q"], "n": "z"}


# Every operation that a shop needs


def test_a_payment_is_held_taken_and_given_back(client, face):
    intent = hold(client)
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 1299)
    assert intent.latest_charge.payment_method_details.card.capture_before > intent.created
    taken = client.v1.payment_intents.capture(
        intent.id, {"amount_to_capture": 1000, "expand": ["latest_charge"]}
    )
    assert (taken.status, taken.amount_received, taken.latest_charge.amount_captured) == (
        "succeeded",
        1000,
        1000,
    )
    refund = client.v1.refunds.create(
        {"payment_intent": intent.id, "amount": 300, "metadata": {"credit_note": "C-1", "step": "s"}}
    )
    assert client.v1.refunds.retrieve(refund.id).metadata["credit_note"] == "C-1"
    listed = client.v1.refunds.list({"payment_intent": intent.id, "limit": 100})
    assert [one.id for one in listed.data] == [refund.id]
    assert client.v1.charges.retrieve(taken.latest_charge.id).amount_refunded == 300
    assert client.v1.payment_intents.retrieve(intent.id).latest_charge == taken.latest_charge.id
    assert {call.status for call in face.calls} == {200}


def test_a_payment_is_made_first_and_confirmed_later(client):
    unconfirmed = {name: value for name, value in HELD.items() if name not in ("confirm", "use_stripe_sdk")}
    unconfirmed |= {"payment_method": None, "return_url": None}
    made = client.v1.payment_intents.create(
        {name: value for name, value in unconfirmed.items() if value is not None}
    )
    assert made.status == "requires_payment_method"
    confirmed = client.v1.payment_intents.confirm(
        made.id, {"confirmation_token": "ctoken_visa", "return_url": "https://shop.example/return"}
    )
    assert confirmed.status == "requires_capture"


def test_a_payment_is_captured_in_parts(client):
    options = {"card": {"request_multicapture": "if_available"}}
    intent = hold(client, payment_method_options=options)
    assert intent.latest_charge.payment_method_details.card.multicapture.status == "available"
    part = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 300, "final_capture": False})
    assert (part.status, part.amount_capturable) == ("requires_capture", 999)
    rest = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 0, "final_capture": True})
    assert (rest.status, rest.amount_received, rest.amount_capturable) == ("succeeded", 300, 0)


def test_a_decline_is_an_error_that_carries_the_payment(client):
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            hold(client, payment_method="pm_card_visa_chargeDeclinedInsufficientFunds")
        error = declined.value.error
        assert (declined.value.http_status, error.code, error.decline_code) == (
            402,
            "card_declined",
            "insufficient_funds",
        )
        assert error.payment_intent.status == "requires_payment_method"
    assert declined.value.headers["Idempotent-Replayed"] == "true"
    canceled = client.v1.payment_intents.cancel(error.payment_intent.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")


def test_a_payment_is_found_by_its_time_in_pages(client, face):
    steps = [f"checkout-a/{number}" for number in range(1, 8)]
    for step in steps:
        hold(client, step, metadata={"order": "a", "step": step})
    begun = int(datetime.now(UTC).timestamp()) - 300
    pages = client.v1.payment_intents.list({"created": {"gte": begun}, "limit": 3})
    assert [one.metadata["step"] for one in pages.auto_paging_iter()] == steps[::-1]
    assert len(face.made("payment_intents.list")) == 3
    assert client.v1.payment_intents.list({"created": {"lt": begun}}).data == []


def test_disputes_events_and_the_balance_are_listed(client, face):
    intent = hold(client)
    client.v1.payment_intents.capture(intent.id)
    dispute = face.books.dispute(intent.id, 999)
    face.books.dispute_lost(dispute)
    (listed,) = client.v1.disputes.list({"payment_intent": intent.id}).data
    assert (listed.id, listed.status) == (dispute, "lost")
    assert client.v1.disputes.retrieve(dispute).balance_transactions[0].amount == -999
    moved = client.v1.balance_transactions.list({"limit": 100}).data
    assert [(one.reporting_category, one.amount, one.fee) for one in moved] == [
        ("dispute", -999, 1500),
        ("charge", 1299, 44),
    ]
    events = client.v1.events.list({"types": ["charge.dispute.created", "charge.dispute.closed"]}).data
    assert [event.type for event in events] == ["charge.dispute.closed", "charge.dispute.created"]
    assert client.v1.events.retrieve(events[0].id).data.object["id"] == dispute
    (created,) = client.v1.events.list({"type": "payment_intent.created"}).data
    assert created.request.idempotency_key == STEP
    assert created.api_version == API_VERSION == stripe.api_version


def test_webhook_endpoints_are_listed(client, face):
    assert client.v1.webhook_endpoints.list().data == []
    endpoint = {"id": "we_1", "object": "webhook_endpoint", "api_version": API_VERSION, "url": "https://x"}
    face.books.set_webhook_endpoints([endpoint])
    assert client.v1.webhook_endpoints.list().data[0].api_version == API_VERSION


def test_the_library_reads_the_news_as_we_sign_them(client, face):
    hold(client, payment_method="pm_card_authenticationRequired")
    secret = face.books.webhook_secret
    (_, news) = face.books.due(echoes=True)
    event = Webhook.construct_event(news.body, sign(news.body, secret, datetime.now(UTC)), secret)
    assert event.type == "payment_intent.requires_action"
    assert event.data.object["client_secret"] == face.books.client_secret(event.data.object["id"])


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the library's own call of httpx
def test_the_asynchronous_client_is_answered_too(face):
    async def story() -> set[str]:
        http = stripe.HTTPXClient(timeout=10)
        client = StripeClient(KEY, base_addresses={"api": face.url}, http_client=http)
        intents = await asyncio.gather(
            *(client.v1.payment_intents.create_async(HELD, {"idempotency_key": f"k{n}"}) for n in range(8))
        )
        await http.close_async()
        return {intent.status for intent in intents}

    assert asyncio.run(story()) == {"requires_capture"}
    assert len(face.calls) == 8


# What Stripe refuses


def test_stripe_mock_is_asked_first(client, face):
    assert code_of(lambda: hold(client, no_such_parameter="1")) is None
    assert code_of(lambda: hold(client, capture_method="sometimes")) is None
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.list({"metadata": {"step": STEP}})
    assert [call.status for call in face.calls] == [400, 400, 400]
    assert face.books.charges() == []
    assert hold(client).status == "requires_capture"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"amount": 0}, "amount_too_small"),
        ({"amount": -5}, "amount_too_small"),
        ({"amount": 49}, "amount_too_small"),
        ({"currency": "nonsense"}, "invalid_currency"),
        ({"currency": "kwd", "amount": 12345}, "invalid_amount"),
        ({"currency": "isk", "amount": 12345}, "invalid_amount"),
        ({"payment_method": "pm_card_unknown"}, "resource_missing"),
        ({"metadata": {"x" * 41: "1"}}, "metadata_invalid"),
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported"),
        ({"automatic_payment_methods": {"enabled": True}}, "parameter_invalid"),
    ],
)
def test_what_stripe_mock_lets_through_the_books_refuse_and_keep_no_key_for(client, face, changed, code):
    assert code_of(lambda: hold(client, **changed)) == code
    assert face.books.charges() == []
    assert hold(client).status == "requires_capture"


def test_what_does_not_fit_the_state_is_refused(client):
    intent = hold(client)
    intents, refunds = client.v1.payment_intents, client.v1.refunds
    assert code_of(lambda: intents.capture(intent.id, {"amount_to_capture": 1300})) == "amount_too_large"
    unexpected = "payment_intent_unexpected_state"
    assert code_of(lambda: refunds.create({"payment_intent": intent.id})) == unexpected
    assert code_of(lambda: refunds.create({"amount": 1})) == "parameter_missing"
    intents.capture(intent.id)
    assert code_of(lambda: intents.cancel(intent.id)) == unexpected
    refunds.create({"charge": intent.latest_charge.id})
    assert code_of(lambda: refunds.create({"payment_intent": intent.id})) == "charge_already_refunded"
    assert code_of(lambda: intents.retrieve("pi_unknown")) == "resource_missing"
    assert code_of(lambda: client.v1.charges.retrieve(intent.id)) == "resource_missing"


def test_another_accounts_key_is_not_let_in(face):
    with pytest.raises(stripe.AuthenticationError):
        hold(client_of(face, key="sk_test_other"))
    assert face.books.charges() == []


def test_a_key_is_not_longer_than_255(client):
    assert code_of(lambda: hold(client, "k" * 256)) == "idempotency_key_too_long"
    assert hold(client, "k" * 255).id


# Keys and faults, over the socket


def test_a_key_repeats_its_answer_and_says_so(client):
    first, again = hold(client), hold(client)
    assert first.to_dict() == again.to_dict()
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert first.last_response.request_id.startswith("req_")


def test_a_key_with_other_parameters_is_refused(client, face):
    hold(client)
    with pytest.raises(stripe.IdempotencyError):
        hold(client, amount=1300)
    assert len(face.books.charges()) == 1


@pytest.mark.parametrize(("fault", "done"), [("lost_before", 0), ("reset", 0), ("lost_after", 1)])
def test_an_answer_that_is_lost_leaves_one_payment(client, face, fault, done):
    face.books.plant("payment_intents.create", fault)
    with pytest.raises(stripe.APIConnectionError):
        hold(client)
    assert len(face.books.charges()) == done
    hold(client)
    assert len(face.books.charges()) == 1
    assert [call.status for call in face.calls] == [0, 200]


@pytest.mark.parametrize(("fault", "done"), [("500", 0), ("500_done", 1)])
def test_a_stored_fault_repeats(client, face, fault, done):
    face.books.plant("payment_intents.create", fault)
    replayed = []
    for _ in range(3):
        with pytest.raises(stripe.APIError) as broken:
            hold(client)
        assert broken.value.http_status == 500
        replayed.append(broken.value.headers.get("Idempotent-Replayed"))
    assert replayed == [None, "true", "true"]
    assert len(face.books.charges()) == done


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("429", stripe.RateLimitError, "rate_limit"),
        ("409", stripe.APIError, "idempotency_key_in_use"),
        ("401", stripe.AuthenticationError, None),
    ],
)
def test_what_was_not_begun_is_not_stored(client, face, fault, kind, code):
    face.books.plant("payment_intents.create", fault)
    with pytest.raises(kind) as refused:
        hold(client)
    assert (refused.value.error.code if refused.value.error else None) == code
    assert face.books.charges() == []
    assert hold(client).status == "requires_capture"


def test_an_answer_that_is_not_json_is_an_error_though_it_was_done(client, face):
    face.books.plant("payment_intents.create", "garbled")
    with pytest.raises(stripe.APIError):
        hold(client)
    assert len(face.books.charges()) == 1


def test_a_slow_call_times_out_and_holds_its_key_until_its_end(face):
    face.books.plant("payment_intents.create", "slow", seconds=10 * SECONDS_MAX)
    with pytest.raises(stripe.APIConnectionError):
        hold(client_of(face, read_seconds=0.3))
    with pytest.raises(stripe.APIError) as busy:
        hold(client_of(face))
    assert (busy.value.http_status, busy.value.error.code) == (409, "idempotency_key_in_use")
    assert len(face.books.charges()) == 1
    face.stopping.set()
    assert face.key_is_free(STEP, timeout_seconds=SECONDS_MAX)
    assert hold(client_of(face)).last_response.headers["Idempotent-Replayed"] == "true"


def test_an_answer_that_is_dripped_passes_every_time_out_between_bytes(client, face):
    face.books.plant("payment_intents.create", "dripped", seconds=1.5)
    began = time.monotonic()
    assert hold(client_of(face, read_seconds=0.5)).status == "requires_capture"
    assert time.monotonic() - began >= 1.5
