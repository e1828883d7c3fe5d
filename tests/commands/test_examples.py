"""The document's examples: each is sent to a shop, in the order of a day, and answered as it stands there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis

from deploy.edge.openapi import Example
from tests.commands.examples import told
from tests.commands.test_contract import serving
from tests.shop.documents import examples_in
from tests.shop.examples import stable
from tests.waiting import SECONDS_MAX

Told = list[tuple[Example, httpx.Response]]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], Told]]:
    """The document as it is served, and what a day in that shop came to."""
    with serving(tmp_path_factory.mktemp("examples")) as base:
        yield httpx.get(f"{base}/openapi.json", timeout=SECONDS_MAX).json(), told(base)


def test_each_operations_example_is_answered_as_the_document_shows(day: tuple[dict[str, Any], Told]) -> None:
    document, sent = day
    shown = examples_in(document)
    assert shown.keys() == {example.route for example, _ in sent}
    for example, _ in sent:
        assert stable(shown[example.route]) == stable(example), example.route


def test_each_examples_response_fits_its_schema(day: tuple[dict[str, Any], Told]) -> None:
    document, sent = day
    schema = schemathesis.openapi.from_dict(document)
    found = {one.ok().label: one.ok() for one in schema.get_all_operations()}
    for example, response in sent:
        found[example.route].validate_response(response)


def test_a_document_without_an_example_is_noticed(day: tuple[dict[str, Any], Told]) -> None:
    document, _ = day
    carts = document["paths"]["/api/v1/carts"]["post"]
    bare = {"paths": {"/api/v1/carts": {"post": carts | {"responses": {"200": {}}}}}}
    with pytest.raises(AssertionError, match="POST /api/v1/carts has 0 examples"):
        examples_in(bare)
