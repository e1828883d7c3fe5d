"""Relays in processes of their own, and how far what they publish is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from deploy.local.servers.kafka import KafkaServer
from event_store.errors import StoreUnavailable
from event_store.kafka.checkpoint import read_checkpoint
from event_store.kafka.reading import reading
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topics import Topics
from tests.waiting import SECONDS_MAX, wait_until

RELAY = [sys.executable, "-P", "-m", "daybook", "serve", "relay"]


class Relays:
    """Those of one log and one broker; each is ended at the end, whatever was done to it."""

    def __init__(self, postgres_url: str, settings: KafkaSettings, log: Path) -> None:
        assert settings.bootstrap is not None
        self._settings = settings
        self._log = log
        self._environment = os.environ | {
            "DAYBOOK_POSTGRES_URL": postgres_url,
            "DAYBOOK_KAFKA_BOOTSTRAP": settings.bootstrap,
            "DAYBOOK_KAFKA_TOPIC_PREFIX": settings.topic_prefix,
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> psutil.Process:
        """One more."""
        with self._log.open("ab") as out:
            process = subprocess.Popen(RELAY, env=self._environment, stdout=out, stderr=out, cwd="/")
        self._processes.append(process)
        return psutil.Process(process.pid)

    def position(self) -> int:
        """How far what is published is; -1 while that cannot be read."""
        try:
            with reading(self._settings.client_arguments()) as consumer:
                checkpoint = read_checkpoint(consumer, Topics(self._settings.topic_prefix).relay)
        except StoreUnavailable:
            return -1
        return 0 if checkpoint is None else checkpoint.position

    def reach(self, position: int, *, seconds: float = SECONDS_MAX) -> None:
        """Waits until so much is published."""
        wait_until(lambda: self.position() >= position, seconds=seconds, why=self.told)

    def says(self, words: str, *, times: int = 1) -> None:
        """Waits until they have logged it so often."""
        wait_until(lambda: self._log.read_text().count(words) >= times, why=self.told)

    def told(self) -> str:
        """The last of what they logged."""
        return self._log.read_text()[-3_000:]

    def run(self) -> bool:
        """Whether any does."""
        return any(process.poll() is None for process in self._processes)

    def end(self) -> list[int]:
        """Those that still run end softly; gives their exit codes."""
        running = [process for process in self._processes if process.poll() is None]
        for process in running:
            psutil.Process(process.pid).resume()
            process.terminate()
        return [process.wait(SECONDS_MAX) for process in running]


@contextmanager
def relays(postgres_url: str, settings: KafkaSettings, folder: Path) -> Iterator[Relays]:
    """None is left over."""
    started = Relays(postgres_url, settings, folder / "relays.log")
    try:
        yield started
    finally:
        started.end()


def killed(broker: KafkaServer) -> None:
    """At once, as by a loss of power; `start` finds what was written."""
    process = broker.process
    process.kill()
    process.wait()
