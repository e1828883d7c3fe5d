"""The table an import ends with: by kind, what the file holds, what the log holds, what was rejected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from commands.importing.online_retail.accounts import ALONE, IN_PART, MATCHED, Account, Count, pounds
from commands.importing.online_retail.sorting import Kind

HEADINGS = ("", "lines in file", "GBP in file", "in the log", "GBP in the log", "aside", "GBP aside")


def labels() -> Iterator[str]:
    """Every row the table may have, in order."""
    for kind in Kind:
        if kind is Kind.RETURNED:
            yield from (f"{kind.value}, {matching}" for matching in (MATCHED, IN_PART, ALONE))
        else:
            yield kind.value


def table(account: Account) -> str:
    """The rows that have lines, and their sum."""
    rows: list[tuple[str, ...]] = [HEADINGS]
    columns = (account.file, account.log, account.rejects)
    for label in labels():
        counted = account.row(label)
        if any(count.lines or count.pence for count in counted):
            rows.append((label, *_cells(counted)))
    totals = [
        Count(sum(count.lines for count in column.values()), sum(count.pence for count in column.values()))
        for column in columns
    ]
    rows.append(("all lines", *_cells(totals)))
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADINGS))]
    lines = [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _cells(counted: Sequence[Count]) -> tuple[str, ...]:
    return tuple(cell for count in counted for cell in (f"{count.lines:,}", pounds(count.pence)))
