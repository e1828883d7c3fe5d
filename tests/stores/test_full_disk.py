"""The embedded index on a disk that is full."""

from __future__ import annotations

import errno
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from event_store.memory.log import MemoryLog
from projections.documents.tantivy_reader import TantivyReader
from projections.tantivy.build import TantivyBuild
from tests.projections.running import eventually, new_runner, running
from tests.restored import RestoredLog
from tests.shop.log import Shop, decoded
from tests.waiting import SECONDS_MAX


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


INDEX = """
import sys
from pathlib import Path
from tests.stores.test_full_disk import index_on_a_full_disk
index_on_a_full_disk(Path(sys.argv[1]))
"""


def test_an_index_whose_disk_is_full_is_read_as_it_stood_and_caught_up_afterwards(tmp_path: Path) -> None:
    """In a process of its own: the limit is for every file that it writes."""
    done = subprocess.run(
        [sys.executable, "-c", INDEX, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def index_on_a_full_disk(folder: Path) -> None:
    shop = Shop(MemoryLog())
    shop.bustle(orders=3, products=20)
    before = shop.flush()
    index = folder / "index"
    runner = new_runner(shop.log, [TantivyBuild(index, shop.log)])
    with running(runner):
        eventually((index / "search.json").exists, "published")
        eventually(lambda: TantivyReader(index).position() == before, "at the head")
        with files_up_to(100):
            with (folder / "probe").open("wb", 0) as probe:
                try:
                    probe.write(b"x" * 101)
                    probe.write(b"x")
                except OSError as error:
                    assert error.errno == errno.EFBIG
                else:
                    raise AssertionError("the disk is not full")
            shop.bustle(orders=3, products=20, seed=2)
            shop.lists("LATER")
            head = shop.flush()
            (lane,) = runner._lanes
            failures: list[str] = []
            pause = lane._pause
            lane._pause = lambda what, error: (failures.append(str(error)), pause(what, error))[0]  # type: ignore
            eventually(lambda: len(failures) > 1, "it is tried again and again")
            assert TantivyReader(index).position() == before, "read as it stood"
        eventually(lambda: TantivyReader(index).position() == head, "caught up")
    live, anew = TantivyBuild(index, shop.log), TantivyBuild(folder / "anew", RestoredLog())
    anew.open()
    anew.apply(decoded(shop.log), up_to=head, tailing=True)
    anew.settle(may_hold_back=False)
    live.open()
    assert (live.checkpoint, live.compare(anew).differing_keys) == (anew.checkpoint, [])
    live.close()
    anew.close()
