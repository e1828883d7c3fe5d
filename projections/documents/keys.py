"""Where documents lie in Redis: one formula, used by the side that writes and the side that reads.

A shard is one hash tag, so that a shard's documents and its checkpoint are changed by one script also on
a Redis Cluster: documents at `{<view>.v<n>.<shard>}:<document key>`, the checkpoint at
`{<view>.v<n>.<shard>}:checkpoint` (its event's identity beside it), the pointer to the live version at
`view:<view>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

import msgspec


class Pointer(msgspec.Struct, frozen=True):
    """Which version of a view readers read, and over how many shards it is cut.

    `model` is the version of the read model (its shape and its fold) that drew it up; each rebuild has a
    `version` of its own. `epoch` is that of the writer who published it. `past`: it is of another history of
    the log than the log has now, read until it is built anew; its position is not one of this history.
    """

    version: int
    shards: int
    model: int = 1
    epoch: int = 0
    past: bool = False


def pointer_in(raw: bytes | None) -> Pointer | None:
    """What a pointer's key has; None where there is none, or none that could be made out."""
    try:
        return None if raw is None else msgspec.json.decode(raw, type=Pointer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def position_in(raw: bytes | None) -> int | None:
    """What a checkpoint's key has; None where there is none, or what no writer of ours would have written."""
    return None if raw is None or not _POSITION.fullmatch(raw) else int(raw)


@dataclass(frozen=True, slots=True)
class ViewKeys:
    """The Redis keys of one version of one view."""

    view: str
    version: int
    shards: int
    past: bool = False  # see Pointer

    def shard_of(self, document_key: str) -> int:
        """crc32 of the key in UTF-8, modulo the number of shards."""
        return crc32(document_key.encode()) % self.shards

    def prefix(self, shard: int) -> str:
        """What every key of a shard begins with, the hash tag included."""
        return f"{{{self.view}.v{self.version}.{shard}}}:"

    def document(self, document_key: str) -> str:
        """The key at which the document's bytes lie, or its sorted set where the view keeps one."""
        return self.prefix(self.shard_of(document_key)) + _own(document_key)

    def checkpoint(self, shard: int) -> str:
        """The key of the shard's checkpoint: the position of the last event folded, as a decimal."""
        return self.prefix(shard) + _CHECKPOINT

    def checkpoint_event(self, shard: int) -> str:
        """The key of the identity of the event that stands at the shard's checkpoint."""
        return self.prefix(shard) + _CHECKPOINT_EVENT

    def ranking(self, name: str, shard: int) -> str:
        """The key of a sorted set over all documents of one shard."""
        return f"{self.prefix(shard)}:{name}"


def document_key_at(redis_key: str) -> str | None:
    """The document key of what lies at a shard's key; None for a checkpoint or a ranking."""
    own = redis_key.partition("}:")[2]
    if own.startswith(_ESCAPE):
        return own.removeprefix(_ESCAPE)
    return None if own == _CHECKPOINT or own.startswith(":") else own


def pointer_key(view: str) -> str:
    """The key of the view's pointer (JSON of `Pointer`)."""
    return f"view:{view}"


def record_key(view: str) -> str:
    """The key of the writers' record beside the pointer, of the same slot of a cluster."""
    return f"{{{pointer_key(view)}}}:record"


_POSITION = re.compile(rb"0|[1-9][0-9]{0,17}")  # as write_shard.lua has it
_CHECKPOINT = "checkpoint"
_CHECKPOINT_EVENT = ":checkpoint event"  # No ranking has a space in its name.
_ESCAPE = "::"


def _own(document_key: str) -> str:
    # A product may bear the SKU `checkpoint`; no two document keys share a place, and none takes ours.
    if document_key == _CHECKPOINT or document_key.startswith(":"):
        return _ESCAPE + document_key
    return document_key
