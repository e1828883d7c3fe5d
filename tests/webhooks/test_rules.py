"""What may be decided on endpoints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aggregates.kernel import Rejected
from aggregates.webhooks import endpoints
from aggregates.webhooks.endpoints import (
    ENDPOINTS_MAX,
    Endpoints,
    PositionBeyondHead,
    TooManyWebhookEndpoints,
    UnknownWebhookEndpoint,
)
from aggregates.webhooks.events import (
    EndpointDeleted,
    EndpointDisabled,
    EndpointEnabled,
    EndpointRegistered,
    ReplayRequested,
    SecretRotated,
    WebhookEvent,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def registered(endpoint_id: str = "a", *, from_position: int | None = None) -> EndpointRegistered:
    return EndpointRegistered(
        endpoint_id=endpoint_id,
        url="https://example.com/",
        secret="whsec_x",
        events=("*",),
        from_position=from_position,
    )


def given(*events: WebhookEvent) -> Endpoints:
    return endpoints.stream.fold(endpoints.initial(), events)


def test_disabled_once_it_is_disabled_and_enabled_once_it_is_enabled() -> None:
    disabled = EndpointDisabled(endpoint_id="a", cause="gone", detail="status 410")
    state = given(registered())
    assert endpoints.enable(state, endpoint_id="a") == ()
    assert endpoints.disable(state, endpoint_id="a", cause="gone", detail="status 410") == (disabled,)
    state = given(registered(), disabled)
    assert endpoints.disable(state, endpoint_id="a", cause="operator") == ()
    assert endpoints.enable(state, endpoint_id="a") == (EndpointEnabled(endpoint_id="a"),)


def test_a_deleted_one_is_unknown_and_deleting_it_again_decides_nothing() -> None:
    state = given(registered(), EndpointDeleted(endpoint_id="a"))
    assert endpoints.delete(state, endpoint_id="a") == ()
    for decide in (
        lambda: endpoints.enable(state, endpoint_id="a"),
        lambda: endpoints.disable(state, endpoint_id="a", cause="operator"),
        lambda: endpoints.replay(state, endpoint_id="a", from_position=1, head=9),
        lambda: endpoints.rotate(state, endpoint_id="a", secret="s", at=NOON, overlap=timedelta(0)),
    ):
        with pytest.raises(Rejected) as refused:
            decide()
        assert refused.value.reason == UnknownWebhookEndpoint("a")


def test_no_position_beyond_the_head_is_where_one_begins() -> None:
    assert endpoints.register(given(), registered=registered(from_position=9), head=9)
    for decide in (
        lambda: endpoints.register(given(), registered=registered(from_position=10), head=9),
        lambda: endpoints.replay(given(registered()), endpoint_id="a", from_position=10, head=9),
    ):
        with pytest.raises(Rejected) as refused:
            decide()
        assert refused.value.reason == PositionBeyondHead(10, 9)
    asked = ReplayRequested(endpoint_id="a", from_position=9)
    assert endpoints.replay(given(registered()), endpoint_id="a", from_position=9, head=9) == (asked,)


def test_a_secret_is_followed_by_another_for_as_long_as_they_overlap() -> None:
    decided = endpoints.rotate(
        given(registered()), endpoint_id="a", secret="whsec_y", at=NOON, overlap=timedelta(hours=1)
    )
    until = NOON + timedelta(hours=1)
    assert decided == (SecretRotated(endpoint_id="a", secret="whsec_y", previous_until=until),)


def test_there_are_so_many_and_no_more() -> None:
    many = [registered(str(number)) for number in range(ENDPOINTS_MAX)]
    assert endpoints.register(given(*many), registered=many[0], head=0) == ()
    with pytest.raises(Rejected) as refused:
        endpoints.register(given(*many), registered=registered("one more"), head=0)
    assert refused.value.reason == TooManyWebhookEndpoints(ENDPOINTS_MAX)
    assert endpoints.register(given(*many, EndpointDeleted(endpoint_id="7")), registered=registered(), head=0)
