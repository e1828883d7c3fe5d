"""Reads Elasticsearch from asyncio code: the live version of the index, and searches in it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError, TransportError
from elasticsearch.serializer import JsonSerializer, NdjsonSerializer

from projections.documents.elasticsearch_names import IndexNames
from projections.documents.elasticsearch_schema import lexicon_in
from projections.documents.errors import ReadStoreUnavailable, ViewNotReady
from projections.documents.keys import Pointer, pointer_in
from projections.documents.search import VIEW
from projections.documents.words.normalizer import Normalizer

REQUEST_SECONDS_MAX = 2.0
"""Of a request: who searches does not wait longer for a server that is slow."""

_CONNECTIONS_MAX = 32
_PIT_KEPT = "2m"


class Gone(Exception):  # noqa: N818
    """The version, or the point in time, that was to be searched is not there any more."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the index."""

    pointer: Pointer
    index: str
    normalizer: Normalizer


class Connection:
    """One shop's search index on a server."""

    def __init__(self, url: str, names: IndexNames, seconds_max: float) -> None:
        """`url` with user and password where the server wants them."""
        self._names = names
        self._client = AsyncElasticsearch(
            url,
            serializers=SERIALIZERS,
            request_timeout=seconds_max,
            connections_per_node=_CONNECTIONS_MAX,
            max_retries=1,  # A connection that the server closed while nobody used it is not its absence.
            retry_on_timeout=False,
        )

    async def live_version(self) -> Version:
        """The version that the pointer names. Raises ViewNotReady."""
        with _errors():
            try:
                found = await self._client.get(index=self._names.views, id=VIEW)
                pointer = _pointer(found["_source"])
                if pointer is None:
                    raise ViewNotReady(VIEW)
                index = self._names.version(pointer.version)
                mapping = await self._client.indices.get_mapping(index=index)
            except NotFoundError as error:
                raise ViewNotReady(VIEW) from error
        return Version(pointer, index, Normalizer(lexicon_in(mapping[index]["mappings"])))

    async def search(self, version: Version, *bodies: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A response for each, and Gone where the pointer names another version, or past, by now."""
        pointer = {"query": {"ids": {"values": [VIEW]}}, "_source": ["pointer"]}
        searches: list[Mapping[str, Any]] = [{"index": self._names.views}, pointer]
        for body in bodies:
            searches += [{"index": version.index}, body]
        (of_pointer, *responses) = await self._searches(searches)
        hits = of_pointer["hits"]["hits"]
        if not hits or _pointer(hits[0]["_source"]) != version.pointer:
            raise Gone
        return responses

    async def search_back(self, pit: str, *bodies: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A response for each, as of a point in time. Raises Gone."""
        searches: list[Mapping[str, Any]] = []
        for body in bodies:
            searches += [{}, {**body, "pit": {"id": pit, "keep_alive": _PIT_KEPT}}]
        return await self._searches(searches)

    async def open_pit(self, version: Version) -> str:
        """The index as it is now, kept for a while: the id of this point in time. Raises Gone."""
        with _errors():
            try:
                opened = await self._client.open_point_in_time(index=version.index, keep_alive=_PIT_KEPT)
            except NotFoundError as error:
                raise Gone from error
        return str(opened["id"])

    async def close_pit(self, pit: str) -> None:
        """Gives it back; one that is not closed is given back by the server a while later."""
        with suppress(ApiError, TransportError):
            await self._client.close_point_in_time(id=pit)

    async def close(self) -> None:
        """Closes every connection."""
        await self._client.close()

    async def _searches(self, searches: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        with _errors():
            found = await self._client.msearch(searches=searches)
        for response in found["responses"]:
            if response["status"] == 404:
                raise Gone
            if "error" in response:
                raise ReadStoreUnavailable(f"Elasticsearch: {response['error'].get('reason')}")
        return list(found["responses"])


class _Json(JsonSerializer):
    def json_dumps(self, data: Any) -> bytes:
        return msgspec.json.encode(data)

    def json_loads(self, data: bytes | str) -> Any:
        try:
            return msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from error


class _Ndjson(NdjsonSerializer):
    def json_dumps(self, data: Any) -> bytes:
        return msgspec.json.encode(data)


SERIALIZERS = {"application/json": _Json(), "application/x-ndjson": _Ndjson()}
"""For a client, sync or async: many times as fast as its own."""


def _pointer(source: Mapping[str, Any]) -> Pointer | None:
    raw = source.get("pointer")
    return None if raw is None else pointer_in(b64decode(raw))


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (ApiError, TransportError) as error:
        raise ReadStoreUnavailable(f"Elasticsearch: {error}") from error
