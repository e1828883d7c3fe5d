"""Writes docs/problems.md: every problem type of both APIs, from the code that answers with them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from pathlib import Path

import commands.handlers.registry  # noqa: F401 - so that every reason is defined
from aggregates.kernel import Reason
from commands.http import problems as commands_problems
from deploy.edge import problems as edge_problems
from read_api import problems as query_problems
from replays.feed import problems as replays_problems

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"

INTRODUCTION = """\
# Problems

Every error of both APIs is `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, and
its facts as further fields. Types are stable; texts are for people and may change. Generated from the code by
`python -m tests.docs.generate`; a test checks that it is current.

A refusal means that the command was not accepted: nothing was appended, and the same request may succeed
later.

| type | status | returned by | facts | meaning |
| --- | --- | --- | --- | --- |
"""


def problems_page() -> str:
    """The page as it should stand."""
    rows: dict[tuple[str, int], tuple[set[str], str, str]] = {}
    by: dict[tuple[str, int], set[str]] = defaultdict(set)
    for reason in reasons(Reason):
        kind = commands_problems.type_of_reason(reason)
        facts = ", ".join(f"`{field.name}`" for field in fields(reason))
        by[kind.slug, kind.status].add("commands")
        rows[kind.slug, kind.status] = (by[kind.slug, kind.status], facts, f"{kind.title.rstrip('.')}.")
    sources = (
        ("both servers", edge_problems.PROBLEM_TYPES),
        ("commands", commands_problems.PROBLEM_TYPES),
        ("queries", query_problems.PROBLEM_TYPES),
        ("events", replays_problems.PROBLEM_TYPES),
    )
    for said_by, kinds in sources:
        for kind in kinds:
            by[kind.slug, kind.status].add(said_by)
            rows.setdefault((kind.slug, kind.status), (by[kind.slug, kind.status], "", kind.title))
    lines = (
        f"| `/problems/{slug}` | {status} | {', '.join(sorted(said))} | {facts} | {meaning} |"
        for (slug, status), (said, facts, meaning) in sorted(rows.items())
    )
    return INTRODUCTION + "\n".join(lines) + "\n"


def reasons(root: type[Reason]) -> list[type[Reason]]:
    """Every kind of refusal below `root` that the shop knows; a test may have made others."""
    found = [one for one in root.__subclasses__() if not one.__module__.startswith("tests.")]
    return found + [deeper for one in found for deeper in reasons(one)]
