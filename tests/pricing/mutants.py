"""Mutation testing of `aggregates/pricing`: `make mutants`, or `python -m tests.pricing.mutants 'PATTERN' …`.

mutmut changes one thing at a time and runs the tests of the changed function until one fails. What no test
noticed is listed, but for what `survivors.toml` explains. Exit 1 where fewer than 95 % are killed, or where a
survivor is not explained. A pattern is one of mutmut's, as `aggregates.pricing.shares.*`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "mutants"
SURVIVORS = Path(__file__).with_name("survivors.toml")
PERCENT_MIN = 95
WORKERS = os.environ.get("WORKERS", "2")
CARTS = "300"
"""Generated carts per mutant: enough to notice, few enough for thousands of mutants."""


@dataclass(frozen=True)
class Mutant:
    """One changed thing. `was`, `now`: the changed lines, without what is around them."""

    name: str
    function: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.name}\n    - {self.was}\n    + {self.now}"


@dataclass(frozen=True)
class Explanation:
    """Why some mutants are not killed. `functions`, `now`: patterns of functions and changed lines."""

    why: str
    functions: tuple[str, ...]
    now: tuple[str, ...]

    def covers(self, mutant: Mutant) -> bool:
        return any(re.fullmatch(each, mutant.function) for each in self.functions) and any(
            re.fullmatch(each, mutant.now, re.DOTALL) for each in self.now
        )


def run(patterns: list[str]) -> dict[str, str]:
    """What became of each mutant: killed, timeout, survived, no tests …"""
    shutil.rmtree(WORK, ignore_errors=True)
    environment = {**os.environ, "DAYBOOK_CARTS": CARTS}
    mutmut = [sys.executable, "-m", "mutmut"]
    subprocess.run(
        [*mutmut, "run", "--max-children", WORKERS, *patterns], cwd=ROOT, env=environment, check=True
    )
    listed = subprocess.run(
        [*mutmut, "results", "--all", "true"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    found = dict(line.strip().rsplit(": ", 1) for line in listed.splitlines() if ": " in line)
    return {name: status for name, status in found.items() if status != "not checked"}


def mutant(name: str) -> Mutant:
    """The change that a mutant makes."""
    shown = subprocess.run(
        [sys.executable, "-m", "mutmut", "show", name], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    lines = [line for line in shown.splitlines() if not line.startswith(("---", "+++"))]
    module, _, rest = name.removeprefix("aggregates.pricing.").partition(".")
    function = rest.partition("__mutmut_")[0].removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    was = " ".join(line[1:].strip() for line in lines if line.startswith("-"))
    now = " ".join(line[1:].strip() for line in lines if line.startswith("+"))
    return Mutant(name, f"{module}.{function}", was, now)


def explanations() -> list[Explanation]:
    """What `survivors.toml` says."""
    read = tomllib.loads(SURVIVORS.read_text())
    return [
        Explanation(each["why"], tuple(each["functions"]), tuple(each["now"])) for each in read["survivor"]
    ]


def main(patterns: list[str]) -> int:
    """Runs them and says what became of them."""
    found = run(patterns)
    counts = Counter(found.values())
    killed = sum(counts[each] for each in ("killed", "timeout", "caught by type check"))
    survivors = [mutant(name) for name, status in found.items() if status in {"survived", "no tests"}]
    known = explanations()
    reasons = Counter(next((each.why for each in known if each.covers(one)), "") for one in survivors)
    unexplained = [one for one in survivors if not any(each.covers(one) for each in known)]
    print(
        f"\n{len(found)} mutants: {', '.join(f'{count} {status}' for status, count in counts.most_common())}"
    )
    print(f"killed: {100 * killed / len(found):.1f} %")
    for why, count in reasons.most_common():
        if why:
            print(f"explained: {count:4} {why}")
    for one in unexplained:
        print(one)
    print(f"not explained: {len(unexplained)}")
    return 1 if unexplained or 100 * killed < PERCENT_MIN * len(found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
