"""What an operator sees of endpoints and their deliveries, as JSON."""

from __future__ import annotations

from typing import Any

from commands.webhooks.endpoints import WebhookEndpoint, read_endpoints
from event_store.codec import Codec
from event_store.deliveries import Attempt, Delivery, DeliveryLog, DeliveryState


def listed_endpoints(log: DeliveryLog, codec: Codec) -> list[dict[str, Any]]:
    """All of them, the oldest first. Raises StoreUnavailable."""
    return [_endpoint(log, one) for one in read_endpoints(log, codec).by_id.values()]


def found_endpoint(log: DeliveryLog, codec: Codec, endpoint_id: str) -> dict[str, Any] | None:
    """One; None where there is none. Raises StoreUnavailable."""
    endpoint = read_endpoints(log, codec).by_id.get(endpoint_id)
    return None if endpoint is None else _endpoint(log, endpoint)


def deliveries_page(
    log: DeliveryLog, endpoint_id: str, *, before: int | None, state: DeliveryState | None, limit: int
) -> dict[str, Any]:
    """Deliveries with their attempts, the latest positions first. Raises StoreUnavailable."""
    found = log.listed_deliveries(endpoint_id, before=before, state=state, limit=limit + 1)
    page = found[:limit]
    attempts: dict[int, list[Attempt]] = {}
    for attempt in log.attempts(endpoint_id, [one.position for one in page]):
        attempts.setdefault(attempt.position, []).append(attempt)
    return {
        "items": [_delivery(one, attempts.get(one.position, [])) for one in page],
        "next": str(page[-1].position) if len(found) > limit else None,
    }


def _endpoint(log: DeliveryLog, endpoint: WebhookEndpoint) -> dict[str, Any]:
    cursor = log.delivery_cursor(endpoint.id)
    disabled = endpoint.disabled
    return {
        "id": endpoint.id,
        "version": endpoint.version,
        "url": endpoint.url,
        "events": endpoint.events,
        "ordering": endpoint.ordering,
        "description": endpoint.description,
        "status": "enabled" if disabled is None else "disabled",
        "disabled": disabled and {"cause": disabled.cause, "detail": disabled.detail, "at": disabled.at},
        "created_at": endpoint.created_at,
        "previous_secret_until": endpoint.previous_until,
        "position": 0 if cursor is None else cursor.position,
        "pending": log.pending_count(endpoint.id),
        "failing_since": None if cursor is None else cursor.failing_since,
    }


def _delivery(delivery: Delivery, attempts: list[Attempt]) -> dict[str, Any]:
    return {
        "position": delivery.position,
        "stream": delivery.stream,
        "type": delivery.type,
        "webhook_id": f"evt_{delivery.event}",
        "state": delivery.state,
        "next_attempt_at": delivery.due_at if delivery.state == "pending" else None,
        "ended_at": delivery.ended_at,
        "attempts": [
            {
                "at": one.at,
                "milliseconds": one.milliseconds,
                "outcome": one.outcome,
                "status": one.status,
                "detail": one.detail,
            }
            for one in attempts
        ],
    }
