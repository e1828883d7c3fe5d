"""The projector processes of `daybook up`, as they are to be started."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.addresses import Addresses
from deploy.local.supervision.child_processes import Program
from deploy.local.supervision.programs import OwnPrograms


def projectors(many: int) -> list[Program]:
    addresses = Addresses(data_dir=Path("data"))
    return OwnPrograms(addresses, logs=Path("logs"), feed_url="", marker=None).projectors(many)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAYBOOK_PROJECTOR_SHARDS", raising=False)
    monkeypatch.setenv("DAYBOOK_PROJECTOR_METRICS_PORT", "9100")


def test_one_projector_leaves_the_views_their_shards() -> None:
    (alone,) = projectors(1)
    assert alone.name == "projector"
    assert "DAYBOOK_PROJECTOR_SHARDS" not in alone.environment
    assert alone.environment["DAYBOOK_PROJECTOR_METRICS_PORT"] == "9100"


def test_several_projectors_share_16_shards_and_each_has_its_port_for_metrics() -> None:
    several = projectors(3)
    assert [one.name for one in several] == ["projector-1", "projector-2", "projector-3"]
    assert {one.environment["DAYBOOK_PROJECTOR_SHARDS"] for one in several} == {"16"}
    ports = [one.environment["DAYBOOK_PROJECTOR_METRICS_PORT"] for one in several]
    assert ports == ["9100", "9101", "9102"]


def test_a_number_of_shards_that_is_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_PROJECTOR_SHARDS", "32")
    assert {one.environment["DAYBOOK_PROJECTOR_SHARDS"] for one in projectors(2)} == {"32"}
