"""The problems of the command API alone: of requests, and of refused commands.

A refusal's type follows from its reason's name (NotEnoughStock → /problems/not-enough-stock), its title is
the first line of the reason's docstring, and its facts are the reason's fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from inspect import getdoc
from typing import Any

from starlette.responses import Response

from aggregates.kernel import Money, Reason
from aggregates.pricing.explanation import money_text
from deploy.edge.problems import ORDER_SECRET_REQUIRED, ProblemType, problem, sentence

MALFORMED_JSON = ProblemType("malformed-json", 400, "The body is not JSON.")
KEY_REQUIRED = ProblemType("idempotency-key-required", 400, "This route needs an Idempotency-Key.")
KEY_UNFIT = ProblemType("idempotency-key-unfit", 400, "The Idempotency-Key is too short or too long.")
KEY_REUSED = ProblemType(
    "idempotency-key-reused", 422, "The Idempotency-Key was used for another request in the last 24 hours."
)
KEY_BUSY = ProblemType("idempotency-key-busy", 409, "The first request with this key is still under way.")
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type", 415, "The body is to be JSON, and its Content-Type application/json."
)
ADDRESS_INCOMPLETE = ProblemType("address-incomplete", 422, "The address lacks what its country needs.")
ADDRESS_UNFIT = ProblemType("address-unfit", 422, "The address is not in the form of its country.")
PRICE_MISMATCH = ProblemType("price-mismatch", 409, "The exact price does not round to the amount.")
SKU_MISMATCH = ProblemType("sku-mismatch", 409, "The body names another SKU than the path.")
NEWS_REJECTED = ProblemType("news-rejected", 400, "The news is not signed by the gateway, or is unreadable.")
CART_NOT_CHECKED_OUT = ProblemType("cart-not-checked-out", 409, "The cart has not become an order.")
TOO_MANY_REQUESTS = ProblemType("too-many-requests", 429, "Too many requests. Try again in a minute.")
TOO_MANY_TRIES = ProblemType("too-many-tries", 429, "Too many tries. Try again in a minute.")
GATEWAY_UNAVAILABLE = ProblemType("gateway-unavailable", 503, "The payment gateway is away. Try again.")
TAX_UNAVAILABLE = ProblemType(
    "tax-unavailable",
    503,
    "The provider of the destination's tax does not answer. The cart is kept: try again.",
)
SHIPPING_UNAVAILABLE = ProblemType(
    "shipping-unavailable",
    503,
    "The carrier of the shipping method does not answer. The cart is kept: try again, or another method.",
)
BUSY = ProblemType("busy", 503, "Others kept changing what this command is about. Try again.")
STORE_UNAVAILABLE = ProblemType("store-unavailable", 503, "The event store is away. Try again.")

PROBLEM_TYPES: tuple[ProblemType, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, ProblemType)
)


def type_of_reason(reason: type[Reason]) -> ProblemType:
    """The problem type a reason is answered with."""
    slug = re.sub(r"(?<!^)(?=[A-Z])", "-", reason.__name__).lower()
    if slug == ORDER_SECRET_REQUIRED.slug:
        return ORDER_SECRET_REQUIRED
    is_unknown = "unknown" in (slug.partition("-")[0], slug.rpartition("-")[2])
    status = 422 if reason.about else 404 if is_unknown else 409
    title = (getdoc(reason) or reason.__name__).partition("\n")[0]
    return ProblemType(slug, status, title)


def reason_response(reason: Reason) -> Response:
    """The answer to a refused command."""
    facts = {field.name: getattr(reason, field.name) for field in fields(reason)}
    kind = type_of_reason(type(reason))
    if not reason.about:
        return problem(kind, sentence_of(reason), **facts)
    part, message = reason.about, kind.title
    if part == "field":
        part, message = facts["field"], facts["why"]
    fault = {"field": f"body.{part}", "message": message}
    return problem(kind, sentence([fault]), errors=[fault], **facts)


def sentence_of(reason: Reason) -> str:
    """Why a command is refused, with the facts, and what would help."""
    title = type_of_reason(type(reason)).title
    facts = dict(reason.in_words())
    advice = reason.advice.get(str(facts.get("why")))
    if advice is not None:
        del facts["why"]
    sentence = f"{title.rstrip('.')}: {_words(facts)}." if facts else title
    return sentence if advice is None else f"{sentence} {advice}"


def _words(fact: Any) -> str:
    """`sku MUG, asked 2; sku TEA, asked 1` of whatever the fact is made of."""
    if isinstance(fact, Money):
        return f"{money_text(fact.amount, fact.currency)} {fact.currency}"
    if is_dataclass(fact):
        fact = {field.name: getattr(fact, field.name) for field in fields(fact)}
    if isinstance(fact, Mapping):
        named = [(name.replace("_", " "), part) for name, part in fact.items() if part not in (None, ())]
        return ", ".join(f"{name} {_words(part)}" for name, part in named)
    if isinstance(fact, list | tuple):
        return "; ".join(map(_words, fact))
    return str(fact)
