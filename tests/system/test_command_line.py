"""What was to be expected to fail is one line on standard error, whichever sub-command it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.addresses import find_addresses
from deploy.local.data_folder import LockedFolder
from tests.system.running import daybook
from tests.waiting import SECONDS_MAX

NOWHERE = {
    "DAYBOOK_POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/x",
    "DAYBOOK_REDIS_URL": "redis://127.0.0.1:1",
}
NO_ADDRESSES = {"DAYBOOK_POSTGRES_URL": "nonsense", "DAYBOOK_REDIS_URL": "nonsense"}
OPEN = NOWHERE | {"DAYBOOK_HOST": "0.0.0.0"}


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        ("replays verify", {"DAYBOOK_DATA_DIR": "/dev/null"}, "nothing runs on the data folder"),
        ("replays verify", NOWHERE, "connection failed"),
        ("replays verify", NO_ADDRESSES, 'missing "=" after "nonsense"'),
        ("projections status", NOWHERE, "connection failed"),
        ("serve query", NO_ADDRESSES, "DAYBOOK_REDIS_URL: Redis URL must specify"),
        ("serve commands", OPEN, "DAYBOOK_OPERATOR_TOKEN"),
        ("serve query", OPEN, "DAYBOOK_OPERATOR_TOKEN"),
        ("serve commands", {}, "DAYBOOK_POSTGRES_URL: Field required"),
    ],
)
def test_an_expected_failure_is_one_line(words: str, environment: dict[str, str], expected: str) -> None:
    done = daybook(*words.split(), environment=environment)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert expected in line


def test_an_answer_that_cannot_be_written_is_a_failure_of_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "daybook", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("noted", ["", "[1]", '{"postgres": 7}', "\x00"])
def test_addresses_that_nobody_of_ours_noted_are_none(tmp_path: Path, noted: str) -> None:
    held = LockedFolder(tmp_path / "data")
    (held.data / "run" / "addresses.json").write_text(noted)
    assert find_addresses(held.data, {}).postgres is None
    (held.data / "run" / "addresses.json").write_text(json.dumps({"postgres": "there"}))
    assert find_addresses(held.data, {}).postgres == "there"
    held.close()
