"""The AsyncAPI document is one: its own parser, from npm, says so, and refuses a damaged one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from replays.contracts.files import ASYNCAPI, FOLDER
from tests.prerequisites import missing

PARSER = "@asyncapi/parser@3"

VALIDATE = """
import { Parser, fromFile } from '@asyncapi/parser';
const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
const errors = diagnostics.filter((one) => one.severity < 2).map((one) => one.message);
console.log(JSON.stringify({ errors, channels: document?.channels().length ?? 0 }));
"""
"""Severity 0 is an error, 1 a warning; 2 and above are advice."""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[list[str], int]]:
    """What the parser finds wrong in a document, and how many channels it finds in it."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            missing(program)
    folder = tmp_path_factory.mktemp("parser")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), PARSER]
    subprocess.run(install, check=True)
    script = folder / "validate.mjs"
    script.write_text(VALIDATE, encoding="utf-8")

    def parse(file: Path) -> tuple[list[str], int]:
        command = ["node", str(script), str(file)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=folder).stdout)
        return found["errors"], found["channels"]

    return parse


def test_the_document_is_valid(parsed: Callable[[Path], tuple[list[str], int]]) -> None:
    assert parsed(ASYNCAPI) == ([], len(json.loads(ASYNCAPI.read_text(encoding="utf-8"))["channels"]))


def test_a_damaged_document_is_not(parsed: Callable[[Path], tuple[list[str], int]], tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / FOLDER.name)
    text = ASYNCAPI.read_text(encoding="utf-8")
    for name, damaged in {
        "reference": text.replace("schemas/cart.cart_opened/2.json", "schemas/cart.cart_opened/9.json"),
        "action": text.replace('"action": "send"', '"action": "shout"'),
        "version": text.replace('"asyncapi": "3.0.0"', '"asyncapi": "0.3"'),
    }.items():
        file = tmp_path / f"{name}.json"
        file.write_text(damaged, encoding="utf-8")
        errors, channels = parsed(file)
        assert errors and not channels, name
