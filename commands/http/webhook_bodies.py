"""Bodies and answers of the routes on webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aggregates.event_types import EVENT_TYPES
from aggregates.webhooks.events import DisabledCause, Ordering
from commands.http.schemas import INTEGRAL, AnswerBody, Body, Line
from commands.webhooks.addresses import URL_MAX
from event_store.deliveries import DeliveryState

NAMES = tuple(event_type.name for event_type in EVENT_TYPES)
CONTEXTS = tuple(dict.fromkeys(name.partition(".")[0] for name in NAMES))
CHOICES = ("*", *(f"{context}.*" for context in CONTEXTS), *NAMES)
OVERLAP_SECONDS_MAX = 7 * 24 * 3600
POSITION_MAX = 2**53


def _names_events(choice: str) -> str:
    if choice not in CHOICES:
        raise ValueError("is no event's name, no context's with .* and not *")
    return choice


EventChoice = Annotated[
    str,
    AfterValidator(_names_events),
    Field(json_schema_extra={"enum": list(CHOICES)}, examples=["orders.order_placed"]),
]
Position = Annotated[int, Field(ge=1, le=POSITION_MAX), INTEGRAL]


class EndpointBody(Body):
    """An address that events are sent to, and which.

    `events`: stored names, `orders.*` for all of a context, `*` for all there are. `ordering`: `stream` (an
    event waits until those before it of its stream were taken) or `none`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"url": "https://example.com/daybook", "events": ["orders.order_placed", "payments.*"]},
                {"url": "https://example.com/all", "events": ["*"], "ordering": "none"},
            ]
        }
    )

    url: Annotated[
        str,
        Field(min_length=1, max_length=URL_MAX, json_schema_extra={"format": "uri", "pattern": "^https?://"}),
    ]
    events: Annotated[list[EventChoice], Field(min_length=1, max_length=len(CHOICES))]
    ordering: Ordering = "stream"
    description: Line | Literal[""] = ""


class NewEndpointBody(EndpointBody):
    """And where it begins: after its registration, or with the event at `from_position`."""

    from_position: Position | None = None


class DisableBody(Body):
    """Why, for whoever looks at it later."""

    reason: Line | None = None


class RotateBody(Body):
    """How long the secret before signs as well: a day, unless told."""

    overlap_seconds: Annotated[int, Field(ge=0, le=OVERLAP_SECONDS_MAX), INTEGRAL] = 24 * 3600


class ReplayBody(Body):
    """The position of the first event that is sent again."""

    from_position: Position


class SecretAnswer(AnswerBody):
    """And the secret that signs, which no other route shows."""

    secret: str


class DisabledItem(BaseModel):
    """Since when nothing is sent, and why."""

    cause: DisabledCause
    detail: str
    at: datetime


class EndpointItem(BaseModel):
    """An endpoint as it stands. `position`: how far the log was looked at for it, 0 before it was; `pending`:
    deliveries that are to come; `failing_since`: nothing was taken since then."""

    id: str
    version: int
    url: str
    events: list[str]
    ordering: Ordering
    description: str
    status: Literal["enabled", "disabled"]
    disabled: DisabledItem | None
    created_at: datetime
    previous_secret_until: datetime | None
    position: int
    pending: int
    failing_since: datetime | None


class EndpointList(BaseModel):
    """All of them, the oldest first."""

    items: list[EndpointItem]


class AttemptItem(BaseModel):
    """One attempt. `outcome`: delivered, gone, redirect, status, timeout, unreachable, tls_failed,
    address_refused, unreadable or another_history; `status`: of the response; `detail`: how that begins, or
    what went wrong."""

    at: datetime
    milliseconds: int
    outcome: str
    status: int | None
    detail: str


class DeliveryItem(BaseModel):
    """One event for the endpoint. `attempts` are all that are kept; `next_attempt_at` while it is pending."""

    position: int
    stream: str
    type: str
    webhook_id: str
    state: DeliveryState
    next_attempt_at: datetime | None
    ended_at: datetime | None
    attempts: list[AttemptItem]


class DeliveryList(BaseModel):
    """A page, the latest positions first; `next` is the cursor of the next one, null on the last."""

    items: list[DeliveryItem]
    next: str | None


class PingAnswer(BaseModel):
    """What came of the attempt, and the id that it bore."""

    webhook_id: str
    milliseconds: int
    outcome: str
    status: int | None
    detail: str
