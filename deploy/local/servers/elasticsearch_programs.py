"""The programs of a real Elasticsearch, which Maven fetches from Maven Central, and a Java to run them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.servers.binaries import programs_folder
from deploy.local.servers.java import JavaProgram

VERSION = "8.19.0"

_PROGRAM = JavaProgram("Elasticsearch", "leave out --search elasticsearch, or give DAYBOOK_ELASTICSEARCH_URL")
_ARCHIVE = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
_UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack"


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
    java_home = _PROGRAM.java_home()
    home = programs_folder() / f"elasticsearch-{VERSION}"
    if not home.is_dir():
        report(f"fetching Elasticsearch {VERSION} from Maven Central, 97 MB, once")
        _PROGRAM.fetch(
            home, lambda folder: (_UNPACK, f"-Dartifact={_ARCHIVE}", f"-DoutputDirectory={folder}")
        )
    return ElasticsearchPrograms(home, java_home)
