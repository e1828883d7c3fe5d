"""The programs of a real Apache Kafka, which Maven fetches from Maven Central, and a Java to run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.servers.binaries import programs_folder
from deploy.local.servers.java import JavaProgram

VERSION = "4.1.0"

_PROGRAM = JavaProgram("Kafka", "leave out --stream kafka, or give DAYBOOK_KAFKA_BOOTSTRAP")
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_PROJECT = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>daybook</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


@dataclass(frozen=True, slots=True)
class KafkaPrograms:
    """The folder with the broker's libraries, and the Java installation that it runs on."""

    home: Path
    java_home: Path

    def command(self, main: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """What runs that class, with these options of the JVM."""
        return [str(self.java_home / "bin" / "java"), *options, "-cp", f"{self.home}/*", main, *arguments]


def find_kafka(report: Callable[[str], None]) -> KafkaPrograms:
    """The programs; fetched the first time, 43 MB, with a word to `report`.

    Raises CannotRun where there is no Java of JAVA_MIN, or no Maven to fetch them with.
    """
    java_home = _PROGRAM.java_home()
    home = programs_folder() / f"kafka-{VERSION}"
    if not home.is_dir():
        report(f"fetching Kafka {VERSION} from Maven Central, 43 MB, once")

        def arguments(folder: Path) -> Sequence[str]:
            (folder / "pom.xml").write_text(_PROJECT)
            return (_COPY, "-DincludeScope=runtime", f"-DoutputDirectory={folder / home.name}")

        _PROGRAM.fetch(home, arguments)
    return KafkaPrograms(home, java_home)
