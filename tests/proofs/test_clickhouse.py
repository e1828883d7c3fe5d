"""ClickHouse makes of the exported files what DuckDB makes of them, by the SQL of deploy/clickhouse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from event_store.cloud_events import CloudEvent
from replays.duckdb.questions import Questions
from replays.export.export import export
from replays.export.folder import Folder
from replays.export.manifest import Manifest
from replays.export.shapes import ENVELOPE
from replays.export.tables import event_tables
from tests.prerequisites import missing
from tests.restored import RestoredLog
from tests.shop.facts import viewed
from tests.shop.story import BORIS, Story
from tests.sql.conftest import rows_of

SQL = Path(__file__).parents[2] / "deploy" / "clickhouse"


def statements(name: str) -> list[str]:
    lines = [line for line in (SQL / name).read_text().splitlines() if not line.startswith("--")]
    return [one.strip() for one in "\n".join(lines).split(";") if one.strip()]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, Manifest]:
    shop = Story(RestoredLog())
    shop.whole_story()
    shop.cancels(BORIS)
    shop.flush()
    for number in (1, 2):
        shop.write("view_product", viewed(f"MUG-{number}", number))
    folder = Folder(str(tmp_path_factory.mktemp("export")))
    return folder, export(shop.log, folder)


@pytest.fixture(scope="module")
def clickhouse(exported: tuple[Folder, Manifest], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """With all events, each of them twice, as Kafka may deliver them."""
    try:
        from chdb import session
    except ImportError:
        missing("chdb (pip install 'daybook[clickhouse]')")
    folder, manifest = exported
    clickhouse = session.Session(str(tmp_path_factory.mktemp("clickhouse")))
    clickhouse.query("CREATE DATABASE daybook")
    clickhouse.query("USE daybook")
    for statement in statements("tables.sql"):
        clickhouse.query(statement)
    shapes = event_tables()
    for _ in range(2):
        for part in manifest.parts:
            own = ", ".join(f"`{name}`" for name in shapes[part.type].schema.names[len(ENVELOPE) :])
            clickhouse.query(
                "INSERT INTO events SELECT position, stream, version, type, recorded_at, valid_at,"
                f" formatRow('JSONEachRow', {own}) FROM file('{folder.place(part.file)}', Parquet)"
            )
    yield clickhouse
    clickhouse.close()


def rows(clickhouse: Any, sql: str) -> list[tuple[Any, ...]]:
    answer = str(clickhouse.query(sql, "JSONCompactEachRow"))
    return [tuple(json.loads(line)) for line in answer.splitlines()]


def same(exported: tuple[Folder, Manifest], clickhouse: Any, *, there: str, here: str) -> list[Any]:
    """The rows of both, which are the same, whatever the type of a number is."""
    with Questions(*exported) as questions:
        of_duckdb = [tuple(map(str, row)) for row in rows_of(questions, here)]
    of_clickhouse = [tuple(map(str, row)) for row in rows(clickhouse, there)]
    assert of_clickhouse == of_duckdb
    return of_clickhouse


def test_every_event_is_there_once(exported: tuple[Folder, Manifest], clickhouse: Any) -> None:
    found = same(
        exported,
        clickhouse,
        there="SELECT type, count(), sum(position) FROM events FINAL GROUP BY type ORDER BY type",
        here="SELECT type, count(*), sum(position) FROM events GROUP BY type ORDER BY type",
    )
    assert len(found) > 10


def test_daily_sales(exported: tuple[Folder, Manifest], clickhouse: Any) -> None:
    (found,) = same(
        exported,
        clickhouse,
        there="SELECT currency, sum(orders), sum(units), sum(total), sum(refunded),"
        " sum(total - refunded - canceled) FROM daily_sales GROUP BY currency",
        here="SELECT currency, count(*), sum(units), sum(total), sum(refunded), sum(net) FROM orders"
        " GROUP BY currency",
    )
    assert "0" not in found
    same(
        exported,
        clickhouse,
        there="SELECT day, total FROM daily_sales WHERE orders > 0",
        here="SELECT valid_at::DATE, sum(total.amount) FROM orders_order_placed GROUP BY 1 ORDER BY 1",
    )


def test_the_funnel(exported: tuple[Folder, Manifest], clickhouse: Any) -> None:
    sums = "sum(visits), sum(carts), sum(carts_checked_out), sum(orders), sum(orders_confirmed)"
    found = same(exported, clickhouse, there=f"SELECT {sums} FROM funnel", here=f"SELECT {sums} FROM funnel")
    assert found == [("1", "2", "2", "2", "1")]


def test_stock(exported: tuple[Folder, Manifest], clickhouse: Any) -> None:
    movements = (
        "SELECT position, sku, location, kind, on_hand, reserved FROM stock_movements {} ORDER BY position"
    )
    found = same(exported, clickhouse, there=movements.format("FINAL"), here=movements.format(""))
    assert len({kind for _, _, _, kind, *_ in found}) >= 5
    same(
        exported,
        clickhouse,
        there="SELECT * FROM stock",
        here="SELECT sku, location, sum(on_hand), sum(reserved) FROM stock_movements GROUP BY ALL"
        " ORDER BY ALL",
    )


def test_the_stream_is_read_by_attributes_that_records_have(clickhouse: Any) -> None:
    """There is no broker here: that the statements parse, and which attributes they name."""
    for statement in statements("kafka.sql"):
        assert "Create" in str(clickhouse.query(f"EXPLAIN AST {statement}"))
    named = set(re.findall(r"'ce_(\w+)'", (SQL / "kafka.sql").read_text()))
    assert named <= set(CloudEvent.__struct_fields__)
    assert len(named) == 6
