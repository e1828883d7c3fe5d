"""What the OpenAPI document has beside what FastAPI derives by itself."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import Response

from deploy.edge.event_streams import EVENT_STREAM
from deploy.edge.openapi import Document, add_examples, open_to_everybody, read_examples
from deploy.edge.problems import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    MEDIA_TYPE,
    RATE_LIMITED,
    SCHEMA,
    TOKEN_REQUIRED,
    TOO_MANY_LISTENERS,
    UNKNOWN_PARAMETER,
    ProblemType,
)
from projections.documents import shapes
from projections.documents.search import FacetValue, Suggestion
from read_api.problems import (
    CURSOR_EXPIRED,
    INVALID_CURSOR,
    INVALID_MIN_POSITION,
    STORE_UNAVAILABLE,
    VIEW_BEHIND,
    VIEW_NOT_READY,
)

EXAMPLES = Path(__file__).with_name("examples.json")

_COMPONENTS = "#/components/schemas/{name}"

_HEADERS: dict[str, Any] = {
    "ETag": {"description": "Names exactly these bytes.", "schema": {"type": "string"}},
    "Daybook-View-Position": {
        "description": "The position of the last event that the view has seen.",
        "schema": {"type": "integer", "minimum": 0},
    },
}

_MESSAGE: dict[str, Any] = {
    "description": "One message: `id` is a position, `data` the document as JSON.",
    "type": "object",
    "properties": {"id": {"type": "string"}, "data": {"type": "string"}},
}

_EVERYWHERE = (
    UNKNOWN_PARAMETER,
    INVALID_MIN_POSITION,
    VIEW_BEHIND,
    INVALID_REQUEST,
    RATE_LIMITED,
    INTERNAL_ERROR,
    VIEW_NOT_READY,
    STORE_UNAVAILABLE,
)

_PAGED = (INVALID_CURSOR, CURSOR_EXPIRED)


class DashboardDay(msgspec.Struct):
    """One day's books in one currency: gross are the orders placed, returns the credit notes.

    Of gross: `discounts` were taken off already, `shipping` (before discounts on it) and `tax` (inside prices
    or on top) are in it.
    """

    date: str
    currency: str
    orders: int
    units: int
    gross: shapes.Money
    returns: shapes.Money
    net: shapes.Money
    discounts: shapes.Money
    shipping: shapes.Money
    tax: shapes.Money


class DashboardHour(msgspec.Struct):
    """One hour's books in one currency, as those of a day. `local`: the hour by the shop's clocks; where they
    are set back, an hour comes twice, with two offsets."""

    starts_at: datetime
    local: str
    currency: str
    orders: int
    units: int
    gross: shapes.Money
    returns: shapes.Money
    net: shapes.Money
    discounts: shapes.Money
    shipping: shapes.Money
    tax: shapes.Money


class CustomerValueSums(msgspec.Struct):
    """What a customer bought in one currency: gross are the orders that stand, returns the credit notes."""

    currency: str
    orders: int
    gross: shapes.Money
    returns: shapes.Money
    net: shapes.Money


class CustomerValue(msgspec.Struct):
    """A customer's orders but those canceled. The first and the last: the days in UTC, null without any."""

    customer_id: str
    orders: int
    first_order_on: date | None
    last_order_on: date | None
    sums: list[CustomerValueSums]


class ConversionDay(msgspec.Struct):
    """One day's visits that began, carts taken, and orders placed of carts, canceled ones out."""

    date: str
    visits: int
    carts: int
    orders: int


class Bestseller(shapes.ProductDocument, kw_only=True):
    """A product, and how many units of it were ordered."""

    units: int


class AlsoBought(shapes.ProductDocument, kw_only=True):
    """A product, and how many orders had it beside the one that was asked about."""

    orders: int


class AddressFormRegion(msgspec.Struct):
    """A region as carriers write it, and its name in its own script or in Latin letters."""

    code: str
    name: str


class AddressForm(msgspec.Struct):
    """What a country's addresses need and may have; parts are those of an order's address.

    `labels`: what city, region and postal code are called there. `pattern`: a regular expression for the
    postal code, letters in capitals. `regions`: none where any text will do.
    """

    country: str
    required: list[str]
    allowed: list[str]
    labels: dict[str, str]
    pattern: str | None
    examples: list[str]
    regions: list[AddressFormRegion]


class CreditPage(shapes.CreditDocument, kw_only=True):
    """An account with some of its movements; `next`: the cursor of those before them."""

    next: str | None = None


class FoundProduct(shapes.ProductDocument, kw_only=True):
    """A product, and where the words are: HTML by `title` or `description`, escaped but for `<mark>`."""

    highlights: dict[str, str]


_DOCUMENTS: tuple[type[msgspec.Struct], ...] = (
    shapes.ProductDocument,
    shapes.PriceHistoryDocument,
    shapes.InventoryDocument,
    shapes.CartDocument,
    shapes.OrderDocument,
    shapes.ExplanationDocument,
    shapes.CouponDocument,
    shapes.CouponBatchDocument,
    shapes.Market,
    shapes.ShippingMethod,
    shapes.PriceListHead,
    shapes.AnnouncedPromotion,
    AddressForm,
    AlsoBought,
    Bestseller,
    ConversionDay,
    CreditPage,
    FoundProduct,
    DashboardDay,
    DashboardHour,
    CustomerValue,
    FacetValue,
    Suggestion,
)


_SOME_FIELDS = "ProductFields"


def _schema_of(document: type[msgspec.Struct], *, in_part: bool) -> dict[str, Any]:
    """Of the document; `in_part`: or of those of its fields that the request names."""
    complete = {"$ref": _COMPONENTS.format(name=document.__name__)}
    return {"anyOf": [complete, {"$ref": _COMPONENTS.format(name=_SOME_FIELDS)}]} if in_part else complete


def documented(
    document: type[msgspec.Struct], *problems: ProblemType, in_part: bool = False
) -> dict[str, Any]:
    """The answers of a route that serves one document; `in_part`: a product, or some of its fields."""
    return _answers(_schema_of(document, in_part=in_part), (*_EVERYWHERE, *problems))


def documented_list(
    document: type[msgspec.Struct], *problems: ProblemType, searched: bool = False, paged: bool = True
) -> dict[str, Any]:
    """The answers of a route that serves a page of documents; not `paged`: there is no other. `searched`:
    they are products, of which a request may want some fields alone."""
    following = {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "The next page's cursor."}
    properties: dict[str, Any] = {
        "items": {"type": "array", "items": _schema_of(document, in_part=searched)},
        "next": following if paged else {"type": "null"},
    }
    if searched:
        values = {"type": "array", "items": {"$ref": _COMPONENTS.format(name=FacetValue.__name__)}}
        properties["total"] = {"type": "integer", "minimum": 0}
        properties["facets"] = {"type": "object", "additionalProperties": values}
        properties["facets_cut"] = {
            "type": "array",
            "items": {"type": "string"},
            "description": "The facets that have more values than are shown.",
        }
    if document is FoundProduct:
        properties["relaxed"] = {
            "type": "array",
            "items": {"type": "string"},
            "description": "Words that fell away, since nothing has them beside the others.",
        }
        properties["did_you_mean"] = {
            "anyOf": [{"type": "string"}, {"type": "null"}],
            "description": "The words without the slips, where only products with other words were found.",
        }
    schema = {"type": "object", "required": sorted(properties), "properties": properties}
    return _answers(schema, (*_EVERYWHERE, *(_PAGED if paged else ()), *problems))


def documented_suggestions() -> dict[str, Any]:
    """The answers of the suggestions."""
    items = {"type": "array", "items": {"$ref": _COMPONENTS.format(name=Suggestion.__name__)}}
    return _answers({"type": "object", "required": ["items"], "properties": {"items": items}}, _EVERYWHERE)


def documented_constant(document: type[msgspec.Struct], *problems: ProblemType) -> dict[str, Any]:
    """The answers of a route that reads no view, so that no position belongs to them."""
    headers = {"ETag": _HEADERS["ETag"]}
    schema = {"$ref": _COMPONENTS.format(name=document.__name__)}
    found = {"description": "Found", "headers": headers, "content": {"application/json": {"schema": schema}}}
    unchanged = {"description": "The asker has it already", "headers": headers}
    shared = (UNKNOWN_PARAMETER, INVALID_REQUEST, RATE_LIMITED, INTERNAL_ERROR)
    answers = {200: found, 304: unchanged, **problem_answers(*shared, *problems)}
    return {"responses": answers, "response_model": None}


def documented_csv(*problems: ProblemType) -> dict[str, Any]:
    """The answers of a route that streams rows of text, which bear no tag."""
    headers = {"Daybook-View-Position": _HEADERS["Daybook-View-Position"]}
    content = {"text/csv": {"schema": {"type": "string"}}}
    found = {"description": "Found", "headers": headers, "content": content}
    return {
        "responses": {200: found, **problem_answers(*_EVERYWHERE, *problems)},
        "response_model": None,
        "response_class": Response,
    }


def documented_stream(*problems: ProblemType) -> dict[str, Any]:
    """The answers of a route that sends documents for as long as the client listens."""
    headers = {"Daybook-View-Position": _HEADERS["Daybook-View-Position"]}
    found = {
        "description": "Server-sent events",
        "headers": headers,
        "content": {EVENT_STREAM: {"schema": _MESSAGE}},
    }
    return {
        "responses": {200: found, **problem_answers(*_EVERYWHERE, *problems, TOO_MANY_LISTENERS)},
        "response_model": None,
        "response_class": Response,
    }


def documented_rows(name: str, row: type[msgspec.Struct], *problems: ProblemType) -> dict[str, Any]:
    """The answers of a dashboard: `{name: [row]}`."""
    rows = {"type": "array", "items": {"$ref": _COMPONENTS.format(name=row.__name__)}}
    schema = {"type": "object", "required": [name], "properties": {name: rows}}
    return _answers(schema, (*_EVERYWHERE, TOKEN_REQUIRED, *problems))


def problem_answers(*problems: ProblemType) -> dict[int | str, dict[str, Any]]:
    """One answer per status, naming the problem types it may have."""
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in problems:
        answer = answers.setdefault(
            kind.status,
            {
                "description": "",
                "content": {MEDIA_TYPE: {"schema": {"$ref": _COMPONENTS.format(name="Problem")}}},
            },
        )
        answer["description"] = f"{answer['description']} `/problems/{kind.slug}`: {kind.title}".strip()
        if kind.status == 503:
            answer["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}}}
    return answers


def _answers(schema: dict[str, Any], problems: tuple[ProblemType, ...]) -> dict[str, Any]:
    found = {"description": "Found", "headers": _HEADERS, "content": {"application/json": {"schema": schema}}}
    unchanged = {"description": "The asker has it already", "headers": _HEADERS}
    return {"responses": {200: found, 304: unchanged, **problem_answers(*problems)}, "response_model": None}


def finish_document(document: Document, *, is_open: bool) -> None:
    """Adds the shapes of the stored documents, and examples; `is_open`: the server has no operator token."""
    _, components = msgspec.json.schema_components(_DOCUMENTS, ref_template=_COMPONENTS)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    some_fields = {
        "title": _SOME_FIELDS,
        "description": "Of a product, the fields that the request names.",
        "type": "object",
        "properties": components[FoundProduct.__name__]["properties"],
    }
    schemas |= {**components, _SOME_FIELDS: some_fields, "Problem": SCHEMA}
    for never_answered in ("HTTPValidationError", "ValidationError"):
        schemas.pop(never_answered, None)
    for path in document["paths"].values():
        for operation in path.values():
            answer = operation["responses"].get("422", {})
            if "application/json" in answer.get("content", {}):
                del answer["content"]["application/json"]
    add_examples(document, read_examples(EXAMPLES))
    if is_open:
        open_to_everybody(document)
