"""No fact hides a problem's own member (RFC 9457) of the same name, and `status` tells the HTTP status."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from inspect import getdoc
from typing import Any

import msgspec
import pytest
from starlette.responses import Response

from aggregates.kernel import PROBLEM_MEMBERS, Money, Reason
from commands.handlers.checkout_price import NotDeliverable, QuoteRequired, ShippingMethodUnfit, TotalChanged
from commands.http import problems as commands_problems
from deploy.edge import problems as edge_problems
from read_api import problems as query_problems
from replays.feed import problems as replays_problems
from tests.docs.problems import reasons

REASONS = reasons(Reason)
KINDS = [
    *commands_problems.PROBLEM_TYPES,
    *query_problems.PROBLEM_TYPES,
    *replays_problems.PROBLEM_TYPES,
    *edge_problems.PROBLEM_TYPES,
]
DOORS: list[Callable[..., Response]] = [
    lambda **facts: edge_problems.problem(edge_problems.NOT_READY, **facts),
    lambda **facts: edge_problems.ProblemError(edge_problems.NOT_READY, **facts).response(),
]


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.__name__)
def test_a_refusal_says_its_own_status(reason: type[Reason]) -> None:
    facts: dict[str, Any] = {field.name: f"of {field.name}" for field in fields(reason)}
    if reason.__name__ == "TotalChanged":
        facts["differences"] = []  # A sentence needs them as they are.
    kind = commands_problems.type_of_reason(reason)
    response = commands_problems.reason_response(reason(**facts))
    body = msgspec.json.decode(response.body)
    assert response.status_code == body["status"] == kind.status
    assert (body["type"], body["title"]) == (f"/problems/{kind.slug}", kind.title)
    assert body["detail"]
    assert body.items() >= facts.items()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_every_problem_is_of_an_error_status(kind: Any) -> None:
    assert 400 <= kind.status < 600


@pytest.mark.parametrize("member", sorted(PROBLEM_MEMBERS))
def test_a_reason_cannot_have_a_fact_of_a_members_name(member: str) -> None:
    with pytest.raises(TypeError, match=member):
        dataclass(frozen=True)(type("Odd", (Reason,), {"__annotations__": {member: str}}))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("member", ["type", "title", "status", "instance"])
def test_no_door_answers_with_a_fact_of_a_members_name(door: Callable[..., Response], member: str) -> None:
    with pytest.raises(ValueError, match=member):
        door(**{member: "hidden"})


def test_both_packages_know_the_same_members() -> None:
    assert edge_problems.MEMBERS == PROBLEM_MEMBERS


def test_a_sentence_names_sums_as_people_write_them() -> None:
    changed = TotalChanged(Money(3_275, "GBP"), Money(3_300, "GBP"), Money(1_300, "JPY"), ())
    said = commands_problems.sentence_of(changed)
    assert "quoted 32.75 GBP, shown 33.00 GBP, total 1300 JPY" in said
    assert "differences" not in said


def test_a_changed_total_says_each_difference_in_money() -> None:
    difference = {"kind": "discount", "label": "10 % off", "from": -320, "to": 0}
    changed = TotalChanged(Money(3_275, "GBP"), Money(3_275, "GBP"), Money(3_595, "GBP"), (difference,))
    said = commands_problems.sentence_of(changed)
    assert said.endswith("total 35.95 GBP, differences 10 % off from -3.20 to 0.00.")


def test_a_sentence_says_in_words_what_the_fact_why_means_and_what_would_help() -> None:
    unfit = ShippingMethodUnfit("uk-post", "destination")
    assert commands_problems.sentence_of(unfit) == (
        "The shipping method does not fit the cart or its destination: method id uk-post. "
        "It does not go there: choose another method, or another destination."
    )


@pytest.mark.parametrize("kind", [ShippingMethodUnfit, NotDeliverable, QuoteRequired])
def test_every_reason_that_holds_a_checkout_up_has_advice(kind: type[Any]) -> None:
    """For each value of `why` that its description names."""
    named = set(re.findall(r"`([a-z]+)`", getdoc(kind) or "")) - {"why", "provider"}
    assert named == kind.advice.keys() != set()
