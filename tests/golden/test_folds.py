"""Nobody changes a fold without saying so, and a snapshot is only ever read by the rules it was folded by."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path

import pytest

import aggregates
from aggregates.event_types import EVENT_TYPES
from commands.loop.snapshots import rules_digest
from event_store.codec import Codec
from tests.golden.folds import COMMAND, FILE, LOGS, Digests, digests, faults, fixed_log, unnumbered

RULES = Path(aggregates.__file__).parent


def test_every_fold_makes_of_the_fixed_logs_what_it_made_before() -> None:
    found = faults(digests(), json.loads(FILE.read_text()))
    assert found == [], "\n".join(found)


def test_the_fixed_logs_have_every_kind_of_event() -> None:
    codec = Codec(EVENT_TYPES)
    missing = {event_type.name for event_type in EVENT_TYPES} - {
        decoded.recorded.type for file in LOGS for decoded in fixed_log(file, codec)
    }
    assert missing == set(), f"add a log that has them (write_down, LOGS), then run `{COMMAND}`"


def recorded() -> Digests:
    digests: Digests = json.loads(FILE.read_text())
    return digests


def test_a_view_that_changed_under_its_old_number_is_told_and_not_kept() -> None:
    now = recorded()
    now["views"]["order"]["digest"] = "another"
    (fault,) = faults(now, recorded())
    assert fault.startswith("the view order folds to something else, and its model number is still")
    assert COMMAND in fault
    assert unnumbered(now, recorded()) == [fault]

    raised = deepcopy(now)
    raised["views"]["order"]["model"] += 1
    assert unnumbered(raised, recorded()) == []
    assert faults(raised, recorded()) == [f"views have a new number, came or went (order): run `{COMMAND}`"]

    lowered = deepcopy(now)
    lowered["views"]["order"]["model"] -= 1
    assert len(unnumbered(lowered, recorded())) == 1


def test_states_and_logs_that_changed_are_told() -> None:
    now = recorded()
    now["states"]["stock"] = "another"
    assert "streams fold to other states (stock)" in faults(now, recorded())[0]
    assert unnumbered(now, recorded()) == []
    now = recorded()
    now["logs"][0] = "another"
    now["views"]["order"]["digest"] = "another"
    assert "the fixed logs are not those" in faults(now, recorded())[-1]
    assert unnumbered(now, recorded()) == []  # What other events amount to says nothing of the folds.


@pytest.mark.parametrize(
    ("file", "was", "now"),
    [
        ("kernel.py", "round(", "int("),  # arithmetic
        ("kernel.py", "self.amount + other.amount", "self.amount - other.amount"),
        ("currencies.py", "JPY", "XXX"),
        ("orders/events.py", "def order_placed_from_1", "def order_placed_from_2"),  # an upcaster
        ("event_types.py", "upcasters=(unchanged,)", "upcasters=(None,)"),
        ("inventory/stock.py", "+=", "-="),  # a fold
        ("inventory/events.py", "quantity", "units"),
    ],
)
def test_a_snapshots_shape_covers_folds_upcasters_and_arithmetic(
    tmp_path: Path, file: str, was: str, now: str
) -> None:
    rules = tmp_path / "aggregates"
    shutil.copytree(RULES, rules, ignore=shutil.ignore_patterns("__pycache__"))
    assert rules_digest(rules) == rules_digest(RULES)
    text = (rules / file).read_text()
    assert was in text
    (rules / file).write_text(text.replace(was, now))
    assert rules_digest(rules) != rules_digest(RULES)


def test_a_new_file_of_rules_is_covered_too(tmp_path: Path) -> None:
    rules = tmp_path / "aggregates"
    shutil.copytree(RULES, rules, ignore=shutil.ignore_patterns("__pycache__"))
    (rules / "inventory" / "more.py").write_text("")
    assert rules_digest(rules) != rules_digest(RULES)
