"""The programs of a real Elasticsearch, which Maven fetches from Maven Central, and a Java to run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import CannotRun
from deploy.local.servers.binaries import programs_folder

VERSION = "8.19.0"
JAVA_MIN = 17

_ARCHIVE = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
_UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack"
_UNPACK_SECONDS_MAX = 600
_JAVA_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


@dataclass(frozen=True, slots=True)
class ElasticsearchPrograms:
    """The server's folder, with `bin/elasticsearch`, and the Java installation that it runs on."""

    home: Path
    java_home: Path

    @property
    def server(self) -> Path:
        """What starts it."""
        return self.home / "bin" / "elasticsearch"


def find_elasticsearch(report: Callable[[str], None]) -> ElasticsearchPrograms:
    """The programs; fetched the first time, 97 MB, with a word to `report`.

    Raises CannotRun where there is no Java of JAVA_MIN, or no Maven to fetch them with.
    """
    java_home = _java_home()
    home = programs_folder() / f"elasticsearch-{VERSION}"
    if not home.is_dir():
        report(f"fetching Elasticsearch {VERSION} from Maven Central, 97 MB, once")
        _unpack(home)
    return ElasticsearchPrograms(home, java_home)


def _java_home() -> Path:
    given = os.environ.get("JAVA_HOME")
    java = Path(given) / "bin" / "java" if given else Path(shutil.which("java") or "/nowhere")
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        raise _no_java("there is none") from None
    found = _JAVA_VERSION.search(shown.stderr)
    if found is None or int(found[1]) < JAVA_MIN:
        raise _no_java(f"{java} is {found[1] if found else 'another'}")
    return java.resolve().parents[1]


def _no_java(why: str) -> CannotRun:
    return CannotRun(
        f"Elasticsearch needs Java {JAVA_MIN} or later, and {why}: install it (JAVA_HOME names it), leave "
        "out --search elasticsearch, or give DAYBOOK_ELASTICSEARCH_URL"
    )


def _unpack(home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotRun(
            "Elasticsearch is fetched by Maven, and there is no `mvn`: install it, leave out "
            "--search elasticsearch, or give DAYBOOK_ELASTICSEARCH_URL"
        )
    home.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(dir=home.parent, prefix="unpacking-"))
    try:
        command = [maven, "-q", "-B", _UNPACK, f"-Dartifact={_ARCHIVE}", f"-DoutputDirectory={half}"]
        try:
            done = subprocess.run(
                command, cwd=half, capture_output=True, text=True, timeout=_UNPACK_SECONDS_MAX, check=False
            )
        except subprocess.TimeoutExpired:
            raise CannotRun(f"Maven has not fetched Elasticsearch in {_UNPACK_SECONDS_MAX} s") from None
        unpacked = half / home.name
        if done.returncode != 0 or not unpacked.is_dir():
            last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            raise CannotRun(f"Maven cannot fetch Elasticsearch: {last[0] if last else 'no word why'}")
        _open_to_all(half)
        try:
            unpacked.rename(home)  # In one step: what was interrupted is never taken for a whole one.
        except OSError:
            if not home.is_dir():  # Somebody else's, finished meanwhile, is as good.
                raise
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _open_to_all(folder: Path) -> None:
    """The server may run as another user. What Maven unpacks is not executable."""
    for path in (folder, *folder.rglob("*")):
        runs = path.is_dir() or path.parent.name == "bin" or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)
