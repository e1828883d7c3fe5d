"""Whatever somebody changes in the database behind the log's back, verification says where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from event_store.postgres.log import PostgresLog
from replays.verification.findings import Finding
from replays.verification.verify import verify
from tests.shop.facts import CODEC
from tests.shop.story import ANNA, MUG, Story


class Tampered:
    """A sound log, somebody with the superuser's rights, and what verification then finds."""

    def __init__(self, url: str, log: PostgresLog) -> None:
        self.log = log
        self.connection = psycopg.connect(url, autocommit=True, options="-c search_path=daybook")

    def execute(self, statement: str, **values: Any) -> None:
        """Changes something; the test is wrong when that was nothing."""
        assert self.connection.execute(statement, values).rowcount > 0

    def position_of(self, type_: str, nth: int = 1) -> int:
        """The position of the nth event of a type."""
        rows = self.connection.execute(
            "SELECT position FROM events WHERE type = %s ORDER BY position", [type_]
        ).fetchall()
        return int(rows[nth - 1][0])

    def data(self, position: int) -> dict[str, Any]:
        """An event's stored JSON."""
        row = self.connection.execute("SELECT data FROM events WHERE position = %s", [position]).fetchone()
        assert row is not None
        read: dict[str, Any] = json.loads(row[0])
        return read

    def rewrite(self, position: int, **fields: Any) -> None:
        """Replaces fields of an event's stored JSON."""
        data = json.dumps(self.data(position) | fields).encode()
        self.execute("UPDATE events SET data = %(data)s WHERE position = %(at)s", data=data, at=position)

    def findings(self) -> list[Finding]:
        """What verification reports."""
        found: list[Finding] = []
        assert verify(self.log, CODEC, report=found.append).findings == len(found)
        return found

    def found(self, rule: str, position: int | None, words: str) -> bool:
        """Whether a finding of that rule, at that position, says these words."""
        findings = self.findings()
        hit = any(f.rule == rule and f.position == position and words in f.wrong for f in findings)
        assert hit, "\n".join(map(str, findings)) or "nothing was found"
        return hit


@pytest.fixture
def tampered(fresh_postgres: str, postgres_shop: Story) -> Iterator[Tampered]:
    postgres_shop.whole_story()
    assert isinstance(postgres_shop.log, PostgresLog)
    somebody = Tampered(fresh_postgres, postgres_shop.log)
    assert somebody.findings() == []
    yield somebody
    somebody.connection.close()


def test_a_deleted_event_leaves_a_hole_in_the_positions_and_in_its_stream(tampered: Tampered) -> None:
    position = tampered.position_of("inventory.stock_dispatched")

    tampered.execute("DELETE FROM events WHERE position = %(at)s", at=position)

    assert tampered.found("position", position, f"nothing stands at {position}")
    assert tampered.found("version", tampered.position_of("inventory.stock_restocked"), "version")
    assert tampered.found("command", position - 1, "sent: 2 of MUG-1 by order")


def test_the_reading_goes_on_after_a_hole(tampered: Tampered) -> None:
    first, last = tampered.position_of("cart.item_added"), tampered.log.head()

    tampered.execute("DELETE FROM events WHERE position IN (1, 2)")
    tampered.execute("DELETE FROM events WHERE position = %(at)s", at=first)
    tampered.rewrite(last, amount={"amount": 1, "currency": "GBP"})

    assert tampered.found("position", 1, "nothing stands at 1 to 3")
    assert tampered.found("order", last, "its lines and charges make 1299, its total is 1")


def test_a_command_cut_off_at_the_log_s_end_is_missed_by_its_row(tampered: Tampered) -> None:
    last = tampered.log.head()

    tampered.execute("DELETE FROM events WHERE position = %(at)s", at=last)

    assert tampered.found("journal", last - 2, f"to {last}, says its row")


def test_whole_commands_cut_off_at_the_log_s_end_are_missed_by_the_journal(tampered: Tampered) -> None:
    last = tampered.log.head()
    commands = tampered.log.journal_rows(first_position=last - 9, last_position=last)
    kept = max(row.first_position or 0 for row in commands[:-1]) - 1

    tampered.execute("DELETE FROM events WHERE position > %(kept)s", kept=kept)

    assert tampered.found("journal", kept + 1, f"wrote up to {last}, the log ends at {kept}")


def test_a_log_without_any_event_is_missed_by_the_journal(tampered: Tampered) -> None:
    last = tampered.log.head()

    tampered.execute("DELETE FROM events")

    assert tampered.found("journal", 1, f"wrote up to {last}, the log ends at 0")


def test_a_changed_version_is_out_of_order(tampered: Tampered) -> None:
    position = tampered.position_of("orders.order_confirmed")

    tampered.execute("UPDATE events SET version = 7 WHERE position = %(at)s", at=position)

    assert tampered.found("version", position, "version 7 where 2 must follow")


def test_bytes_that_are_no_json_do_not_decode(tampered: Tampered) -> None:
    position = tampered.position_of("inventory.stock_received")

    tampered.execute("UPDATE events SET data = %(data)s WHERE position = %(at)s", data=b'{"sku', at=position)

    assert tampered.found("decoding", position, "position 1")


def test_a_type_that_nobody_knows_does_not_decode(tampered: Tampered) -> None:
    tampered.execute("UPDATE events SET type = 'cart.eaten' WHERE position = 2")

    assert tampered.found("decoding", 2, "cart.eaten")


@pytest.mark.parametrize(
    ("type_", "fields", "rule", "words"),
    [
        ("inventory.stock_received", {"quantity": 4}, "stock", "5 reserved of 4 on hand"),
        ("inventory.stock_received", {"quantity": -10}, "stock", "a movement of -10 units"),
        ("inventory.stock_dispatched", {"quantity": 3}, "command", "sent: 2 of MUG-1"),
        ("inventory.stock_dispatched", {"from_reservation": 3}, "stock", "3 of them from the 2 set aside"),
        ("inventory.reservation_confirmed", {"quantity": 1}, "stock", "1 confirmed, 2 set aside"),
        ("inventory.stock_restocked", {"quantity": 2}, "command", "restocked: 1 of MUG-1"),
        ("inventory.stock_reserved", {"sku": "TEAPOT-1"}, "stream", "it is about stock-TEAPOT-1"),
        ("orders.order_placed", {"total": {"amount": 1, "currency": "GBP"}}, "order", "make 2998"),
        ("orders.order_placed", {"currency": "EUR"}, "order", "several currencies"),
        ("orders.lines_fulfilled", {"order_id": "e" * 32}, "order", "nobody placed the order"),
        ("orders.order_refunded", {"amount": {"amount": 9000, "currency": "GBP"}}, "order", "9000 GBP"),
        ("payments.payment_captured", {"amount": {"amount": 2999, "currency": "GBP"}}, "payment", "2999"),
        ("payments.payment_captured", {"source": "elsewhere"}, "payment", None),
        ("payments.payment_refunded", {"amount": {"amount": 1298, "currency": "GBP"}}, "command", "1298"),
    ],
)
def test_a_changed_field_contradicts_the_rest(
    tampered: Tampered, type_: str, fields: dict[str, Any], rule: str, words: str | None
) -> None:
    position = tampered.position_of(type_)

    tampered.rewrite(position, **fields)

    if words is None:  # The same money from elsewhere breaks no rule: only sealing the log will tell.
        assert tampered.findings() == []
        return
    findings = [str(finding) for finding in tampered.findings()]
    assert any(finding.startswith(f"{rule}: ") and words in finding for finding in findings), findings


def test_a_line_sent_twice_is_more_than_was_bought(tampered: Tampered) -> None:
    position = tampered.position_of("orders.lines_fulfilled")

    tampered.rewrite(position, lines=[{"line_id": "1", "sku": MUG, "quantity": 4}])

    assert tampered.found("order", position, "line 1: 4 sent, there were 2")


def test_time_that_runs_backwards_is_seen(tampered: Tampered) -> None:
    received, last = 1, tampered.log.head()

    tampered.execute(
        """
        UPDATE events SET recorded_at = swapped.recorded_at
          FROM (SELECT a.position, b.recorded_at FROM events a JOIN events b
                    ON (a.position, b.position) IN ((%(a)s, %(b)s), (%(b)s, %(a)s))) AS swapped
         WHERE events.position = swapped.position
        """,
        a=received,
        b=last,
    )

    assert tampered.found("time", 2, "the event before it")
    assert tampered.found("time", last, "the event before it")


def test_a_time_moved_within_its_neighbours_differs_from_its_command_s(tampered: Tampered) -> None:
    tampered.execute(
        "UPDATE events SET recorded_at = recorded_at - interval '1 microsecond' WHERE position = 1"
    )

    assert tampered.found("time", 1, "its command at")


def test_a_command_without_its_journal_row_is_seen(tampered: Tampered) -> None:
    position = tampered.position_of("orders.order_placed")

    tampered.execute(
        "DELETE FROM commands WHERE %(at)s BETWEEN first_position AND last_position", at=position
    )

    assert tampered.found("journal", position - 1, "the journal has no accepted command")


def test_a_journal_row_that_names_another_actor_is_seen(tampered: Tampered) -> None:
    tampered.execute("UPDATE commands SET actor = 'operator:mallory' WHERE first_position = 1")

    assert tampered.found("journal", 1, "another actor")


def test_sealed_bytes_that_were_changed_do_not_open(tampered: Tampered) -> None:
    position = tampered.position_of("orders.order_placed")
    email = tampered.data(position)["email"]

    tampered.rewrite(position, email=email | {"sealed": email["sealed"][:-8] + "AAAAAAA="})

    assert tampered.found("decoding", position, f"sealed for order-{ANNA} does not open")


def test_a_sealed_value_that_another_event_had_does_not_open(tampered: Tampered) -> None:
    """Not even where its key is at hand under the name that it bears."""
    first = tampered.position_of("orders.order_placed")
    second = tampered.position_of("orders.order_placed", nth=2)

    tampered.rewrite(second, email=tampered.data(first)["email"])

    assert tampered.found("decoding", second, "does not open")
    assert tampered.found("decoding", second, f"sealed for another: order-{ANNA}")


def test_a_personal_field_that_stands_there_unsealed_is_seen(tampered: Tampered) -> None:
    position = tampered.position_of("orders.order_placed")

    tampered.rewrite(position, email="mallory@example.org")

    assert tampered.found("decoding", position, "email is not sealed")


def test_an_erased_person_is_no_finding(tampered: Tampered) -> None:
    tampered.execute("DELETE FROM subject_keys")

    assert tampered.findings() == []
