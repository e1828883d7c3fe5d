"""`daybook replays export`, as a person runs it: on a real log, in a process that may be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from event_store.postgres.log import PostgresLog
from replays.cli import replays_group
from replays.export.folder import Folder
from replays.export.manifest import NAME, load
from replays.export.verify import faults
from tests.shop.facts import received
from tests.shop.story import Story
from tests.waiting import SECONDS_MAX


@pytest.fixture
def postgres_shop(fresh_postgres: str) -> Iterator[Story]:
    log = PostgresLog.open(fresh_postgres)
    yield Story(log)
    log.close()


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(replays_group, ["export", *arguments], obj=SimpleNamespace(postgres_url=url))


def test_it_says_what_it_wrote_and_verifies_it(
    fresh_postgres: str, postgres_shop: Story, tmp_path: Path
) -> None:
    postgres_shop.whole_story()
    head, place = postgres_shop.log.head(), str(tmp_path / "export")

    first, again = run(fresh_postgres, place), run(fresh_postgres, place)
    verified = run("postgresql://nowhere.invalid/", place, "--verify")

    assert (first.exit_code, again.exit_code, verified.exit_code) == (0, 0, 0)
    assert first.stdout.startswith(f"{head} new events in ")
    assert again.stdout.startswith("0 new events in ")
    assert verified.stdout.startswith(f"{head} events up to position {head}, in ")


def test_a_fault_is_one_line_and_exit_code_1(
    fresh_postgres: str, postgres_shop: Story, tmp_path: Path
) -> None:
    postgres_shop.whole_story()
    desk, place = tmp_path / "desk", tmp_path / "export"
    desk.mkdir()
    (desk / "letter.txt").write_text("Dear")
    run(fresh_postgres, str(place))
    next(place.rglob("*.parquet")).unlink()

    refused, verified = run(fresh_postgres, str(desk)), run(fresh_postgres, str(place), "--verify")
    nothing = run(fresh_postgres, str(tmp_path / "other"), "--verify")

    assert (refused.exit_code, verified.exit_code, nothing.exit_code) == (1, 1, 1)
    assert refused.stderr.splitlines()[-1].startswith(f"Error: {desk} has other things in it (letter.txt)")
    assert verified.stdout.endswith("is missing\n")
    assert "daybook replays export" in nothing.stderr


def test_two_at_once_to_one_address_are_refused(
    fresh_postgres: str, postgres_shop: Story, tmp_path: Path
) -> None:
    postgres_shop.whole_story()
    place = tmp_path / "export"
    other = postgres_shop.log.try_exclusive(f"export to {place}")
    assert other is not None

    refused = run(fresh_postgres, str(place))
    other.release()

    assert (refused.exit_code, "another export writes there now" in refused.stderr) == (1, True)
    assert not place.exists()


@pytest.mark.parametrize("command", [["replays", "export", "x"], ["sql", "SELECT 1"]], ids=["export", "sql"])
def test_without_the_libraries_it_says_what_to_install(tmp_path: Path, command: list[str]) -> None:
    program = "import sys; sys.modules.update(pyarrow=None, duckdb=None); import daybook; daybook.main()"
    environment = {**os.environ, "DAYBOOK_DATA_DIR": str(tmp_path)}

    asked = subprocess.run(
        [sys.executable, "-c", program, *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )

    assert (asked.returncode, asked.stdout) == (1, "")
    assert asked.stderr.strip().endswith("pip install 'daybook[analysis]'")
    assert len(asked.stderr.splitlines()) == 1


EXPORTING = """
import sys
from event_store.postgres.log import PostgresLog
from replays.export import pages
from replays.export.export import export
from replays.export.folder import Folder
pages.PAGE = 100
export(
    PostgresLog.open(sys.argv[1], read_only=True), Folder(sys.argv[2]), step_events=100,
    progress=lambda position, head: print(position, flush=True),
)
"""


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_every_event_once(
    fresh_postgres: str, postgres_shop: Story, tmp_path: Path
) -> None:
    for number in range(1_500):
        postgres_shop.record((received(f"S-{number}", 1),), name="receive_stock")
    postgres_shop.flush()
    folder = Folder(str(tmp_path / "export"))
    reached = 0
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", EXPORTING, fresh_postgres, folder.address],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) > reached + 200:
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait(SECONDS_MAX)
        process.stdout.close()
        manifest = load(folder)
        assert manifest is not None
        assert manifest.checkpoint.position >= reached
        reached = manifest.checkpoint.position
    assert reached > 0

    result = run(fresh_postgres, folder.address)

    assert result.exit_code == 0, result.output
    manifest = load(folder)
    assert manifest is not None
    assert manifest.rows == postgres_shop.log.head() == 1_500
    assert faults(folder, manifest) == []
    assert set(folder.names()) == {NAME, *(part.file for part in manifest.parts)}
