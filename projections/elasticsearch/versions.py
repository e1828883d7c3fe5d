"""The versions of the search index in Elasticsearch: an index each, and their pointer and record."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from elasticsearch import (
    ApiError,
    BadRequestError,
    ConflictError,
    Elasticsearch,
    NotFoundError,
    TransportError,
)

from projections.documents.elasticsearch_names import IndexNames
from projections.documents.keys import Pointer
from projections.documents.search import VIEW
from projections.engine.follower import TargetUnavailable
from projections.engine.versions import Stored

_MAPPINGS = {
    "dynamic": "strict",
    "properties": {"record": {"type": "binary"}, "pointer": {"type": "binary"}},
}
"""Base64 of the bytes, which are compared as such; nothing here is searched."""


class ElasticsearchVersions:
    """See `projections.engine.versions.VersionStore`.

    Both are one document, which is replaced where its sequence number is still the one that was read.
    """

    def __init__(self, client: Elasticsearch, names: IndexNames) -> None:
        self._client = client
        self._names = names

    def read(self) -> Stored:
        with server_errors():
            return self._read()[0]

    def change(self, expected: Stored, new: Stored) -> bool:
        with server_errors():
            found, condition = self._read()
            if found != expected:
                return False
            self._require_index()
            document = {name: _base64(value) for name, value in new._asdict().items() if value is not None}
            try:
                self._client.index(
                    index=self._names.views, id=VIEW, document=document, refresh=True, **condition
                )
            except ConflictError:
                return self._read()[0] == new  # Ours, where a response was lost and the client tried again.
            return True

    def left_over(self, record: bytes | None) -> list[Pointer]:
        with server_errors():
            found = self._client.indices.get(index=f"{self._names.alias}-v*", features="aliases")
            numbers = (self._names.number_of(index) for index in found)
            return [Pointer(number, 1) for number in numbers if number is not None]

    def show(self, number: int) -> None:
        """Turns the alias, which people and other programs read by, to this version, in one step."""
        with server_errors():
            alias = self._names.alias
            remove = {"remove": {"index": f"{alias}-v*", "alias": alias, "must_exist": False}}
            add = {"add": {"index": self._names.version(number), "alias": alias}}
            self._client.indices.update_aliases(actions=[remove, add])

    def delete_version(self, version: int) -> Generator[None, None, None]:
        """Deletes a version's index, in one step."""
        with server_errors():
            self._client.indices.delete(
                index=self._names.version(version), ignore_unavailable=True, allow_no_indices=True
            )
        yield

    def _read(self) -> tuple[Stored, dict[str, Any]]:
        """What is stored, and the condition under which it is still so."""
        try:
            found = self._client.get(index=self._names.views, id=VIEW)
        except NotFoundError:
            return Stored(None, None), {"op_type": "create"}
        source = found["_source"]
        stored = Stored(_bytes(source.get("record")), _bytes(source.get("pointer")))
        return stored, {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}

    def _require_index(self) -> None:
        if self._client.indices.exists(index=self._names.views):
            return
        try:
            self._client.indices.create(
                index=self._names.views, mappings=_MAPPINGS, settings={"number_of_shards": 1}
            )
        except BadRequestError as error:
            if error.error != "resource_already_exists_exception":
                raise


@contextmanager
def server_errors() -> Iterator[None]:
    """What the server or the way to it fails with becomes TargetUnavailable."""
    try:
        yield
    except (ApiError, TransportError) as error:
        raise TargetUnavailable(f"Elasticsearch: {error}") from error


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
