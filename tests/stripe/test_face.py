"""The real library against the face: its calls please stripe-mock, and the books answer as Stripe does."""

from __future__ import annotations

import pytest
import stripe
from stripe import StripeClient

from tests.stripe.face import KEY, Face, nested


@pytest.fixture
def client(face: Face) -> StripeClient:
    stripe.enable_telemetry = False
    http = stripe.RequestsClient(timeout=(2, 8))
    return StripeClient(KEY, base_addresses={"api": face.url}, http_client=http, max_network_retries=0)


def create(
    client: StripeClient, method: str = "pm_card_visa", *, key: str = "checkout-a/1", amount: int = 1299
):
    return client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "eur",
            "capture_method": "manual",
            "confirm": True,
            "payment_method": method,
            "allowed_payment_method_types": ["card"],
            "return_url": "https://shop.example/return",
            "use_stripe_sdk": True,
            "metadata": {"order": "a", "step": key},
            "expand": ["latest_charge"],
        },
        {"idempotency_key": key},
    )


def test_a_form_is_read_as_maps_and_lists():
    pairs = [("a[b][c]", "1"), ("e[0]", "x"), ("e[1]", "y"), ("t[]", "p"), ("t[]", "q"), ("n", "z")]
    assert nested(pairs) == {"a": {"b": {"c": "1"}}, "e": ["x", "y"], "t": ["p", "q"], "n": "z"}


def test_a_payment_is_held_taken_and_given_back(client, face):
    intent = create(client)
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 1299)
    intent = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1000})
    assert (intent.status, intent.amount_received) == ("succeeded", 1000)
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 300})
    listed = client.v1.refunds.list({"payment_intent": intent.id, "limit": 100})
    assert [one.id for one in listed.data] == [refund.id]
    found = client.v1.payment_intents.list({"created": {"gte": intent.created}, "limit": 100})
    assert [one.metadata["step"] for one in found.data] == ["checkout-a/1"]
    assert [call.status for call in face.calls] == [200] * 5
