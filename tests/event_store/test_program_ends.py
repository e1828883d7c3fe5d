"""Programs that append beside their main thread's end, and beside their forks."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

from event_store.postgres.log import PostgresLog
from tests.event_store.given import written
from tests.waiting import SECONDS_MAX

OPENED = """
import asyncio, os, sys, threading
from event_store.postgres.log import PostgresLog
from tests.event_store.given import adding, append
from tests.waiting import SECONDS_MAX
log = PostgresLog.open(sys.argv[1], schema=sys.argv[2])
"""


def run(program: str, url: str, schema: str) -> list[str]:
    """The lines that a program of its own prints, over a log that it has opened."""
    words = [sys.executable, "-c", OPENED + dedent(program), url, schema]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS_MAX, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def test_a_thread_that_outlives_the_main_thread_appends_and_has_its_commands_judged(
    postgres_log: PostgresLog, writer_url: str, schema: str
) -> None:
    program = """
        def work():
            threading.main_thread().join()
            append(log, adding("cart-a"))
            for outcome in append(log, adding("cart-a"), adding("cart-b")):
                print(type(outcome).__name__)

        threading.Thread(target=work).start()
        """
    assert run(program, writer_url, schema) == ["Moved", "Appended"]
    assert written(postgres_log) == [(1, "cart-a", 1), (2, "cart-b", 1)]


def test_a_forked_child_reads_and_appends_over_connections_of_its_own(
    postgres_log: PostgresLog, writer_url: str, schema: str
) -> None:
    program = """
        def see(process):
            append(log, adding(f"{process}-a"))
            asyncio.run(log.append_async([adding(f"{process}-b")]))
            head, events = log.wait(after=0, timeout_seconds=SECONDS_MAX), log.read_all(after=0, limit=10)
            print(process, head, len(events), flush=True)

        see("parent")
        child = os.fork()
        if child == 0:
            see("child")
            log.close()
            os._exit(0)
        os.waitpid(child, 0)
        see("again")
        log.close()
        """
    assert run(program, writer_url, schema) == ["parent 2 2", "child 4 4", "again 6 6"]
    assert [position for position, _, _ in written(postgres_log)] == [1, 2, 3, 4, 5, 6]
