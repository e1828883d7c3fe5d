"""Files and what is newer are one log; nothing but it can be read, and nothing written."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from event_store.errors import AnotherHistory
from replays.duckdb.questions import Questions, Refused, SqlError, Tail, check, view_of
from replays.duckdb.views import ready_made
from replays.export.errors import AnotherExport, ExportError
from replays.export.export import export
from replays.export.folder import Folder
from tests.restored import RestoredLog
from tests.shop.facts import viewed
from tests.shop.story import ANNA, BORIS, MUG, Story
from tests.sql.conftest import Ask, questions_about, rows_of


def test_wherever_an_event_lies_the_answers_are_the_same(shop: Story, tmp_path: Path) -> None:
    head = shop.log.head()
    types = {event.type for event in shop.log.read_all(after=0, limit=head)}
    views = [*(view.name for view in ready_made()), "events", *map(view_of, sorted(types))]
    answers = []
    for number, in_files in enumerate((None, 1, head // 2, head)):
        folder = Folder(str(tmp_path / f"{number}"))
        with questions_about(shop.log, folder, in_files=in_files) as questions:
            answers.append({view: sorted(map(repr, rows_of(questions, f"FROM {view}"))) for view in views})

    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0]["events"]) == head
    assert sum(len(answers[0][view_of(name)]) for name in types) == head


def test_an_empty_log_has_every_table_and_no_row() -> None:
    with questions_about(RestoredLog(), Folder("nowhere"), in_files=None) as questions:
        for view in (*ready_made(),):
            assert rows_of(questions, f"FROM {view.name}") == []
        assert rows_of(questions, "SELECT count(*) FROM events") == [(0,)]


def test_orders_say_how_they_stand(ask: Ask) -> None:
    orders = ask("SELECT order_id, units, total, refunded, net, status FROM orders ORDER BY order_id")

    (_, _, anna_total, anna_refunded, anna_net, _), (_, _, boris_total, *_) = orders
    assert [order[:2] for order in orders] == [(ANNA, 2), (BORIS, 3)]
    assert [order[-1] for order in orders] == ["confirmed", "placed"]
    assert ask(f"SELECT sum(paid) + 400 FROM lines WHERE order_id = '{ANNA}'") == [(anna_total,)]
    assert ask(f"SELECT sum(paid) + 400 FROM lines WHERE order_id = '{BORIS}'") == [(boris_total,)]
    assert [(anna_refunded,)] == ask("SELECT sum(amount.amount) FROM orders_order_refunded")
    assert isinstance(anna_total, int)
    assert isinstance(anna_refunded, int)
    assert anna_refunded > 0
    assert anna_net == anna_total - anna_refunded


def test_an_order_that_was_canceled_is_worth_nothing(shop: Story, folder: Folder) -> None:
    shop.cancels(BORIS)
    shop.flush()
    with questions_about(shop.log, folder, in_files=5) as questions:
        orders = rows_of(
            questions, f"SELECT net, status, canceled_because FROM orders WHERE order_id = '{BORIS}'"
        )
        lines = rows_of(questions, f"SELECT DISTINCT is_canceled FROM lines WHERE order_id = '{BORIS}'")

    assert [order[:2] for order in orders] == [(0, "canceled")]
    assert lines == [(True,)]


def test_lines_say_what_came_back(ask: Ask) -> None:
    assert ask("SELECT sku, quantity, returned, unit_price FROM lines ORDER BY order_id") == [
        (MUG, 2, 1, ask("SELECT max(unit_price) FROM lines")[0][0]),
        (MUG, 3, 0, ask("SELECT min(unit_price) FROM lines")[0][0]),
    ]


def test_carts_say_what_became_of_them(ask: Ask) -> None:
    assert ask("SELECT items_added, items_removed, order_id FROM carts ORDER BY order_id") == [
        (1, 0, ANNA),
        (1, 0, BORIS),
    ]


def test_the_funnel_counts_each_stage_by_day(shop: Story, folder: Folder) -> None:
    shop.write("view_product", viewed(MUG))
    with questions_about(shop.log, folder, in_files=5) as questions:
        stages = rows_of(
            questions,
            "SELECT sum(visits), sum(carts), sum(carts_with_items), sum(carts_checked_out), sum(orders),"
            " sum(orders_confirmed) FROM funnel",
        )

    assert stages == [(1, 2, 2, 2, 2, 1)]


def test_movements_add_up_to_what_is_there(ask: Ask) -> None:
    received, dispatched, restocked = 10, 2, 1
    assert ask(f"SELECT sum(on_hand), sum(reserved) FROM stock_movements WHERE sku = '{MUG}'") == [
        (received - dispatched + restocked, 3)
    ]


REFUSED = (
    "COPY orders TO '{place}'",
    "COPY (SELECT 1) TO '{place}'",
    "EXPORT DATABASE '{place}'",
    "ATTACH '{place}'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CREATE TABLE mine AS SELECT 1",
    "CREATE VIEW mine AS SELECT 1",
    "DROP VIEW orders",
    "INSERT INTO orders VALUES (1)",
    "UPDATE orders SET net = 0",
    "DELETE FROM orders",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA enable_external_access = true",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "USE temp",
    "CHECKPOINT",
    "SELECT 1; COPY orders TO '{place}'",
)


@pytest.mark.parametrize("sql", REFUSED)
def test_what_would_change_something_is_refused(ask: Ask, tmp_path: Path, sql: str) -> None:
    place = tmp_path / "taken.parquet"
    before = ask("SELECT sum(net), count(*) FROM orders")

    with pytest.raises(Refused, match="only answers questions"):
        ask(sql.format(place=place))

    assert not place.exists()
    assert ask("SELECT sum(net), count(*) FROM orders") == before


OUTSIDE = (
    "FROM read_csv('/etc/passwd')",
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('/etc/passwd')",
    "FROM read_parquet('{export}/**/*.parquet')",
    "FROM glob('/etc/*')",
    "FROM '/etc/passwd'",
    "FROM 'https://example.org/data.parquet'",
    "FROM 's3://analysis/data.parquet'",
    "SELECT getenv('HOME')",
    "FROM tail",
    "FROM sqlite_scan('{export}/x', 'y')",
    "FROM query('COPY orders TO ''/tmp/x''')",
)


@pytest.mark.parametrize("sql", OUTSIDE)
def test_nothing_but_the_log_can_be_read(ask: Ask, asked_folder: Folder, sql: str) -> None:
    with pytest.raises(SqlError):
        ask(sql.format(export=asked_folder.path))


def test_what_explain_analyze_tries_is_undone(ask: Ask) -> None:
    ask("EXPLAIN ANALYZE DROP VIEW orders")

    assert ask("SELECT count(*) FROM orders") == [(2,)]


@pytest.mark.parametrize(
    "sql",
    [
        "DESCRIBE orders",
        "SHOW TABLES",
        "SUMMARIZE lines",
        "VALUES (1)",
        "EXPLAIN FROM carts",
        "FROM orders",
        "PIVOT orders ON status USING count(*)",
        "WITH one AS (SELECT 1) FROM one",
    ],
)
def test_questions_of_every_kind_are_answered(ask: Ask, sql: str) -> None:
    assert ask(sql)
    assert ask(sql)


@pytest.mark.parametrize("sql", ["SELEC 1", "FROM nowhere", "", " ; ", "SELECT 'x'::INT"])
def test_what_makes_no_sense_is_said_and_the_next_is_answered(ask: Ask, sql: str) -> None:
    with pytest.raises(SqlError):
        ask(sql)
    assert ask("SELECT 1") == [(1,)]


def test_what_fails_after_many_rows_is_said(ask: Ask) -> None:
    with pytest.raises(SqlError, match="x900000"):
        ask("SELECT CASE WHEN i >= 900000 THEN ('x' || i)::INT END FROM range(1000000) AS numbers(i)")
    assert ask("SELECT 1") == [(1,)]


def test_files_of_another_log_or_history_are_refused(shop: Story, folder: Folder) -> None:
    manifest = export(shop.log, folder)
    other = Story(RestoredLog())
    other.whole_story()
    with pytest.raises(AnotherExport):
        check(other.log, manifest, folder)

    check(shop.log, manifest, folder)
    shop.log.lose(1)
    with pytest.raises(AnotherExport):
        check(shop.log, manifest, folder)
    shop.receive("OTHER-1")
    shop.receive("OTHER-2")
    with pytest.raises(AnotherHistory):
        Tail(shop.log, manifest.checkpoint)


def test_the_page_on_analysis_names_every_column_of_the_ready_made_views(ask: Ask) -> None:
    page = (Path(__file__).parents[2] / "docs" / "analysis.md").read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    for view in ready_made():
        columns = [column for column, *_ in ask(f"DESCRIBE {view.name}")]
        missing = [column for column in columns if f"`{column}`" not in rows[view.name]]
        assert missing == [], view.name


def test_files_from_before_a_field_have_nothing_in_it(shop: Story, folder: Folder) -> None:
    """An event that got a field, and its lines another one: older files have neither column."""
    manifest = export(shop.log, folder)
    (part,) = (part for part in manifest.parts if part.type == "orders.order_placed")
    table = pq.read_table(folder.place(part.file), partitioning=None)
    lines = table.schema.field("lines").type
    kept = [one for one in lines.value_type if one.name != "gift_of"]
    older = [{name: line[name] for name in line if name != "gift_of"} for line in table["lines"][0].as_py()]
    others = table.drop_columns(["lines", "tenders"]).slice(0, 1)
    pq.write_table(
        others.append_column("lines", pa.array([older], type=pa.list_(pa.struct(kept)))),
        folder.place(part.file),
    )

    with Questions(folder, manifest, Tail(shop.log, manifest.checkpoint)) as questions:
        ((gift_of, quantity),) = rows_of(questions, "SELECT gift_of, quantity FROM lines")
        assert (gift_of, quantity) == (None, 2)
        assert rows_of(questions, "SELECT tenders FROM orders_order_placed") == [(None,)]


def test_files_of_newer_code_are_refused(shop: Story, folder: Folder) -> None:
    manifest = export(shop.log, folder)
    first, *others = manifest.parts
    parts = (msgspec.structs.replace(first, type="cart.eaten"), *others)

    with pytest.raises(ExportError, match=r"cart\.eaten, which only newer code knows"):
        Questions(folder, msgspec.structs.replace(manifest, parts=parts))
