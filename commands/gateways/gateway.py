"""The port to what moves the money.

Every call that moves money carries a key. The gateway does a key's call once and answers it the same for a
day, so a call whose answer was lost is made again under its key, and never under a key that is older.
Whatever it answers, sends by itself or tells when it is looked at is a part of the same `Standing`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Literal, Protocol

from aggregates.kernel import Money, OrderId
from aggregates.payments.standing import Standing

Notice = Literal["dispute", "early_fraud_warning", "review"]
"""What an operator must know of though no money moved (yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a call answered: the payment's standing, and the gateway's name for the request."""

    standing: Standing
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What lets a shopper prove who they are. Handed on, stored and written nowhere; `repr` hides it."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something happened at the gateway; reduced to what the books need, without secrets or persons.

    `standing`: join it. `look`: look at `reference`, the news does not tell enough (a dispute's has both).
    `ignored`: do nothing, and why. None of these: a receipt, or what `kind` and `notice` say.
    """

    event_id: str
    kind: str  # the gateway's word: payment_intent.succeeded
    created: datetime  # UTC
    reference: str | None = None  # its payment; where `look`, maybe the payment's charge, refund or dispute
    standing: Standing | None = None
    look: bool = False
    ignored: str | None = None  # kind, livemode, account, foreign: counted, nothing is written
    other_version: str | None = None  # of the API it was written for: an operator must mend the endpoint
    notice: Notice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check of the gateway's set-up found: a line for the log. Not `ok`: an operator must act."""

    ok: bool
    text: str


class GatewayError(Exception):
    """The root of what can go wrong at a gateway. Texts bear codes and request ids, never data."""

    alarm = False
    """Whether an operator must act."""

    def __init__(self, code: str, *, request_id: str | None = None) -> None:
        super().__init__(code if request_id is None else f"{code} ({request_id})")
        self.code = code
        self.request_id = request_id


class GatewayUnavailable(GatewayError):  # noqa: N818
    """Not done: the gateway is away, too busy, or does not let us in. Later again, under the same key."""

    def __init__(self, code: str, *, request_id: str | None = None, alarm: bool = False) -> None:
        super().__init__(code, request_id=request_id)
        self.alarm = alarm  # the key is wrong, or lacks a right


class GatewayUnclear(GatewayError):  # noqa: N818
    """May be done, and nobody said: no answer, a fault over there, or a key that was used for something else.

    `stored`: the same answer comes for as long as the key lives, so only a look can tell.
    """

    def __init__(self, code: str, *, request_id: str | None = None, stored: bool = False) -> None:
        super().__init__(code, request_id=request_id)
        self.stored = stored


class GatewayRefusal(GatewayError):  # noqa: N818
    """Never done: what was asked does not fit what the gateway holds."""


class NewsRejected(Exception):  # noqa: N818
    """What was sent as news is none: not signed by the gateway, too old, or not readable."""


class Gateway(Protocol):
    """Moves money. Every call raises GatewayUnavailable, GatewayUnclear or GatewayRefusal."""

    @property
    def name(self) -> str:
        """`sandbox`, `stripe`."""

    @property
    def publishable_key(self) -> str | None:
        """What a browser shows the gateway."""

    async def authorize(
        self, *, key: str, method: str, amount: Money, order_id: OrderId, in_parts: bool = False
    ) -> Response:
        """Asks the bank behind `method` to hold the amount; `in_parts`: to be captured in several, if it can.

        A bank's no is no error but a standing that `failed`.
        """

    async def capture(self, *, key: str, reference: str, amount: Money, final: bool = True) -> Response:
        """Takes the amount, at most what is held; `final` releases the rest. Final and 0: only that."""

    async def void(self, *, key: str, reference: str, unless_authorized: bool = False) -> Response:
        """Gives the payment up before anything was taken; `unless_authorized` looks first: a hold is kept."""

    async def refund(
        self, *, key: str, reference: str, amount: Money, credit_note_id: str | None
    ) -> Response:
        """Gives back a part of what was taken, never more in all than that."""

    async def look(self, reference: str) -> Response:
        """All that the gateway knows of a payment, refunds and disputes too."""

    async def find(self, *, key: str, since: datetime, until: datetime) -> Response | None:
        """The payment that the step under `key` made between the two moments (UTC); None for none."""

    async def action(self, reference: str) -> ClientSecret:
        """What the shopper needs to prove who they are."""

    def chargeable(self, amount: Money) -> str | None:
        """Why the gateway could never move the amount (its digits, its unit); None where it can."""

    def news(self, body: bytes, signature: str, now: datetime) -> News:
        """What was sent, once its signature holds. NewsRejected."""

    def recent(self, since: datetime) -> AsyncIterator[News]:
        """The news since a moment, oldest first, whether they were delivered or not."""

    async def reported_until(self) -> datetime:
        """Up to when (UTC) a balance report can be had by now."""

    async def report(self, *, since: datetime, until: datetime, to: BinaryIO) -> None:
        """Writes the itemized balance report of that time (UTC, to the second; without `until`), as CSV.

        See commands.reconciliation.report. May take minutes; what was written before an error is no report.
        """

    async def check(self) -> list[Finding]:
        """How the gateway is set up, for the log at the start; never raises."""

    async def aclose(self) -> None:
        """Ends what is under way; later calls raise GatewayUnavailable."""
