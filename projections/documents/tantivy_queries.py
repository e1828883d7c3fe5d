"""What a shopper asks for, as the engine's query objects. Nothing typed is ever parsed as a query."""

from __future__ import annotations

from typing import Literal

import tantivy

from projections.documents.search import (
    ATTRIBUTE_SEPARATOR,
    ProductQuery,
    category_levels,
    sku_numbers,
)
from projections.documents.tantivy_schema import PRODUCT, price_field

FilterName = Literal["category", "in_stock", "currency"] | tuple[str, str]
"""A filter; of attributes, the name and value."""

_U64_MAX = 2**64 - 1

Clause = tuple[tantivy.Occur, tantivy.Query]


class ProductQueries:
    """Builds queries against one schema."""

    def __init__(self, schema: tantivy.Schema) -> None:
        self._schema = schema

    def filtered(
        self, query: ProductQuery, words: tantivy.Query | None, *, leave_out: FilterName | None = None
    ) -> tantivy.Query:
        """Listed products that `words` finds and that pass every filter, but for one: a facet's own.

        A query that compares prices names the currency.
        """
        clauses: list[Clause] = [(tantivy.Occur.Must, self._unscored(self.term("kind", PRODUCT)))]
        if words is not None:
            clauses.append((tantivy.Occur.Must, words))
        if query.category is not None and leave_out != "category":
            clauses.append((tantivy.Occur.Must, self._unscored(self._category(query.category))))
        if query.currency is not None and leave_out != "currency":
            clauses.append((tantivy.Occur.Must, self._unscored(self.term("currency", query.currency))))
        if query.currency is not None and query.bounds_price:
            price = self.between(price_field(query.currency), query.price_min, query.price_max)
            clauses.append((tantivy.Occur.Must, self._unscored(price)))
        if query.in_stock is not None and leave_out != "in_stock":
            clauses.append((tantivy.Occur.Must, self._unscored(self.term("in_stock", query.in_stock))))
        for attribute in query.attributes:
            if leave_out != attribute:
                value = self.term("attribute", ATTRIBUTE_SEPARATOR.join(attribute))
                clauses.append((tantivy.Occur.Must, self._unscored(value)))
        return tantivy.Query.boolean_query(clauses)

    def term(self, field: str, value: str | int | bool) -> tantivy.Query:
        """The field has exactly this value."""
        return tantivy.Query.term_query(self._schema, field, value, "basic")

    def between(self, field: str, low: int | None, high: int | None) -> tantivy.Query:
        """The number lies between both bounds, both included; None is no bound."""
        if (low or 0) > _U64_MAX or (high is not None and high < 0):
            return tantivy.Query.empty_query()
        return tantivy.Query.range_query(
            self._schema,
            field,
            tantivy.FieldType.Unsigned,
            max(low or 0, 0),
            _U64_MAX if high is None else min(high, _U64_MAX),
        )

    def sku_from(self, sku: str) -> tantivy.Query:
        """SKUs not below this one, and those that share its first 16 bytes."""
        first, second = sku_numbers(sku)
        same_start = both(self.term("sku_number_1", first), self.between("sku_number_2", second, None))
        if first == _U64_MAX:
            return same_start
        above = self.between("sku_number_1", first + 1, None)
        return tantivy.Query.boolean_query(
            [(tantivy.Occur.Should, above), (tantivy.Occur.Should, same_start)]
        )

    def _category(self, category: str) -> tantivy.Query:
        levels = category_levels(category)
        return self.term("category", levels[-1]) if levels else tantivy.Query.empty_query()

    def _unscored(self, query: tantivy.Query) -> tantivy.Query:
        return tantivy.Query.const_score_query(query, 0.0)


def both(one: tantivy.Query, other: tantivy.Query) -> tantivy.Query:
    """What both find."""
    return tantivy.Query.boolean_query([(tantivy.Occur.Must, one), (tantivy.Occur.Must, other)])
