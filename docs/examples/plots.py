"""The plots of docs/analysis.md: `python -m docs.examples.plots EXPORT FOLDER [online_retail.csv.gz]`.

EXPORT is what `daybook replays export` wrote, FOLDER where the plots go. The log does not have the
countries of imported orders; where the shop's own file is given, they are taken from there, by the number of
the invoice.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pyarrow as pa
import pyarrow.csv
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from replays.duckdb.questions import Questions
from replays.export.folder import Folder
from replays.export.verify import manifest_of

Row = dict[str, Any]

COLOR, SECOND, QUIET = "#1f5f8b", "#d9822b", "#9aa5b1"


def tour() -> dict[str, str]:
    """The questions of tour.sql, by name."""
    _, *parts = re.split(
        r"^-- (\w+) --\n", Path(__file__).with_name("tour.sql").read_text(), flags=re.MULTILINE
    )
    return dict(zip(parts[::2], parts[1::2], strict=True))


def ask(questions: Questions, sql: str) -> list[Row]:
    """The rows of the answer."""
    rows: list[Row] = []
    questions.answers(sql)[0].give(
        lambda answer: rows.extend(row for batch in answer for row in batch.to_pylist())
    )
    return rows


def revenue(axes: Axes, rows: list[Row]) -> None:
    names = [row["month"].strftime("%b %y") for row in rows]
    axes.bar(names, [row["net"] / 1000 for row in rows], color=COLOR, label="net")
    axes.bar(
        names,
        [row["refunded"] / 1000 for row in rows],
        bottom=[row["net"] / 1000 for row in rows],
        color=SECOND,
        label="refunded",
    )
    axes.set_title("Revenue by month (thousand £)")
    axes.tick_params(axis="x", rotation=45)
    axes.legend(frameon=False)


def retention(axes: Axes, rows: list[Row]) -> None:
    cohorts = sorted({row["cohort"] for row in rows})
    months = max(row["months_later"] for row in rows)
    shares = {(row["cohort"], row["months_later"]): row["share"] for row in rows}
    grid = [
        [shares.get((cohort, later), float("nan")) for later in range(1, months + 1)] for cohort in cohorts
    ]
    image = axes.imshow(grid, cmap="Blues", vmin=0, vmax=0.5, aspect="auto")
    sizes = {row["cohort"]: row["size"] for row in rows}
    axes.set_yticks(range(len(cohorts)), [f"{cohort:%b %y} ({sizes[cohort]:,})" for cohort in cohorts])
    axes.set_xticks(range(months), [str(later) for later in range(1, months + 1)])
    for at, line in enumerate(grid):
        for later, share in enumerate(line):
            if not isnan(share):
                axes.text(
                    later,
                    at,
                    f"{share:.0%}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if share > 0.3 else "black",
                )
    axes.set_xlabel("months after the first order")
    axes.set_title("Of the customers of a month, how many ordered again")
    axes.figure.colorbar(image, ax=axes, format=lambda value, _: f"{value:.0%}")


def baskets(axes: Axes, rows: list[Row]) -> None:
    axes.bar([row["lines"] for row in rows], [row["orders"] for row in rows], color=COLOR, width=0.9)
    axes.set_xlabel("lines of an order (the last bar: 60 and more)")
    axes.set_title("Orders by the size of their basket")


def returns(axes: Axes, rows: list[Row]) -> None:
    rows = rows[::-1]
    axes.barh([row["title"].title()[:34] for row in rows], [row["share"] for row in rows], color=SECOND)
    for at, row in enumerate(rows):
        axes.text(row["share"], at, f" {row['returned']:,} of {row['sold']:,}", va="center", fontsize=7)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.margins(x=0.2)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_title("Units that came back, of products sold 500 times or more")


def also_bought(axes: Axes, rows: list[Row]) -> None:
    rows = rows[::-1]
    names = [f"{row['one'].title()[:30]}\n{row['other'].title()[:30]}" for row in rows]
    axes.barh(names, [row["share"] for row in rows], color=COLOR)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.tick_params(axis="y", labelsize=6)
    axes.set_title("Bought together: share of the rarer one's orders")


def prices(axes: Axes, rows: list[Row]) -> None:
    for sku in sorted({row["sku"] for row in rows}):
        those = [row for row in rows if row["sku"] == sku]
        months = [row["month"] for row in those]
        (line,) = axes.plot(
            months, [row["middle"] for row in those], marker=".", label=those[-1]["title"].title()[:28]
        )
        axes.fill_between(
            months,
            [row["low"] for row in those],
            [row["high"] for row in those],
            color=line.get_color(),
            alpha=0.12,
        )
    axes.yaxis.set_major_formatter(lambda value, _: f"£{value:g}")
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.tick_params(axis="x", rotation=45)
    axes.set_title("Unit prices of six best sellers: the median, and the middle 80 % of lines")


def countries(axes: Axes, rows: list[Row]) -> None:
    """Net revenue by country, without the United Kingdom, whose share the title says."""
    total = sum(row["net"] for row in rows)
    home = next((row["net"] for row in rows if row["country"] == "United Kingdom"), 0)
    abroad = [row for row in rows if row["country"] != "United Kingdom"][:12][::-1]
    axes.barh([row["country"] for row in abroad], [row["net"] / 1000 for row in abroad], color=COLOR)
    axes.set_title(f"Net revenue abroad (thousand £); the United Kingdom has {home / total:.0%}")


PLOTS: dict[str, Callable[[Axes, list[Row]], None]] = {
    "revenue": revenue,
    "retention": retention,
    "baskets": baskets,
    "returns": returns,
    "also_bought": also_bought,
    "prices": prices,
}


def by_country(questions: Questions, invoices: Path) -> list[Row]:
    """Net revenue of the orders by the country that the shop's file has for them, the largest first."""
    lines = pyarrow.csv.read_csv(
        invoices,
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=["InvoiceNo", "Country"],
            column_types={"InvoiceNo": pa.string(), "Country": pa.string()},
        ),
    )
    country = dict(zip(lines["InvoiceNo"].to_pylist(), lines["Country"].to_pylist(), strict=True))
    sums: dict[str, float] = {}
    for row in ask(questions, "SELECT number, net / 100 AS net FROM orders"):
        name = country.get(row["number"], "unknown")
        sums[name] = sums.get(name, 0) + row["net"]
    return [{"country": name, "net": net} for name, net in sorted(sums.items(), key=lambda one: -one[1])]


def draw(name: str, plot: Callable[[Axes, list[Row]], None], rows: list[Row], folder: Path) -> None:
    """One plot as a file of the folder."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    plot(axes, rows)
    figure.savefig(folder / f"analysis_{name}.svg", metadata={"Date": None})
    plt.close(figure)


def main(export: str, folder: str, invoices: str | None = None) -> None:
    mpl.use("agg")
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "daybook", "font.size": 9}
    place = Folder(export)
    with Questions(place, manifest_of(place)) as questions:
        for name, sql in tour().items():
            draw(name, PLOTS[name], ask(questions, sql), Path(folder))
        if invoices is not None:
            draw("countries", countries, by_country(questions, Path(invoices)), Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
