"""Whether an export is whole: every file as the manifest says, and every position once."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from replays.export.errors import NotAnExport
from replays.export.folder import Folder
from replays.export.manifest import Manifest, Part, is_ours, load


def manifest_of(folder: Folder) -> Manifest:
    """The folder's manifest. NotAnExport where there is none, or a damaged one."""
    manifest = load(folder)
    if manifest is None:
        raise NotAnExport(f"{folder.address} has no export: make one with `daybook replays export`")
    return manifest


def faults(folder: Folder, manifest: Manifest, progress: Callable[[], None] = lambda: None) -> list[str]:
    """What is wrong, each in one line; none where all is well. Reads every file once. Needs no log."""
    found: list[str] = []
    positions: list[pa.ChunkedArray] = []
    for part in manifest.parts:
        content = folder.read(part.file)
        fault = "is missing" if content is None else _fault(part, content, positions)
        if fault is not None:
            found.append(f"{part.file} {fault}")
        progress()
    named = {part.file for part in manifest.parts}
    found.extend(
        f"{name} is no part of the export: the next one deletes it"
        for name in sorted(folder.names())
        if name not in named and is_ours(name) and name != "manifest.json"
    )
    return found or _gaps(manifest, positions)


def _fault(part: Part, content: bytes, positions: list[pa.ChunkedArray]) -> str | None:
    if len(content) != part.bytes or sha256(content).hexdigest() != part.sha256:
        return "has another content than when it was written"
    of_part = pq.read_table(pa.BufferReader(content), columns=["position"], partitioning=None)["position"]
    bounds = pc.min_max(of_part).as_py()
    if len(of_part) != part.rows or bounds != {"min": part.first, "max": part.last}:
        return "has other events than the manifest says"
    positions.append(of_part)
    return None


def _gaps(manifest: Manifest, positions: list[pa.ChunkedArray]) -> list[str]:
    last = manifest.checkpoint.position
    chunks = [chunk for those in positions for chunk in those.chunks]
    once = pc.unique(pa.chunked_array(chunks, type=pa.int64()))
    if manifest.rows == last == len(once):
        return []
    return [
        f"{manifest.rows:,} rows of {len(once):,} positions do not make the {last:,} of the log once each"
    ]
