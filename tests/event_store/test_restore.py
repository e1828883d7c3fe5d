"""The restore drill: a base backup, the archive of what was written since, and a moment to go back to."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from deploy.local.servers.postgres import SOCKET_PORT, USER
from event_store.postgres.log import PostgresLog
from replays.verification.findings import Finding
from replays.verification.verify import verify
from tests.event_store.backups import Archived, wait_promoted
from tests.event_store.history import check_order, whole_log
from tests.servers import kill
from tests.shop.facts import CODEC
from tests.shop.story import ANNA, BORIS, MUG, Story

pytestmark = pytest.mark.slow

SUBJECTS = [f"order-{order_id}" for order_id in (ANNA, BORIS)]


def test_a_log_is_brought_back_to_a_moment_after_its_last_backup(archived: Archived) -> None:
    log = PostgresLog.open(archived.server.url())
    shop = Story(log)
    shop.whole_story()
    backup = archived.back_up("monday")
    in_backup = log.head()
    for _ in range(100):
        shop.receive(quantity=1)
    secret, keys = log.installation_secret(), log.subject_keys(SUBJECTS)
    with psycopg.connect(archived.server.url(), autocommit=True) as sql:
        before = whole_log(log)
        (moment,) = sql.execute("SELECT clock_timestamp()").fetchone() or ()
        # Then somebody with the owner's rights loses half of the books, and the shop goes on for a while.
        sql.execute("SET search_path = daybook")
        sql.execute("DELETE FROM events WHERE stream LIKE 'order-%'")
        sql.execute("DELETE FROM subject_keys")
        shop.receive(quantity=1)
    archived.finish()
    log.close()
    kill(archived.server)

    restored = archived.restored(backup, to=moment)
    restored.start()
    try:
        wait_promoted(restored, 20)
        with closing(PostgresLog.open(restored.url())) as log:
            after = whole_log(log)
            check_order(after)
            assert after == before
            assert len(after) == in_backup + 100
            assert (log.installation_secret(), log.subject_keys(SUBJECTS)) == (secret, keys)
            assert len(keys) > 0
            findings: list[Finding] = []
            assert verify(log, CODEC, report=findings.append).head == len(before)
            assert findings == []
            shop.log = log
            shop.versions[f"stock-{MUG}"] -= 1  # What came after the moment was lost.
            shop.receive(quantity=1)
            assert log.head() == len(before) + 1
    finally:
        restored.stop()


def test_an_archive_without_keys_is_opened_by_the_keys_that_are_kept_apart(archived: Archived) -> None:
    log = PostgresLog.open(archived.server.url())
    Story(log).whole_story()
    before, keys = whole_log(log), log.subject_keys(SUBJECTS)
    log.close()
    there = ("-h", str(archived.sockets), "-p", str(SOCKET_PORT), "-U", USER)
    books, kept_apart = (str(archived.folder / name) for name in ("books.sql", "keys.sql"))
    only_books = ("--schema=daybook", "--exclude-table-data=daybook.subject_keys")
    archived.run("pg_dump", *there, *only_books, "-f", books, "postgres")
    archived.run(
        "pg_dump", *there, "--data-only", "--table=daybook.subject_keys", "-f", kept_apart, "postgres"
    )
    assert not any(key.hex() in Path(books).read_text() for key in keys.values())

    archived.run("createdb", *there, "again")
    archived.run("psql", *there, "-q", "-v", "ON_ERROR_STOP=1", "-d", "again", "-f", books)
    log = PostgresLog.open(archived.server.url("again"))
    assert whole_log(log) == before
    assert log.subject_keys(SUBJECTS) == {}
    archived.run("psql", *there, "-q", "-v", "ON_ERROR_STOP=1", "-d", "again", "-f", kept_apart)
    assert log.subject_keys(SUBJECTS) == keys
    findings: list[Finding] = []
    verify(log, CODEC, report=findings.append)
    assert findings == []
    assert log.insert_events([("library-1", 1, "things.moved", b"{}")]) == [len(before) + 1]
    log.close()
