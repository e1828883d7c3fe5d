"""Stripe's events as news: signature checked, object reduced to what it tells of a payment.

NewsRejected for what is odd or damaged, and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from commands.gateways.gateway import News, NewsRejected, Notice
from commands.gateways.stripe_members import (
    ID,
    ForeignObject,
    Object,
    inner_of,
    iso_time_of,
    object_of,
    text_of,
    time_of,
)
from commands.gateways.stripe_objects import (
    payment_intent_of,
    standing_of_charge,
    standing_of_dispute,
    standing_of_intent,
    standing_of_refund,
)
from commands.gateways.stripe_signature import verify

API_VERSION = "2026-10-28.endive"
"""The version of Stripe's API whose objects are read here: of our requests, and of the webhook endpoint."""
WEBHOOK_PATH = "/api/v1/payments/webhooks/stripe"
"""Where the news come in, also the sandbox's."""

EVENT_TYPES = (
    "payment_intent.created",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.amount_capturable_updated",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.partially_funded",
    "charge.succeeded",
    "charge.updated",
    "charge.captured",
    "charge.failed",
    "charge.pending",
    "charge.expired",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
)
"""The events that tell of money."""
RECEIPTS = ("charge.refunded", "charge.refund.updated")
"""Second witnesses of a refund, which name it badly or not at all: to count them would count it twice."""

NOTICE_TYPES = (
    "radar.early_fraud_warning.created",
    "radar.early_fraud_warning.updated",
    "review.opened",
    "review.closed",
)
PAYOUT_TYPES = ("payout.paid", "payout.reconciliation_completed")
"""Money was paid out: time for a reconciliation."""
SUBSCRIBED_TYPES = (*EVENT_TYPES, *RECEIPTS, *NOTICE_TYPES, *PAYOUT_TYPES)
"""What the webhook endpoint is to send, and what is fetched where it did not."""

_KIND = re.compile(r"[a-z0-9_.]{1,100}")
_VERSION = re.compile(r"[A-Za-z0-9.-]{1,40}")


def read_news(
    body: bytes, signature: str, now: datetime, *, secrets: Sequence[str], livemode: bool, api_version: str
) -> News:
    """What was sent to the webhook, checked and reduced. NewsRejected."""
    verify(body, signature, secrets, now)
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise NewsRejected("json") from None
    return news_of(object_of(event), livemode=livemode, api_version=api_version)


def news_of(event: Object, *, livemode: bool, api_version: str) -> News:
    """An event, reduced. `livemode` and `api_version` are ours; where it has others, little of it is read.

    NewsRejected for what is no event.
    """
    thin = event.get("object") == "v2.core.event"
    if not thin and event.get("object") != "event":
        raise NewsRejected("object")
    kind = text_of(event, "type", _KIND)
    news = News(
        event_id=text_of(event, "id", ID),
        kind=kind,
        created=iso_time_of(event, "created") if thin else time_of(event, "created"),
    )
    kind = kind.removeprefix("v1.")  # of a thin one
    notice = _notice(kind)
    receipt = kind in RECEIPTS or notice in ("early_fraud_warning", "review")
    payout = kind in PAYOUT_TYPES
    if not (kind in EVENT_TYPES or notice or receipt or payout):
        news = replace(news, ignored="kind")
    if event.get("context" if thin else "account") is not None:
        news = replace(news, ignored="account")
    if event.get("livemode") is not livemode:
        news = replace(news, ignored="livemode")
    if news.ignored or payout:
        return news
    news = replace(news, notice=notice)
    try:
        if thin:  # No object, only its id, which may be a charge's, a refund's or a dispute's.
            reference = text_of(inner_of(event, "related_object"), "id", ID)
            return news if receipt else replace(news, reference=reference, look=True)
        found = object_of(inner_of(event, "data").get("object"))
        is_intent = kind.startswith("payment_intent.")
        news = replace(news, reference=text_of(found, "id", ID) if is_intent else payment_intent_of(found))
        return news if receipt else _read_object(news, found, event.get("api_version"), api_version)
    except ForeignObject:
        return replace(news, ignored="foreign")


def _read_object(news: News, found: Object, version: object, expected: str) -> News:
    if version != expected:
        shown = version if isinstance(version, str) and _VERSION.fullmatch(version) else "none"
        return replace(news, look=True, other_version=shown)
    if news.notice == "dispute":  # Its money is joined; what else it changed only a look tells.
        return replace(news, standing=standing_of_dispute(found), look=True)
    if news.kind.startswith("payment_intent."):
        return replace(news, standing=standing_of_intent(found))
    of = standing_of_refund if news.kind.startswith("refund.") else standing_of_charge
    return replace(news, standing=of(found))


def _notice(kind: str) -> Notice | None:
    if kind.startswith("charge.dispute."):
        return "dispute"
    if kind.startswith("radar.early_fraud_warning."):
        return "early_fraud_warning"
    return "review" if kind.startswith("review.") else None
