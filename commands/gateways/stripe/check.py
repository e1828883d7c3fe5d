"""What is found out at the start: the key's mode, the API's version, the webhook endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import stripe

from commands.gateways.gateway import Finding, GatewayError
from commands.gateways.stripe.calls import Calls
from commands.gateways.stripe_events import API_VERSION, SUBSCRIBED_TYPES, WEBHOOK_PATH


async def check(calls: Calls, *, livemode: bool) -> list[Finding]:
    """What holds and what does not. Never raises: Stripe may be away at the start as at any time."""
    mode = "live" if livemode else "test"
    findings = [Finding(ok=True, text=f"Stripe in {mode} mode, API version {API_VERSION}")]
    if stripe.api_version != API_VERSION:
        text = f"the stripe library {stripe.VERSION} is made for API version {stripe.api_version}"
        findings.append(Finding(ok=False, text=f"{text}; requests ask for {API_VERSION}"))
    intents = calls.client.v1.payment_intents
    try:
        await calls.call("payment_intents.list", lambda: intents.list_async({"limit": 1}))
    except GatewayError as error:
        return [*findings, _failed("payments", error)]
    endpoints = calls.client.v1.webhook_endpoints
    try:
        listed = await calls.call("webhook_endpoints.list", lambda: endpoints.list_async({"limit": 100}))
    except GatewayError as error:
        return [*findings, _failed("webhook endpoints", error)]
    data = listed.body.get("data")
    ours = [
        one
        for one in (data if isinstance(data, list) else ())
        if isinstance(one, Mapping) and urlsplit(str(one.get("url"))).path == WEBHOOK_PATH
    ]
    if not ours:
        text = f"no webhook endpoint ends with {WEBHOOK_PATH}: news are fetched only"
        return [*findings, Finding(ok=True, text=text)]
    return [*findings, *(finding for endpoint in ours for finding in _endpoint(endpoint))]


def _endpoint(endpoint: Mapping[str, Any]) -> list[Finding]:
    name = f"webhook endpoint {endpoint.get('id')}"
    if endpoint.get("status") != "enabled":
        return [Finding(ok=False, text=f"{name} is not enabled")]
    wrong = []
    version = endpoint.get("api_version") or "the account's default"
    if version != API_VERSION:
        text = f"{name} writes news for API version {version}, not {API_VERSION}: each costs a look"
        wrong.append(Finding(ok=False, text=text))
    enabled = endpoint.get("enabled_events")
    events = enabled if isinstance(enabled, list) else []
    if "*" not in events and (missing := [kind for kind in SUBSCRIBED_TYPES if kind not in events]):
        wrong.append(Finding(ok=False, text=f"{name} does not send {', '.join(missing)}"))
    return wrong or [Finding(ok=True, text=f"{name} sends all that is read")]


def _failed(what: str, error: GatewayError) -> Finding:
    if error.alarm:
        return Finding(ok=False, text=f"the key may not read {what}: {error}")
    return Finding(ok=False, text=f"{what} cannot be read: {error}")
