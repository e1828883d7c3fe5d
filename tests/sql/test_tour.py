"""What docs/analysis.md shows works as shown, on a small shop: its questions, its plots, its notebook."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest

from docs.examples import plots
from replays.duckdb.questions import Questions
from replays.export.export import export
from replays.export.folder import Folder
from tests.restored import RestoredLog
from tests.shop.story import MUG, Story

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    shop = Story(RestoredLog())
    shop.whole_story()
    folder = Folder(str(tmp_path_factory.mktemp("tour") / "export"))
    export(shop.log, folder)
    with mpl.rc_context({"backend": "agg"}):
        yield folder


def test_its_questions_are_answered(exported: Folder) -> None:
    with Questions(exported, plots.manifest_of(exported)) as questions:
        answers = {name: plots.ask(questions, sql) for name, sql in plots.tour().items()}

    assert answers.keys() == plots.PLOTS.keys()
    (month,) = answers["revenue"]
    assert month["orders"] == 2
    assert isinstance(month["month"], date)
    assert [(row["sku"], row["low"] <= row["high"]) for row in answers["prices"]] == [(MUG, True)]
    assert answers["baskets"][0]["lines"] == 1


def test_its_plots_are_drawn(exported: Folder, tmp_path: Path) -> None:
    numbers = tmp_path / "invoices.csv"
    with Questions(exported, plots.manifest_of(exported)) as questions:
        (first, *_) = plots.ask(questions, "SELECT number FROM orders ORDER BY order_id")
    numbers.write_text(f"InvoiceNo,Country\n{first['number']},Norway\n")

    rows = {
        "retention": [
            {"cohort": date(2026, 3, 1), "size": 2, "months_later": 1, "customers": 1, "share": 0.5}
        ],
        "returns": [{"title": "MUG", "share": 0.5, "returned": 1, "sold": 2}],
        "also_bought": [{"one": "MUG", "other": "CUP", "share": 0.5}],
    }  # what a shop of two orders has none of
    for name, of_it in rows.items():
        plots.draw(name, plots.PLOTS[name], of_it, tmp_path)
    with Questions(exported, plots.manifest_of(exported)) as questions:
        for name in plots.PLOTS.keys() - rows.keys():
            plots.draw(name, plots.PLOTS[name], plots.ask(questions, plots.tour()[name]), tmp_path)
        of_countries = plots.by_country(questions, numbers)
        plots.draw("countries", plots.countries, of_countries, tmp_path)

    assert {row["country"] for row in of_countries} == {"Norway", "unknown"}
    drawn = {file.name for file in tmp_path.glob("*.svg")}
    assert drawn == {f"analysis_{name}.svg" for name in [*plots.PLOTS, "countries"]}
    shown = set(re.findall(r"figures/(analysis_\w+\.svg)", (DOCS / "analysis.md").read_text()))
    assert shown == drawn == {file.name for file in (DOCS / "figures").glob("analysis_*.svg")}


def test_its_notebook_opens_and_runs(exported: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((DOCS / "examples" / "analysis.ipynb").read_text())
    nbformat.validate(notebook)
    monkeypatch.setenv("DAYBOOK_EXPORT", exported.address)
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)

    revenue = names["revenue"]
    assert isinstance(revenue, list)
    assert len(revenue) == 1
    names["questions"].close()  # type: ignore[attr-defined]
