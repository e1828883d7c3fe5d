"""The API does what its OpenAPI document says, whatever is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema

from aggregates.credit.events import AccountOpened
from deploy.edge.middleware import behind_the_edge
from deploy.edge.settings import EdgeSettings
from projections.documents.text import is_blank
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.read_api.test_coupons import batch_of
from tests.read_api.test_terms import RULES
from tests.shop.facts import added, opened, placed, placed_together, viewed
from tests.shop.views import ViewShop

# A cursor that fits the schema may be nobody's, a position that fits it may not be reached yet.
EXPECTED = {"expected-statuses": ["2xx", "304", "400", "404", "410", "412"]}
CHECKED = SchemathesisConfig.from_dict({"checks": {"positive_data_acceptance": EXPECTED}})


THERE = {
    **{"sku": "MUG", "cart_id": "c" * 32, "order_id": "o", "customer_id": "a"},
    **{"code": "X-1", "batch_id": "b", "account_id": "a", "country": "GB", "visit_id": "v", "q": "mug"},
}
"""What the shop of these tests has, by the names of parameters."""


def there(operation: APIOperation[Any, Any, Any, Any], location: str) -> dict[str, str]:
    """What is required of such parameters, by name."""
    required = (one for one in operation.iter_parameters() if one.is_required)
    return {one.name: THERE[one.name] for one in required if one.location.value == location}


@contextmanager
def document_of(shop: ViewShop, settings: QuerySettings) -> Iterator[BaseSchema]:
    """The document as it is served, by an API over a shop that has something of everything."""
    shop.lists("MUG", "CUP")
    shop.happens(*RULES)
    shop.happens(opened(), added("MUG", 1), placed("o", "MUG", 2, customer_id="a"), *batch_of("X-1"))
    shop.happens(viewed("MUG", visit_id="v"), placed_together("p", "MUG", "CUP"))
    shop.happens(AccountOpened(account_id="a", kind="gift_card", currency="GBP"))
    quick = settings.model_copy(update={"min_position_wait_seconds": 0.01})
    app = build_query_app(quick, ready_position=lambda: 0)
    with running(behind_the_edge(app, EdgeSettings(operator_token=None), methods=["GET", "HEAD"])) as address:
        yield schemathesis.openapi.from_url(f"{address}/openapi.json", config=CHECKED)


def may_be_valid(case: schemathesis.Case[Any], mode: schemathesis.GenerationMode) -> bool:
    """A category of nothing that can be seen is refused: of such characters no pattern names all."""
    category = (case.query or {}).get("category")
    return mode.is_negative or not isinstance(category, str) or not is_blank(category.rpartition(">")[2])


def check_operations(document: BaseSchema, mode: schemathesis.GenerationMode, **drawn: Any) -> int:
    """Sends each operation what fits the document, or does not; `drawn`: settings of Hypothesis. Gives how
    many operations were checked."""
    checked = 0
    for found in document.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path.endswith("/live"):
            continue  # what is there is a stream that does not end: see test_live
        if mode.is_negative and not list(operation.iter_parameters()):
            continue  # there is nothing to get wrong

        @settings(deadline=None, suppress_health_check=list(HealthCheck), **drawn)
        @given(case=operation.as_strategy(generation_mode=mode).filter(lambda case: may_be_valid(case, mode)))
        def check(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate()

        try:
            check()
            if mode.is_positive:  # What is generated names things that are not there: these are.
                case = operation.Case(
                    path_parameters=there(operation, "path"), query=there(operation, "query")
                )
                assert case.call_and_validate().status_code == 200
        except Exception as error:
            error.add_note(f"{operation.method} {operation.path}")
            raise
        checked += 1
    return checked


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_every_operation_does_what_the_document_says(
    shop: ViewShop, query_settings: QuerySettings, mode: schemathesis.GenerationMode
) -> None:
    with document_of(shop, query_settings) as document:
        checked = check_operations(document, mode, max_examples=10, derandomize=True)
    assert checked == (27 if mode.is_negative else 29)
