"""Signatures are those of Standard Webhooks, and no others verify."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from commands.webhooks.signature import headers_of, new_secret

BODY = b'{"type":"orders.order_placed","data":{"title":"T\xc3\xa9"}}'


def test_the_standards_own_library_verifies_what_is_signed() -> None:
    for _ in range(50):
        secret = new_secret()
        headers = headers_of("evt_1", BODY, [secret], datetime.now(UTC))
        assert Webhook(secret).verify(BODY, headers)["type"] == "orders.order_placed"
        assert Webhook(secret).sign("evt_1", _moment(headers), BODY.decode()) == headers["webhook-signature"]


def test_either_of_two_secrets_verifies_and_a_third_does_not() -> None:
    first, second, third = new_secret(), new_secret(), new_secret()
    headers = headers_of("evt_1", BODY, [first, second], datetime.now(UTC))
    for secret in (first, second):
        assert Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(third).verify(BODY, headers)


@pytest.mark.parametrize("changed", ["body", "id", "late"])
def test_what_was_changed_or_comes_late_does_not_verify(changed: str) -> None:
    secret = new_secret()
    sent = datetime.now(UTC) - (timedelta(hours=1) if changed == "late" else timedelta(0))
    headers = headers_of("evt_1", BODY, [secret], sent)
    body = BODY + b" " if changed == "body" else BODY
    if changed == "id":
        headers["webhook-id"] = "evt_2"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


def _moment(headers: dict[str, str]) -> datetime:
    return datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
