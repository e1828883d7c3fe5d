"""The real Kafka broker as a server of our own: one node on this machine's loopback, its own controller.

What it holds is published from the log again where it is lost.
"""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import uuid
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

import psutil
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from deploy.local.errors import CannotRun, ServerFailed
from deploy.local.servers.account import Account
from deploy.local.servers.kafka_programs import KafkaPrograms
from deploy.local.servers.server import Server
from deploy.local.supervision.child_processes import Program, end_processes, plain_environment
from deploy.local.supervision.ports import reserved_port
from event_store.kafka.clients import opened
from event_store.kafka.errors import KafkaUnavailable

HEAP_MEGABYTES = 256
RECORD_BYTES_MAX = 4 * 1024 * 1024

_FORMATTED = "meta.properties"
_FORMAT_SECONDS_MAX = 120
_ANSWER_MILLISECONDS_MAX = 5_000
_JVM_OPTIONS = (
    f"-Xms{HEAP_MEGABYTES}m",
    f"-Xmx{HEAP_MEGABYTES}m",
    "-XX:+UseSerialGC",  # The quickest for so small a heap.
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
)
_LOG_OPTIONS = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS'Z'",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
    "-Dorg.slf4j.simpleLogger.showShortLogName=true",
)


class KafkaServer(Server):
    """One broker. Its ports are its own for as long as this object lives."""

    def __init__(self, *, programs: KafkaPrograms, folder: Path, account: Account, log: Path) -> None:
        """`folder` is made where it is missing (its parent must exist and be writable for us)."""
        super().__init__(folder=folder, account=account, log=log)
        self._programs = programs
        self._port, self._controller_port = reserved_port(), reserved_port()

    @property
    def socket(self) -> None:
        """It listens on a port."""
        return

    @property
    def bootstrap(self) -> str:
        """Its address, as clients want it."""
        return f"127.0.0.1:{self._port}"

    @property
    def program(self) -> Program:
        return Program(
            name="kafka",
            command=self._programs.command(
                "kafka.Kafka", str(self._settings_file), options=(*_JVM_OPTIONS, *_LOG_OPTIONS)
            ),
            log=self._log,
            environment=plain_environment(),
            folder=self.folder,
            account=self._account,
        )

    @property
    def _settings_file(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def prepare(self) -> None:
        self.check()
        end_processes([process for process in psutil.process_iter() if self._works_here(process)], seconds=20)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        settings = "".join(f"{name}={value}\n" for name, value in self.settings().items())
        self._settings_file.write_text(settings)
        for path in (self.folder, self._settings_file):
            self._give(path)
        if not (self._data / _FORMATTED).is_file():
            self._format()

    def settings(self) -> Mapping[str, str]:
        """The broker's, by Kafka's own names (https://kafka.apache.org/41/configuration/broker-configs/)."""
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENTS",
            "listeners": f"CLIENTS://{self.bootstrap},CONTROLLER://127.0.0.1:{self._controller_port}",
            "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._data),
            "message.max.bytes": str(RECORD_BYTES_MAX),
            "auto.create.topics.enable": "false",  # A topic with the wrong settings would be a wrong one.
            # One node has all of it.
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            # After a kill it is taken for alive until then, and cannot come back.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            # A transaction whose writer is gone holds readers up until it is seen to be over.
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
            "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),  # Half the heap as it comes.
        }

    def _format(self) -> None:
        """What a storage is before its first start. The file that we look for is written last."""
        if self._data.exists() and any(path.is_dir() for path in self._data.iterdir()):
            self._put_aside()
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        self._give(self._data)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = self._programs.command(
            "kafka.tools.StorageTool",
            *("format", "--cluster-id", cluster, "--config", str(self._settings_file)),
            options=("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"),
        )
        is_us = self._account.is_us
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                cwd=self.folder,
                env=plain_environment(),
                timeout=_FORMAT_SECONDS_MAX,
                user=None if is_us else self._account.uid,
                group=None if is_us else self._account.gid,
                extra_groups=None if is_us else [],
            )
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"Kafka has not made its storage in {_FORMAT_SECONDS_MAX} s") from None
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).strip().splitlines() or ["no word why"]
            raise ServerFailed(f"Kafka cannot make its storage in {self._data}: {lines[-1]}")

    def _put_aside(self) -> None:
        damaged = self._data.with_name("data.damaged")
        shutil.rmtree(damaged, ignore_errors=True)
        self._data.rename(damaged)
        self.report(f"its files were damaged and lie in {damaged}: its topics are filled from the log anew")

    def _give(self, path: Path) -> None:
        if not self._account.is_us:
            shutil.chown(path, self._account.uid, self._account.gid)

    def _answers(self) -> bool:
        """Whether it is a broker that clients are sent to: it listens before that."""
        with closing(socket.socket()) as ours:
            ours.settimeout(_ANSWER_MILLISECONDS_MAX / 1000)
            if ours.connect_ex(("127.0.0.1", self._port)) != 0:
                return False
        try:
            with closing(
                opened(
                    KafkaAdminClient,
                    {"bootstrap_servers": [self.bootstrap]},
                    bootstrap_timeout_ms=_ANSWER_MILLISECONDS_MAX,
                    request_timeout_ms=_ANSWER_MILLISECONDS_MAX,
                )
            ) as client:
                return bool(client.describe_cluster()["brokers"])
        except (KafkaUnavailable, KafkaError):
            return False

    def _starting(self, last_words: str) -> str:
        return "Kafka is starting"

    def _failure(self, last_words: str) -> CannotRun:
        return ServerFailed(
            f"Kafka ended while starting: {_complaint(self._log) or last_words} "
            f"(log: {self._log}; where {self.folder} is damaged, move it away: "
            "its topics are filled from the log)"
        )

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return process.name() == "java" and str(self._settings_file) in process.cmdline()
        except (psutil.Error, OSError):
            return False


def _complaint(log: Path) -> str | None:
    """What its last error was, of a log that ends with where in the code that was."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        lines = file.read().decode(errors="replace").splitlines()
        last = max((number for number, line in enumerate(lines) if " ERROR " in line), default=None)
        return None if last is None else " ".join(line.strip() for line in lines[last : last + 2])[:500]
    return None
