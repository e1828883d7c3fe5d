"""Values that are made quickly are no others."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field

import pytest

from aggregates.pricing.values import quick


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    name: str
    amount: int = 7
    parts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    name: str
    amount: int = 7


def test_it_makes_frozen_instances_of_the_class_itself() -> None:
    made = quick(Named)(name="a", amount=1, parts={"b": 2})
    assert type(made) is Named
    assert made == Named(name="a", amount=1, parts={"b": 2})
    assert repr(made) == repr(Named(name="a", amount=1, parts={"b": 2}))
    with pytest.raises(FrozenInstanceError):
        made.amount = 2  # type: ignore[misc]


def test_defaults_are_those_of_the_class_and_never_shared() -> None:
    one, other = quick(Named)(name="a"), quick(Named)(name="a")
    assert one == other == Named(name="a")
    assert one.parts is not other.parts


def test_fields_are_named_or_placed_as_in_the_class() -> None:
    assert quick(Placed)("a", 1) == Placed("a", 1)
    with pytest.raises(TypeError):
        quick(Named)("a")  # type: ignore[call-arg, misc]
