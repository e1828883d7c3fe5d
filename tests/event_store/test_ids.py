"""Ids follow time, and cannot be guessed."""

from __future__ import annotations

import time
from uuid import UUID

import pytest

from event_store import ids
from event_store.ids import new_command_id, new_id


def test_ids_follow_time(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.time()
    made: list[tuple[str, UUID]] = []
    for second in range(0, 50 * 365 * 24 * 3600, 7_000_003):
        monkeypatch.setattr(ids.time, "time", lambda second=second: begun + second)
        monkeypatch.setattr(ids.time, "time_ns", lambda second=second: int((begun + second) * 1e9))
        made.append((new_id(), new_command_id()))
    assert [name for name, _ in made] == sorted(name for name, _ in made)
    assert [str(command) for _, command in made] == sorted(str(command) for _, command in made)
    assert {(command.version, command.variant) for _, command in made} == {(7, "specified in RFC 4122")}


def test_what_names_a_stream_has_128_bits_that_differ() -> None:
    made = [new_id() for _ in range(2_000)]
    assert {len(name) for name in made} == {40}
    numbers = [int(name[8:], 16) for name in made]
    for bit in range(128):  # Each is set in half of them, give or take eight standard deviations.
        assert 820 < sum(number >> bit & 1 for number in numbers) < 1_180
    assert len(set(numbers)) == len(made)
