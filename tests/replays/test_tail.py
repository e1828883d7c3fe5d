"""`daybook events tail`: CloudEvents, one a line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

from click.testing import CliRunner, Result

from replays.cli import events_tail
from tests.shop.facts import EMAIL
from tests.shop.story import Story
from tests.system.running import default_signals
from tests.waiting import SECONDS_MAX


def tail(url: str, *arguments: str) -> Result:
    """`daybook events tail …`"""
    return CliRunner().invoke(events_tail, arguments, obj=SimpleNamespace(postgres_url=url))


def test_without_following_it_tells_all_there_is_and_ends(fresh_postgres: str, postgres_shop: Story) -> None:
    postgres_shop.whole_story()

    result = tail(fresh_postgres, "--no-follow")

    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["position"] for event in events] == list(range(1, postgres_shop.log.head() + 1))
    assert {event["specversion"] for event in events} == {"1.0"}
    assert EMAIL not in result.stdout


def test_it_begins_after_a_position_and_keeps_the_types_asked_for(
    fresh_postgres: str, postgres_shop: Story
) -> None:
    postgres_shop.whole_story()

    result = tail(
        fresh_postgres, "--no-follow", "--after", "2", "--types", "cart.cart_opened,cart.item_added"
    )

    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["type"] for event in events] == ["cart.item_added", "cart.cart_opened", "cart.item_added"]


def test_an_unknown_type_is_one_line(fresh_postgres: str, postgres_shop: Story) -> None:
    result = tail(fresh_postgres, "--types", "cart.eaten")

    assert (result.exit_code, result.stderr.strip()) == (2, "Error: there is no event type cart.eaten")


def test_it_follows_the_log_as_it_grows_and_ends_quietly_when_interrupted(
    fresh_postgres: str, postgres_shop: Story
) -> None:
    postgres_shop.receive()
    follower = subprocess.Popen(
        [sys.executable, "-m", "daybook", "events", "tail", "--after", "0"],
        env=os.environ | {"DAYBOOK_POSTGRES_URL": fresh_postgres},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_signals,  # noqa: PLW1509 - nothing else is done between fork and exec
    )
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["position"] == 1
    postgres_shop.receive()
    assert json.loads(follower.stdout.readline())["position"] == 2

    follower.send_signal(signal.SIGINT)
    _, complaint = follower.communicate(timeout=SECONDS_MAX)

    assert "Traceback" not in complaint
