"""Programs that run on Java and come from Maven Central."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import CannotRun

JAVA_MIN = 17

_JAVA_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_FETCH_SECONDS_MAX = 600


@dataclass(frozen=True, slots=True)
class JavaProgram:
    """What is to be run, and how a person does without it."""

    name: str  # Elasticsearch
    instead: str  # leave out --search elasticsearch, or give DAYBOOK_ELASTICSEARCH_URL

    def java_home(self) -> Path:
        """A Java installation of JAVA_MIN or later, or CannotRun."""
        given = os.environ.get("JAVA_HOME")
        java = Path(given) / "bin" / "java" if given else Path(shutil.which("java") or "/nowhere")
        try:
            shown = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            raise self._no_java("there is none") from None
        found = _JAVA_VERSION.search(shown.stderr)
        if found is None or int(found[1]) < JAVA_MIN:
            raise self._no_java(f"{java} is {found[1] if found else 'another'}")
        return java.resolve().parents[1]

    def _no_java(self, why: str) -> CannotRun:
        return CannotRun(
            f"{self.name} needs Java {JAVA_MIN} or later, and {why}: install it (JAVA_HOME names it), "
            f"{self.instead}"
        )

    def fetch(self, home: Path, maven_arguments: Callable[[Path], Sequence[str]]) -> None:
        """Lets Maven make the folder `home`. The arguments are for the folder that it works in, which is to
        have a folder of that name in the end. Raises CannotRun."""
        maven = shutil.which("mvn")
        if maven is None:
            raise CannotRun(
                f"{self.name} is fetched by Maven, and there is no `mvn`: install it, {self.instead}"
            )
        home.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(dir=home.parent, prefix="unpacking-"))
        try:
            self._run([maven, "-q", "-B", *maven_arguments(half)], half, half / home.name)
            _open_to_all(half)
            try:
                # In one step: what was interrupted is never taken for a whole one.
                (half / home.name).rename(home)
            except OSError:
                if not home.is_dir():  # Somebody else's, finished meanwhile, is as good.
                    raise
        finally:
            shutil.rmtree(half, ignore_errors=True)

    def _run(self, command: Sequence[str], folder: Path, result: Path) -> None:
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_SECONDS_MAX, check=False
            )
        except subprocess.TimeoutExpired:
            raise CannotRun(f"Maven has not fetched {self.name} in {_FETCH_SECONDS_MAX} s") from None
        if done.returncode != 0 or not result.is_dir():
            last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            raise CannotRun(f"Maven cannot fetch {self.name}: {last[0] if last else 'no word why'}")


def _open_to_all(folder: Path) -> None:
    """The server may run as another user. What Maven unpacks is not executable."""
    for path in (folder, *folder.rglob("*")):
        runs = path.is_dir() or path.parent.name == "bin" or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)
