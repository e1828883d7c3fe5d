"""How long it takes to be back from backups, on a large log: for `make proofs`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec
from event_store.postgres.log import PostgresLog
from replays.verification.findings import Finding
from replays.verification.verify import verify
from tests.bench import ours, sizes
from tests.bench.server import own_postgres
from tests.event_store.backups import Archived, wait_promoted
from tests.servers import kill

EVENTS = int(os.environ.get("BENCH_RESTORE_EVENTS", "10000000"))
SINCE = EVENTS // 10
"""What was written after the backup: a tenth of the log in one day is more than any shop's."""


def main() -> None:
    """Prints what each step of the restore takes, and their sum."""
    with own_postgres() as server:
        archived = Archived(
            server.postgres, server.programs, server.sockets, server.account, server.folder / "backups"
        )
        archived.begin()
        with closing(PostgresLog.open(server.url)) as log, step(f"writing {EVENTS:,} events"):
            sizes.fill(server.url, log, EVENTS)
        archived.finish()
        for segment in archived.archive.iterdir():
            segment.unlink()  # Older than the backup: nobody needs it.
        with step("base backup"):
            kept = archived.back_up("kept")
        with closing(PostgresLog.open(server.url)) as log, step(f"writing {SINCE:,} more"):
            sizes.fill(server.url, log, EVENTS + SINCE)
            archived.finish()
        kill(server.postgres)
        print(f"the backup has {size_of(kept):.1f} GB, the archive since {size_of(archived.archive):.1f} GB")
        begun = time.monotonic()
        with step("copying the backup"):
            # As the servers' user, who must own the copy.
            archived.run("cp", "-a", str(kept), str(archived.folder / "restored"))
        restored = archived.restored(archived.folder / "restored")
        with step("replaying the WAL"):
            restored.start()
            wait_promoted(restored, 3600)
        try:
            with closing(PostgresLog.open(restored.url())) as log:
                with step("daybook replays verify"):
                    findings: list[Finding] = []
                    verified = verify(log, Codec(EVENT_TYPES), report=findings.append)
                assert (verified.head, findings) == (EVENTS + SINCE, []), (verified, findings[:3])
                log.append([ours.command({"cart-after": 0})])
        finally:
            restored.stop()
        print(f"back after {(time.monotonic() - begun) / 60:.1f} minutes")


@contextmanager
def step(name: str) -> Iterator[None]:
    """Prints how long it took."""
    begun = time.monotonic()
    yield
    print(f"{name:<32} {time.monotonic() - begun:8.1f} s", flush=True)


def size_of(folder: Path) -> float:
    """In GB."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e9
