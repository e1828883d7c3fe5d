"""A Redis Cluster of three masters with a replica each, or none: real servers on ports of this machine."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.waiting import SECONDS_MAX

SLOTS = 16_384
_NODE_TIMEOUT_MS = 1_000  # until a master that does not answer is replaced


@dataclass(slots=True)
class Node:
    """One server of the cluster."""

    program: Path
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it; what it had before is there again."""
        self.folder.mkdir(exist_ok=True)
        settings = {
            "port": self.port,
            "bind": "127.0.0.1",
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": _NODE_TIMEOUT_MS,
            "cluster-replica-validity-factor": 0,
            "appendonly": "yes",
            "appendfsync": "always",  # So that a kill loses nothing that was answered.
            "save": "",
            "maxmemory-policy": "noeviction",
            "repl-diskless-sync-delay": 0,
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([self.program, *options], cwd=self.folder, stdout=log, stderr=log)

    def client(self) -> Redis:
        return Redis.from_url(self.url, socket_timeout=5)

    def kill(self) -> None:
        """At once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass(slots=True)
class Cluster:
    """Masters first, then their replicas in the same order."""

    nodes: list[Node]
    masters: int = 3

    @property
    def url(self) -> str:
        """The first master's: the rest is found from there."""
        return self.nodes[0].url

    def start(self) -> None:
        """Starts every node, and joins them."""
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            self._eventually(node.client().ping, f"{node.port} answers")
        first = self.nodes[0]
        for node in self.nodes[1:]:
            first.client().execute_command("CLUSTER MEET", "127.0.0.1", node.port)
        for number, node in enumerate(self.nodes[: self.masters]):
            low, high = (SLOTS * one // self.masters for one in (number, number + 1))
            node.client().execute_command("CLUSTER ADDSLOTS", *range(low, high))
        for number, replica in enumerate(self.nodes[self.masters :]):
            master = self.id_of(self.nodes[number])
            self._eventually(partial(self._knows, replica, master), "they know each other")
            replica.client().execute_command("CLUSTER REPLICATE", master)
        self.wait_until_whole()

    def wait_until_replicated(self) -> None:
        """Each replica has all that its master has."""
        for master, replica in zip(self.nodes, self.nodes[self.masters :], strict=False):
            self._eventually(partial(_same_offset, master, replica), f"{replica.port} follows")

    def wait_until_lost(self, node: Node) -> None:
        """The others know that it is gone."""
        self._eventually(partial(self._is_lost, node), f"{node.port} is missed")

    def wait_until_whole(self) -> None:
        """Every node that lives knows that all slots are served."""
        for node in self.nodes:
            if node.process is not None:
                self._eventually(partial(self._is_ok, node), f"{node.port} is whole")

    def empty(self) -> None:
        """Deletes everything."""
        for node in self.nodes[: self.masters]:
            node.client().flushall()

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()

    def id_of(self, node: Node) -> str:
        """Its name in the cluster."""
        return str(node.client().execute_command("CLUSTER MYID").decode())

    def node_of(self, slot: int) -> Node:
        """The master that serves the slot."""
        for low, high, (_, port, *_), *_ in self._any().execute_command("CLUSTER SLOTS"):
            if low <= slot <= high:
                return next(node for node in self.nodes if node.port == port)
        raise LookupError(slot)

    def slot_of(self, key: str) -> int:
        return int(self._any().execute_command("CLUSTER KEYSLOT", key))

    def begin_move(self, slot: int, to: Node) -> None:
        """From now on keys of the slot that have moved already are found by ASK."""
        source = self.node_of(slot)
        to.client().execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self.id_of(source))
        source.client().execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self.id_of(to))

    def move_keys(self, slot: int, to: Node) -> int:
        """Moves every key that the slot has by now."""
        source, moved = self.node_of(slot).client(), 0
        while keys := source.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            source.execute_command("MIGRATE", "127.0.0.1", to.port, "", 0, 5_000, "KEYS", *keys)
            moved += len(keys)
        return moved

    def end_move(self, slot: int, to: Node) -> None:
        """From now on the old master answers MOVED."""
        for node in (to, self.node_of(slot)):
            node.client().execute_command("CLUSTER SETSLOT", slot, "NODE", self.id_of(to))

    def _knows(self, node: Node, other: str) -> bool:
        known = node.client().execute_command("CLUSTER NODES").values()
        return any(one["node_id"] == other for one in known)

    def _is_ok(self, node: Node) -> bool:
        about = node.client().execute_command("CLUSTER INFO")
        return about["cluster_state"] == "ok" and about["cluster_known_nodes"] == str(len(self.nodes))

    def _is_lost(self, node: Node) -> bool:
        known = self._any().execute_command("CLUSTER NODES")
        return "fail" in known[f"127.0.0.1:{node.port}"]["flags"].split(",")

    def _any(self) -> Redis:
        """A node that lives."""
        return next(node for node in self.nodes if node.process is not None).client()

    def _eventually(self, holds: Callable[[], object], what: str) -> None:
        until = time.monotonic() + SECONDS_MAX
        while True:
            with suppress(RedisError, OSError):
                if holds():
                    return
            assert time.monotonic() < until, what
            time.sleep(0.02)


def _same_offset(master: Node, replica: Node) -> bool:
    reached = replica.client().info("replication")["slave_repl_offset"]
    return bool(master.client().info("replication")["master_repl_offset"] == reached)


def cluster_in(folder: Path, program: Path, *, replicas: bool) -> Cluster:
    """One that is not started."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    number = 6 if replicas else 3
    return Cluster([Node(program, folder / str(one), port) for one, port in enumerate(_ports(number))])


def _ports(number: int) -> list[int]:
    """Free, with their cluster bus ports 10,000 above. None of them is one that the system hands out by
    itself, so that no client of another test gets it before the node does."""
    found: list[int] = []
    for port in random.sample(range(15_000, 22_000), 1_000):
        with (
            suppress(OSError),
            socket.create_server(("127.0.0.1", port)),
            socket.create_server(("127.0.0.1", port + 10_000)),
        ):
            found.append(port)
        if len(found) == number:
            break
    return found
