"""What an export consists of: `manifest.json`, written last, so that what it names is there and whole.

A file that it does not name is no part of the export: one that a killed run left behind.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from event_store.records import START, Checkpoint
from replays.export.errors import NotAnExport
from replays.export.folder import TEMPORARY, Folder

NAME = "manifest.json"

_OURS = re.compile(rf"([a-z_]+\.[a-z_]+/month=\d{{4}}-\d{{2}}/part-\d+-\d+\.parquet|{NAME})(\{TEMPORARY})?")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file: events of one type and of one month of valid time, from `first` to `last` in the log.

    Between those two positions it has every event of its type and month, and no other.
    """

    file: str
    type: str
    month: str  # of valid time in UTC: 2026-11
    first: int
    last: int
    rows: int
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """An export: every event of the log up to the checkpoint is in exactly one of the parts."""

    format: Literal[1] = 1
    log: str
    checkpoint: Checkpoint = START
    parts: tuple[Part, ...] = ()

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


def load(folder: Folder) -> Manifest | None:
    """The folder's manifest; None where there is none. NotAnExport where it is damaged."""
    content = folder.read(NAME)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise NotAnExport(f"{folder.address}: {NAME} is damaged: {error}") from error


def save(folder: Folder, manifest: Manifest) -> None:
    """In place of the one before."""
    folder.write(NAME, msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def is_ours(name: str) -> bool:
    """Whether an export could have written a file of this name, whole or in part."""
    return _OURS.fullmatch(name) is not None
