"""The health endpoints show whether the projector's runner goes on."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request

import pytest

from event_store.memory.log import MemoryLog
from projections.documents.stops import Stop
from projections.engine import runner as runner_module
from projections.engine.build import Build
from projections.health import serve_health
from tests.projections.running import eventually, new_runner, running
from tests.waiting import SECONDS_MAX


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=SECONDS_MAX) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_answers_who_asks_and_says_why_it_is_not_ready() -> None:
    reasons: list[str | None] = [None]
    stops: list[Stop] = []
    port = serve_health("127.0.0.1", 0, lambda: reasons[-1], lambda: stops)
    assert get(port, "/health/live") == (200, '{"status": "live"}')
    assert get(port, "/health/ready") == (200, '{"status": "ready"}')
    assert get(port, "/metrics")[0] == 200
    stops.append(Stop("product", 1, 41, "product.listed", "KeyError: 'color'"))
    status, degraded = get(port, "/health/ready")
    assert (status, json.loads(degraded)["status"]) == (200, "degraded")
    (stopped,) = json.loads(degraded)["stopped"]
    assert (stopped["view"], stopped["position"], stopped["reason"]) == ("product", 41, "KeyError: 'color'")
    reasons.append("Its runner has ended.")
    status, problem = get(port, "/health/ready")
    assert (status, json.loads(problem)["detail"]) == (503, "Its runner has ended.")
    assert get(port, "/health/live")[0] == 200
    assert get(port, "/elsewhere")[0] == 404


def test_a_runner_lives_while_it_runs() -> None:
    runner = new_runner(MemoryLog(), [])
    assert not runner.lives
    with running(runner):
        eventually(lambda: runner.lives, "lives")
    assert not runner.lives


def test_a_runner_that_hangs_does_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "_ROUND_SECONDS_MAX", 0.2)
    let_go = threading.Event()

    class Hanging(MemoryLog):
        def head(self) -> int:
            let_go.wait(2 * SECONDS_MAX)
            return super().head()

    builds: list[Build] = []
    runner = new_runner(Hanging(), builds)
    with running(runner):
        try:
            eventually(lambda: runner.lives, "lives")
            eventually(lambda: not runner.lives, "hangs")
        finally:
            let_go.set()
        eventually(lambda: runner.lives, "lives again")
