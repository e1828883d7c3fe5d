"""Tables that are cut off, missing or changed are findings of the verification, never a failure of it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from event_store.errors import LogUnreadable
from event_store.postgres.log import PostgresLog
from replays.cli import replays_group
from tests.replays.test_tampering import Tampered
from tests.shop.story import Story

EVERY_DAMAGE = {
    "TRUNCATE events": ("journal", 1, "the log ends at 0"),
    "DELETE FROM events WHERE position > 26": ("journal", 27, "the log ends at 26"),
    "DELETE FROM events WHERE position < 4": ("position", 1, "nothing stands at 1 to 3"),
    "DROP TABLE events CASCADE": ("table", None, 'relation "events" does not exist'),
    "ALTER TABLE events DROP COLUMN position CASCADE": ("table", None, 'column "position" does not exist'),
    "ALTER TABLE events DROP COLUMN data CASCADE": ("table", None, 'column "data" does not exist'),
    "ALTER TABLE events ALTER COLUMN position TYPE text": ("table", None, "events cannot be read"),
    "ALTER TABLE events ALTER data TYPE text USING encode(data, 'escape')": ("decoding", 5, "another kind"),
    "DROP TABLE commands CASCADE": ("table", None, 'relation "commands" does not exist'),
    "ALTER TABLE commands DROP COLUMN verdict CASCADE": ("table", None, 'column "verdict" does not exist'),
    "TRUNCATE commands CASCADE": ("journal", 1, "no accepted command"),
    "DROP TABLE subject_keys CASCADE": ("table", None, 'relation "subject_keys" does not exist'),
    "DROP TABLE log CASCADE": ("table", None, 'relation "log" does not exist'),
    "DELETE FROM log": ("table", None, "the log has lost its id"),
    "UPDATE events SET data = '\\xff' WHERE position = 29": ("decoding", 29, "malformed"),
    "UPDATE events SET recorded_at = 'infinity' WHERE position = 5": ("position", 5, "it cannot be read"),
}


@pytest.fixture
def tampered(fresh_postgres: str, postgres_shop: Story) -> Iterator[Tampered]:
    postgres_shop.whole_story()
    assert isinstance(postgres_shop.log, PostgresLog)
    somebody = Tampered(fresh_postgres, postgres_shop.log)
    yield somebody
    somebody.connection.close()


@pytest.mark.parametrize("damage", EVERY_DAMAGE)
def test_damage_of_every_kind_is_a_finding(tampered: Tampered, fresh_postgres: str, damage: str) -> None:
    rule, position, words = EVERY_DAMAGE[damage]
    tampered.connection.execute(damage)
    assert tampered.found(rule, position, words)
    result = CliRunner().invoke(replays_group, ["verify"], obj=SimpleNamespace(postgres_url=fresh_postgres))
    assert (result.exit_code, type(result.exception), words in result.stdout) == (1, SystemExit, True)


def test_what_cannot_be_read_hides_nothing_else(tampered: Tampered) -> None:
    tampered.execute("UPDATE events SET recorded_at = 'infinity' WHERE position IN (3, 5, 29)")
    tampered.execute("DELETE FROM events WHERE position = 4")
    for position in (3, 5, 29):
        assert tampered.found("position", position, "it cannot be read: timestamp too large")
    assert tampered.found("position", 4, "nothing stands at 4")
    assert tampered.found("version", 20, "version 2 where 1 must follow")


def test_a_reader_of_a_damaged_table_is_told_so_and_reads_on_once_it_is_mended(tampered: Tampered) -> None:
    tampered.connection.execute("ALTER TABLE events RENAME TO elsewhere")
    with pytest.raises(LogUnreadable, match='relation "events" does not exist'):
        tampered.log.read_all(after=0, limit=10)
    tampered.connection.execute("ALTER TABLE elsewhere RENAME TO events")
    assert len(tampered.log.read_all(after=0, limit=10)) == 10
