"""The real Elasticsearch as a server of our own: one node on this machine's loopback, behind a password.

What it holds can be built again from the log.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import secrets
import shutil
from contextlib import closing
from pathlib import Path

import psutil

from deploy.local.errors import CannotRun, ServerFailed
from deploy.local.servers.account import Account
from deploy.local.servers.elasticsearch_programs import ElasticsearchPrograms
from deploy.local.servers.server import Server
from deploy.local.supervision.child_processes import Program, end_processes, plain_environment
from deploy.local.supervision.ports import reserved_port

USER = "daybook"
HEAP_MEGABYTES = 512

_JVM_OPTIONS = (
    f"-Xms{HEAP_MEGABYTES}m",
    f"-Xmx{HEAP_MEGABYTES}m",
    # A shop's server starts often and is asked little: its own first compiler alone has it quick at once.
    "-XX:TieredStopAtLevel=1",
)

_HASH_ROUNDS = 10_000
_UNWANTED_JVM_OPTIONS = ("-Xlog:", "-XX:+HeapDumpOnOutOfMemoryError", "-XX:HeapDumpPath", "-XX:ErrorFile")
"""Each of them writes files that nobody would ever take away."""

_LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%consoleException%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


class ElasticsearchServer(Server):
    """One Elasticsearch node. Its port and password are its own for as long as this object lives."""

    def __init__(self, *, programs: ElasticsearchPrograms, folder: Path, account: Account, log: Path) -> None:
        """`folder` is made where it is missing (its parent must exist and be writable for us)."""
        super().__init__(folder=folder, account=account, log=log)
        self._programs = programs
        self._password = secrets.token_urlsafe(24)
        self._port, self._transport_port = reserved_port(), reserved_port()

    @property
    def socket(self) -> None:
        """It listens on a port."""
        return

    @property
    def url(self) -> str:
        """With user and password."""
        return f"http://{USER}:{self._password}@127.0.0.1:{self._port}"

    @property
    def program(self) -> Program:
        return Program(
            name="elasticsearch",
            command=[str(self._programs.server)],
            log=self._log,
            environment=plain_environment()
            | {
                "ES_JAVA_HOME": str(self._programs.java_home),
                "ES_PATH_CONF": str(self._config),
                "ES_TMPDIR": str(self.folder / "temporary"),
                "HOME": str(self.folder / "temporary"),
            },
            folder=self.folder,
            account=self._account,
        )

    @property
    def _config(self) -> Path:
        return self.folder / "config"

    def prepare(self) -> None:
        self.check()
        end_processes([process for process in psutil.process_iter() if self._works_here(process)], seconds=20)
        shutil.rmtree(self._config, ignore_errors=True)
        folders = (self.folder, *(self.folder / name for name in ("config", "data", "logs", "temporary")))
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
        files = {
            "elasticsearch.yml": self._settings(),
            "jvm.options": self._jvm_options(),
            "log4j2.properties": _LOG4J,
            "users": f"{USER}:{_hashed(self._password)}\n",
            "users_roles": f"superuser:{USER}\n",
            "roles.yml": "",
            "role_mapping.yml": "",
        }
        for name, text in files.items():
            (self._config / name).write_text(text)
        if not self._account.is_us:
            for path in (*folders, *self._config.iterdir()):
                shutil.chown(path, self._account.uid, self._account.gid)

    def _settings(self) -> str:
        return (
            "cluster.name: daybook\n"
            "node.name: daybook\n"
            f"path.data: {self.folder / 'data'}\n"
            f"path.logs: {self.folder / 'logs'}\n"
            "network.host: 127.0.0.1\n"
            f"http.port: {self._port}\n"
            f"transport.port: {self._transport_port}\n"
            "discovery.type: single-node\n"
            "action.auto_create_index: false\n"
            # A disk that is nearly full would make every index read-only, for good.
            "cluster.routing.allocation.disk.threshold_enabled: false\n"
            "xpack.security.http.ssl.enabled: false\n"  # Both on loopback alone.
            "xpack.security.transport.ssl.enabled: false\n"
        )

    def _jvm_options(self) -> str:
        stock = (self._programs.home / "config" / "jvm.options").read_text().splitlines()
        wanted = [line for line in stock if not line.lstrip("0123456789-:").startswith(_unwanted_starts())]
        return "\n".join((*wanted, *_JVM_OPTIONS, ""))

    def _answers(self) -> bool:
        asked = "/_cluster/health?wait_for_status=yellow&timeout=1s"
        login = base64.b64encode(f"{USER}:{self._password}".encode()).decode()
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)) as connection:
            try:
                connection.request("GET", asked, headers={"Authorization": f"Basic {login}"})
                return connection.getresponse().status == http.client.OK
            except (OSError, http.client.HTTPException):
                return False

    def _starting(self, last_words: str) -> str:
        return "Elasticsearch is starting"

    def _failure(self, last_words: str) -> CannotRun:
        return ServerFailed(f"Elasticsearch ended while starting: {last_words}")

    def _works_here(self, process: psutil.Process) -> bool:
        """The launcher and the server itself, each a Java of its own, name the configuration's folder."""
        try:
            if process.name() != "java":
                return False
            return process.environ().get("ES_PATH_CONF") == str(self._config)
        except (psutil.Error, OSError):
            return False


def _unwanted_starts() -> tuple[str, ...]:
    return tuple(option.lstrip("-") for option in _UNWANTED_JVM_OPTIONS)


def _hashed(password: str) -> str:
    """As the server's file of users has it."""
    salt = secrets.token_bytes(32)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _HASH_ROUNDS, 32)
    return f"{{PBKDF2}}{_HASH_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"
