"""Every clause finds the same products on each engine, and what no product has is in none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from projections.documents.elasticsearch_clauses import query_of
from projections.documents.tantivy_clauses import ClauseQueries
from projections.documents.tantivy_schema import open_index, version_folder
from projections.documents.words.clauses import (
    AllOf,
    Beginning,
    BestOf,
    Clause,
    Constant,
    Near,
    PlanClauses,
    Popularity,
    Preferred,
    SomeOf,
    Token,
    Weighted,
    some,
)
from projections.documents.words.normalizer import Normalizer
from tests.shop.elasticsearch_shop import ElasticsearchShop
from tests.shop.facts import listed, placed
from tests.shop.views import SearchShop, TantivyShop

Ordered = Callable[[Clause], list[str]]
"""The SKUs that a clause finds, by its scores; ties by SKU."""

EVENTS = (
    listed("HX-204", title="Steel kettle"),
    listed("HX-205", title="Copper kettle"),
    listed("MUG-1", title="Steel mug"),
    listed("MUG-2", title="Mug for kettles"),
    listed("TEA-1", title="Tea"),
    placed("o-1", "MUG-2", 8),
)

MUG, STEEL, KETTLE = (Token("title", word) for word in ("mug", "steel", "kettle"))


@pytest.fixture(scope="module", params=["tantivy", "elasticsearch"])
def ordered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The products of EVENTS, looked for by clauses on each engine."""
    if request.param == "tantivy":
        folder = tmp_path_factory.mktemp("clauses")
        shop: SearchShop = TantivyShop(folder)
        shop.happens(*EVENTS)
        yield _by_tantivy(folder)
    else:
        shop = ElasticsearchShop(request.getfixturevalue("elasticsearch_url"))
        shop.happens(*EVENTS)
        yield _by_elasticsearch(shop)
    shop.close()


def _by_tantivy(folder: Path) -> Ordered:
    index = open_index(version_folder(folder, 1))
    index.reload()
    searcher = index.searcher()
    queries = ClauseQueries(index.schema, searcher)

    def ordered(clause: Clause) -> list[str]:
        hits = searcher.search(queries.query(clause), 100).hits
        scored = [(-round(score, 2), searcher.doc(address).get_first("sku")) for score, address in hits]
        return [str(sku) for _, sku in sorted(scored) if sku is not None]

    return ordered


def _by_elasticsearch(shop: ElasticsearchShop) -> Ordered:
    index = shop.names.version(shop.build.version)

    def ordered(clause: Clause) -> list[str]:
        found = shop.client.search(index=index, query=query_of(clause), size=100)
        hits = [(-round(hit["_score"], 2), hit["_source"].get("sku")) for hit in found["hits"]["hits"]]
        return [sku for _, sku in sorted(hits) if sku is not None]

    return ordered


@pytest.mark.parametrize(
    ("clause", "skus"),
    [
        (MUG, ["MUG-1", "MUG-2"]),
        (Token("codes", "hx204"), ["HX-204"]),
        (Token("title", "cup"), []),
        (Beginning("codes", "hx20"), ["HX-204", "HX-205"]),
        (Near("title", "ketle", 1, 1.0), ["HX-204", "HX-205"]),
        (Near("title", "ketl", 1, 1.0, begun=True), ["HX-204", "HX-205", "MUG-2"]),
        (AllOf((STEEL, KETTLE)), ["HX-204"]),
        (AllOf((STEEL, MUG, KETTLE)), []),
        (SomeOf((STEEL, MUG, KETTLE), 2), ["HX-204", "MUG-1"]),
        (BestOf((Constant(STEEL, 1.0), Constant(MUG, 2.0))), ["MUG-1", "MUG-2", "HX-204"]),
        (BestOf((Weighted(Constant(STEEL, 1.0), 3.0), Constant(MUG, 2.0))), ["MUG-1", "HX-204", "MUG-2"]),
        (Preferred(Constant(MUG, 1.0), (Constant(KETTLE, 1.0),)), ["MUG-1", "MUG-2"]),
        (Preferred(Constant(MUG, 1.0), (Constant(STEEL, 1.0),)), ["MUG-1", "MUG-2"]),
        (Preferred(Constant(MUG, 1.0), (Popularity(1.0),)), ["MUG-2", "MUG-1"]),
    ],
    ids=str,
)
def test_a_clause_finds_and_orders_the_same(ordered: Ordered, clause: Clause, skus: list[str]) -> None:
    assert ordered(clause) == skus


def test_what_no_product_has_is_in_no_clause() -> None:
    plan = Normalizer().plan("steel kettle")
    nothing = PlanClauses(plan, lambda _field, _token: False)
    assert nothing.exact is None
    known = PlanClauses(plan, lambda _field, _token: True)
    assert known.exact is not None
    few = {("title_stems", "steel"), ("title_stems", "kettl")}
    stems = PlanClauses(plan, lambda field, token: (field, token) in few)
    assert stems.exact == AllOf((Token("title_stems", "steel", 4.0), Token("title_stems", "kettl", 4.0)))
    assert some([None, MUG], 2) is None
    assert some([None, MUG], 1) == SomeOf((MUG,), 1)
