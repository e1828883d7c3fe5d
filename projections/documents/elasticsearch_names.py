"""Where the search index lies in Elasticsearch: shared by writer and reader.

`<prefix>-search-v<n>` is a version of the index, `<prefix>-search` the alias of the live one, for people and
other programs. `<prefix>-views` has one document, `search`: the pointer to the live version, by which our
readers go, and the writers' record beside it, changed together.
"""

from __future__ import annotations

from dataclasses import dataclass

from projections.documents.search import VIEW


@dataclass(frozen=True, slots=True)
class IndexNames:
    """The names of one shop's indexes; `prefix` parts those of several shops on one server."""

    prefix: str = "daybook"

    @property
    def alias(self) -> str:
        """Names the live version."""
        return f"{self.prefix}-{VIEW}"

    @property
    def views(self) -> str:
        """The index of pointer and record."""
        return f"{self.prefix}-views"

    def version(self, number: int) -> str:
        """The index of a version."""
        return f"{self.alias}-v{number}"

    def number_of(self, index: str) -> int | None:
        """The version that an index is of; None for an index of another kind."""
        number = index.removeprefix(f"{self.alias}-v")
        return int(number) if number != index and number.isdecimal() else None
