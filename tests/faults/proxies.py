"""Proxies before servers: they pass everything on, and fail at the worst moment, like a network can."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

READY_FOR_QUERY = b"Z\x00\x00\x00\x05I"
"""The server's last message of an answer, outside of any transaction: the request is committed."""

CHUNK_BYTES = 65_536


class FaultProxy:
    """Listens in `folder` as the server would, and passes everything on to the server's socket."""

    def __init__(self, folder: Path, server: Path) -> None:
        self._server = server
        self.path = folder / server.name
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen(64)
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def drops_response_to(self, sent: bytes) -> bool:
        """Called before it is passed on: whether its response is to be lost, and the connection with it."""
        return False

    def on_dropped(self) -> None:
        """Called when that has happened."""

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.path.unlink()

    def _accept(self) -> None:
        with suppress(OSError):  # Closed.
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                try:
                    server.connect(str(self._server))
                except OSError:
                    server.close()
                    client.close()
                    continue
                _ProxiedConnection(self, client, server).start()


class CuttingProxy(FaultProxy):
    """To PostgreSQL: it can swallow the answer to an append that was done, and cut the connection."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.cuts = 0
        self._armed = 0
        self._mutex = threading.Lock()
        super().__init__(folder, server)

    def cut_next_append(self) -> None:
        """The next append is done by the server, and its response is lost."""
        with self._mutex:
            self._armed += 1

    def drops_response_to(self, sent: bytes) -> bool:
        # Bind: its length, no portal's name, the prepared statement's name.
        if sent[:1] != b"B" or sent[5:13] != b"\0append\0":
            return False
        with self._mutex:
            if self._armed == 0:
                return False
            self._armed -= 1
            return True

    def on_dropped(self) -> None:
        self.cuts += 1


class HoldingProxy(FaultProxy):
    """To Redis: it can hold a worker's writes back, and let them through later."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.holds = threading.Event()  # One is being kept back.
        self._open = threading.Event()
        self._open.set()
        super().__init__(folder, server)

    def hold_writes(self) -> None:
        """From now on."""
        self._open.clear()

    def let_through(self) -> None:
        """All that was kept back, and what follows."""
        self._open.set()

    def drops_response_to(self, sent: bytes) -> bool:
        if b"EVALSHA" in sent and not self._open.is_set():
            self.holds.set()
            self._open.wait()
        return False


class _ProxiedConnection:
    """One connection, a thread for each direction."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._drops = False

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        there = threading.Thread(target=self._to_server, daemon=True)
        with self._client, self._server:
            there.start()
            self._to_client()
            there.join()

    def _to_server(self) -> None:
        with suppress(OSError):
            while sent := self._client.recv(CHUNK_BYTES):
                self._drops = self._drops or self._proxy.drops_response_to(sent)
                self._server.sendall(sent)
        self._end()

    def _to_client(self) -> None:
        on_dropped = b""
        with suppress(OSError):
            while answer := self._server.recv(CHUNK_BYTES):
                if not self._drops:
                    self._client.sendall(answer)
                    continue
                on_dropped += answer
                if on_dropped.endswith(READY_FOR_QUERY):
                    self._proxy.on_dropped()
                    break
        self._end()

    def _end(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
