"""A version of the search index in Elasticsearch.

Each document bears the position of its last event as its external version, so that a writer that stalled
changes nothing that is newer. Documents are written before the checkpoint is, and one refresh shows both:
what a reader finds at a position is all that was folded up to it. The index is refreshed at commits alone.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

import msgspec
import structlog
from elasticsearch import BadRequestError, ConflictError, Elasticsearch, NotFoundError, helpers

from aggregates.currencies import MINOR_DIGITS
from event_store.records import START, Checkpoint
from projections.documents.elasticsearch_connection import SERIALIZERS
from projections.documents.elasticsearch_names import IndexNames
from projections.documents.elasticsearch_schema import (
    CHECKPOINT_ID,
    SETTINGS,
    document_id,
    lexicon_in,
    mappings,
)
from projections.documents.keys import Pointer
from projections.documents.words.lexicon import Lexicon
from projections.documents.words.normalizer import Normalizer
from projections.elasticsearch.documents import (
    checkpoint_document,
    index_document,
    stored_checkpoint,
    stored_state,
)
from projections.elasticsearch.versions import ElasticsearchVersions, server_errors
from projections.engine.follower import FoldFailed, TargetDamaged, TargetMoved, TargetUnavailable
from projections.engine.versions import Numbers, Versions
from projections.search.build import SearchBuild, made_of
from projections.views.search import IndexedProduct

REQUEST_SECONDS_MAX = 30.0
_READ_AT_ONCE = 1_000
_WRITTEN_AT_ONCE = 500
_BYTES_AT_ONCE = 8_000_000

logger = structlog.get_logger(__name__)


class ElasticsearchBuild(SearchBuild):
    """One version of the search index in Elasticsearch."""

    def __init__(
        self,
        client: Elasticsearch,
        numbers: Numbers,
        *,
        names: IndexNames | None = None,
        lexicon: Lexicon | None = None,
        beside: tuple[Versions, Pointer] | None = None,
    ) -> None:
        """See SearchBuild. `client` may be shared, and is not closed here."""
        self._client = client.options(request_timeout=REQUEST_SECONDS_MAX)
        self._numbers = numbers
        self._names = names or IndexNames()
        self._files = ElasticsearchVersions(self._client, self._names)
        self._normalizer: Normalizer | None = None  # of the version that is open
        super().__init__(self._files, numbers, lexicon=lexicon, beside=beside)

    @property
    def _index(self) -> str:
        return self._names.version(self.version)

    @property
    def _writer(self) -> str:
        """The alias that is written through: what was deleted is not made anew by a late write."""
        return f"{self._index}-writer"

    def check(self) -> None:
        """The index may be deleted, emptied or an older one, or another may have taken the view over."""
        self._versions.check()
        self._require_open()
        with self._failing():
            found = self._client.get(index=self._writer, id=CHECKPOINT_ID)
        if stored_checkpoint(found["_source"]) != self._committed:
            raise TargetMoved(f"the search index, version {self.version}, is not as it was left")

    def publish(self, *, keep: bool = False) -> None:
        """See Build; the alias follows."""
        super().publish(keep=keep)
        self._files.show(self.version)

    def deletion(self, gone: Pointer) -> Generator[None, None, None]:
        return self._files.delete_version(gone.version)

    def close(self) -> None:
        """What was not committed is forgotten."""
        self._normalizer = None
        self._forget()

    def _require_open(self) -> None:
        self._in_use()

    def _in_use(self) -> Normalizer:
        if self._normalizer is None:
            raise TargetMoved("the search index is closed")
        return self._normalizer

    @contextmanager
    def _failing(self) -> Iterator[None]:
        with server_errors():
            try:
                yield
            except NotFoundError as error:
                raise TargetMoved(f"the search index, version {self.version}, is gone") from error
            except (msgspec.MsgspecError, ValueError) as error:
                raise TargetDamaged(f"the search index, version {self.version}: {error}") from error

    def _states(self, skus: Collection[str]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        wanted = sorted(skus)
        for start in range(0, len(wanted), _READ_AT_ONCE):
            some = wanted[start : start + _READ_AT_ONCE]
            ids = [document_id(sku) for sku in some]
            response = self._client.mget(index=self._index, ids=ids, source_includes=["state"])
            for sku, one in zip(some, response["docs"], strict=True):
                if "error" in one:
                    raise TargetUnavailable(f"Elasticsearch: {sku}: {one['error'].get('reason')}")
                if one["found"]:
                    found[sku] = stored_state(one["_source"])
        return found

    def _commit(self, changed: Mapping[str, IndexedProduct], checkpoint: Checkpoint) -> None:
        if changed:
            self._write(changed.values())
        self._write_checkpoint(checkpoint)

    def _write(self, products: Iterable[IndexedProduct]) -> None:
        """All of them, or it raises: the same is written again later, and changes nothing then. Some are sent
        while the next are cut."""
        left = iter(products)
        before: Future[None] | None = None
        with ThreadPoolExecutor(1, "bulk") as sender:
            while some := [self._action(product) for product in islice(left, _WRITTEN_AT_ONCE)]:
                sent = sender.submit(self._send, some)
                if before is not None:
                    before.result()
                before = sent
        if before is not None:
            before.result()

    def _action(self, product: IndexedProduct) -> dict[str, Any]:
        normalizer = self._in_use()
        return {
            "_id": document_id(product.page.sku),
            "_source": made_of(product, lambda product: index_document(product, normalizer)),
            "version": product.position,
            "version_type": "external_gte",
        }

    def _send(self, actions: list[dict[str, Any]]) -> None:
        written = helpers.streaming_bulk(
            self._client,
            actions,
            index=self._writer,
            require_alias=True,
            chunk_size=_WRITTEN_AT_ONCE,
            max_chunk_bytes=_BYTES_AT_ONCE,
            raise_on_error=False,
        )
        positions = {str(action["_id"]): int(action["version"]) for action in actions}
        for is_written, response in written:
            if not is_written:
                self._refused(response["index"], positions)

    def _refused(self, item: Mapping[str, Any], positions: Mapping[str, int]) -> None:
        reason = item.get("error") or {}
        words = reason.get("reason") if isinstance(reason, Mapping) else reason
        if item.get("status") in (404, 409):
            raise TargetMoved(f"the search index, version {self.version}: {words}")
        position = positions.get(str(item.get("_id")))
        if item.get("status") == 400 and position is not None:  # It will be refused for ever.
            raise FoldFailed(position, f"Elasticsearch refuses {item.get('_id')}: {words}")
        raise TargetUnavailable(f"Elasticsearch refuses {item.get('_id')}: {words}")

    def _write_checkpoint(self, checkpoint: Checkpoint) -> None:
        try:
            self._client.index(
                index=self._writer,
                require_alias=True,
                id=CHECKPOINT_ID,
                document=checkpoint_document(checkpoint),
                version=checkpoint.position,
                version_type="external_gte",
                refresh=True,
            )
        except ConflictError as error:
            raise TargetMoved(f"the search index, version {self.version}: another went on") from error

    def _all_stored(self) -> Iterator[tuple[str, bytes]]:
        query = {"query": {"bool": {"must_not": {"term": {"kind": "checkpoint"}}}}}
        for hit in helpers.scan(
            self._client, query=query, index=self._index, _source_includes=["sku", "state"]
        ):
            yield hit["_source"]["sku"], stored_state(hit["_source"])

    def _reset(self) -> None:
        self.close()

    def _is_there(self) -> bool:
        with server_errors():
            exists = self._client.indices.exists_alias(name=self._writer)
            return bool(exists and self._client.exists(index=self._index, id=CHECKPOINT_ID))

    def _another(self, pointer: Pointer) -> ElasticsearchBuild:
        return ElasticsearchBuild(
            self._client,
            self._numbers,
            names=self._names,
            lexicon=self.lexicon,
            beside=(self._versions, pointer),
        )

    def _open_version(self) -> None:
        with server_errors():
            checkpoint = self._open_existing()
            if checkpoint is None:
                checkpoint = self._open_new()
        self._opened_at(checkpoint)
        if self.is_published:
            self._files.show(self.version)

    def _open_existing(self) -> Checkpoint | None:
        """The checkpoint of the version that lies there; None where none does, or where it is damaged."""
        try:
            mapping = self._client.indices.get_mapping(index=self._writer)
        except NotFoundError:
            return None
        try:
            lexicon = lexicon_in(mapping[self._index]["mappings"])
            found = self._client.get(index=self._index, id=CHECKPOINT_ID)
        except (NotFoundError, KeyError, msgspec.ValidationError) as error:
            logger.error("search index is damaged: built anew", version=self.version, reason=str(error))  # noqa: TRY400
            return None
        self._client.indices.refresh(index=self._index)  # What a crash left written is to be seen.
        self._normalizer = Normalizer(lexicon)
        return stored_checkpoint(found["_source"])

    def _open_new(self) -> Checkpoint:
        """An empty index: the next version where this one is lost or damaged."""
        if self._pinned is not None and self._client.indices.exists(index=self._index):
            raise TargetMoved(f"the search index, version {self.version}, is damaged")
        if self.is_published or self._client.indices.exists(index=self._index):
            self._versions.withdraw()
            self._begin()
        try:
            self._client.indices.create(
                index=self._index,
                mappings=mappings(self.lexicon, MINOR_DIGITS),
                settings=SETTINGS,
                aliases={self._writer: {}},
            )
        except BadRequestError as error:  # Our own, where a response was lost.
            if error.error != "resource_already_exists_exception":
                raise
        self._write_checkpoint(START)
        self._normalizer = Normalizer(self.lexicon)
        return START


def connect(url: str) -> Elasticsearch:
    """A client for `url`, with user and password in it where the server wants them."""
    return Elasticsearch(url, serializers=SERIALIZERS, max_retries=0, retry_on_timeout=False)
