"""Names: nothing else is called like our packages, no file names a machine's folder or work left undone."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("aggregates", "commands", "event_store", "projections", "read_api", "replays")
TEXT = {".py", ".md", ".sql", ".lua", ".toml", ""}
MACHINE_PATH = re.compile(r"/(?:home|root|work|Users|mnt)/[\w.-]+")
LEFT_UNDONE = re.compile(r"\b(?:TODO|FIXME)\b")


def written_files() -> list[Path]:
    """What is in version control, or will be: text of our own."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.splitlines()]
    else:  # a copy without its history
        folders = (*PACKAGES, "deploy", "tests", "docs")
        found = [file for folder in folders for file in (ROOT / folder).rglob("*")]
    return [file for file in found if file.is_file() and file.suffix in TEXT]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_and_no_standard_module_bears_our_names(package: str) -> None:
    assert package not in sys.stdlib_module_names
    bearers = set(importlib.metadata.packages_distributions().get(package, []))
    assert bearers <= {"daybook"}
    installed = {one.metadata["Name"].replace("-", "_").lower() for one in importlib.metadata.distributions()}
    assert package not in installed


def test_nothing_names_a_place_on_one_machine() -> None:
    named = [
        f"{file.relative_to(ROOT)}: {found.group()}"
        for file in written_files()
        if file != Path(__file__)
        for found in MACHINE_PATH.finditer(file.read_text(errors="replace"))
    ]
    assert named == []


def test_nothing_is_left_undone() -> None:
    left = [
        f"{file.relative_to(ROOT)}: {found.group()}"
        for file in written_files()
        if file != Path(__file__)
        for found in LEFT_UNDONE.finditer(file.read_text(errors="replace"))
    ]
    assert left == []
