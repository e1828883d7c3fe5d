"""A copy of a state is folded on, and the state stays as it was: with every event of the fixed logs."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from aggregates.event_types import EVENT_TYPES
from aggregates.folds import kind_of
from commands.loop.decision import copy_of
from event_store.codec import Codec
from tests.golden.folds import LOGS, fixed_log


@pytest.mark.parametrize("file", LOGS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_is_folded_onto_a_copy_does_not_change_the_state(file: Path) -> None:
    states: dict[str, Any] = {}
    copies: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for one in fixed_log(file, Codec(EVENT_TYPES)):
        stream, kind = one.recorded.stream, kind_of(one.recorded.stream)
        state = states.setdefault(stream, kind.initial())
        seen[kind.name] += 1
        if seen[kind.name] <= 1_000:  # deepcopy is slow
            before = deepcopy(state)
            copies[stream] = kind.evolve(copy_of(state), one.event)
            assert state == before
        states[stream] = kind.evolve(state, one.event)
        if seen[kind.name] <= 1_000:
            assert copies[stream] == states[stream]
