"""Where stripe-mock is not to be had: what can be done without it goes on, and CI stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stripe import mock
from tests.stripe.conftest import stripe_mock

start = stripe_mock.__wrapped__  # type: ignore[attr-defined]  # the fixture's own function


@pytest.fixture(autouse=True)
def nothing_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a machine where stripe-mock was never built."""
    monkeypatch.setattr("sys.prefix", str(tmp_path))


def test_without_go_its_tests_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="there is no go"):
        next(start())


def test_without_go_its_tests_fail_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="there is no go"):
        next(start())


@pytest.mark.parametrize("ci", [None, "true"])
def test_where_it_cannot_be_built_its_tests_fail(
    ci: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if ci is not None:
        monkeypatch.setenv("CI", ci)
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(RuntimeError, match="no network"):
        next(start())


def test_where_it_cannot_start_its_tests_fail(tmp_path: Path) -> None:
    program = tmp_path / "stripe-mock"
    program.write_text("#!/bin/sh\necho the port is taken\n")
    program.chmod(0o755)
    with pytest.raises(RuntimeError, match="the port is taken"), mock.running(program):
        pass
