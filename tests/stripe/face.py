"""Stripe's HTTP API over the sandbox's books: what the real library is tested against.

Each request is first shown to stripe-mock, which knows the API's parameters; what it refuses is refused.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from commands.gateways.gateway import GatewayUnavailable
from commands.gateways.sandbox.books import Books, Reply
from tests.stripe.reporting import Reports

KEY = "sk_test_face"


@dataclass(frozen=True, slots=True)
class Call:
    """A request and how it was answered; 0 where no answer left."""

    operation: str
    key: str | None
    parameters: dict[str, Any]
    status: int


@dataclass
class Face:
    """The API at `url`. `stopping` ends answers that take their time."""

    books: Books
    mock_url: str | None
    key: str = KEY
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    reports: Reports = field(init=False)
    _under_way: set[str] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.reports = Reports(self.books)

    def made(self, operation: str) -> list[Call]:
        """The calls of an operation, in order."""
        return [call for call in self.calls if call.operation == operation]

    def key_is_free(self, key: str, *, timeout_seconds: float) -> bool:
        """Waits for the end of the key's call; False where it does not end."""
        with self._changed:
            return self._changed.wait_for(lambda: key not in self._under_way, timeout_seconds)

    @contextmanager
    def holding(self, key: str | None) -> Iterator[bool]:
        """Whether the key is free; nobody else has it until the end."""
        with self._changed:
            free = key is None or key not in self._under_way
            if key is not None and free:
                self._under_way.add(key)
        try:
            yield free
        finally:
            if key is not None and free:
                with self._changed:
                    self._under_way.discard(key)
                    self._changed.notify_all()


@contextmanager
def serving(books: Books, mock_url: str | None) -> Iterator[Face]:
    """The API while it serves, on a free port of this machine."""
    face = Face(books, mock_url)
    with httpx.Client(timeout=30) as mock, _Server(face, mock) as server:
        face.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield face
        finally:
            face.stopping.set()
            server.shutdown()
            thread.join()
            server.hang_up()


class _Server(ThreadingHTTPServer):
    """Threads by connection, ended with the server: a client may keep its connection open."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, face: Face, mock: httpx.Client) -> None:
        self.face, self.mock = face, mock
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no fault of ours; everything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._respond(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._respond(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

    def do_DELETE(self) -> None:
        self._respond("")

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _respond(self, form: str) -> None:
        face = self.server.face
        parts = urlsplit(self.path).path.strip("/").split("/")
        operation, identity = _operation(self.command, parts)
        parameters = nested(parse_qsl(form, keep_blank_values=True))
        if identity is not None:
            parameters["id"] = identity
        key = self.headers.get("Idempotency-Key") if self.command == "POST" else None
        if operation == "files.contents":
            self._send_file(str(identity))
            return
        refusal = self._refused(form, key)
        with face.holding(key) as free:
            if refusal is not None:
                reply = refusal
            elif not free:
                reply = _error(409, "idempotency_error", "idempotency_key_in_use")
            else:
                reply = self._done(operation, parameters, key)
            gone = reply.fault in ("lost_before", "lost_after", "reset")
            face.calls.append(Call(operation, key, parameters, 0 if gone else reply.status))
            if reply.fault == "slow":
                face.stopping.wait(reply.delay_seconds)
        if gone:
            self._hang_up(reset=reply.fault == "reset")
        else:
            self._send(reply, key)

    def _done(self, operation: str, parameters: dict[str, Any], key: str | None) -> Reply:
        face = self.server.face
        if (report := face.reports.reply(operation, parameters, face.url)) is not None:
            return report
        try:
            return face.books.request(operation, parameters, key=key)
        except GatewayUnavailable as error:
            return _error(503, "api_error", error.code)

    def _refused(self, form: str, key: str | None) -> Reply | None:
        """What the key's length, the account's key or stripe-mock have against the request."""
        if self.headers.get("Authorization") != f"Bearer {self.server.face.key}":
            return _error(401, "invalid_request_error", "api_key_invalid")
        if key is not None and len(key) > 255:
            return _error(400, "invalid_request_error", "idempotency_key_too_long")
        if self.server.face.mock_url is None:
            return None
        shown = self.server.mock.request(
            self.command,
            self.server.face.mock_url + self.path,
            content=form if self.command == "POST" else None,
            headers={
                "Authorization": "Bearer sk_test_mock",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        if shown.status_code < 400:
            return None
        return Reply(status=shown.status_code, body=shown.json(), request_id="req_mock")

    def _send_file(self, file: str) -> None:
        """Of another host of Stripe's, which stripe-mock does not play."""
        face = self.server.face
        allowed = self.headers.get("Authorization") == f"Bearer {face.key}"
        status = face.reports.file_status if allowed else 401
        face.calls.append(Call("files.contents", None, {"id": file}, status))
        if status == 0:
            self._hang_up(reset=True)
            return
        body = face.reports.contents(file) if status == 200 else b'{"error": {}}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send(self, reply: Reply, key: str | None) -> None:
        body = b"<html>502" if reply.fault == "garbled" else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", reply.request_id)
        self.send_header("Stripe-Version", self.headers.get("Stripe-Version", ""))
        if key is not None:
            self.send_header("Idempotency-Key", key)
        if reply.replayed:
            self.send_header("Idempotent-Replayed", "true")
            self.send_header("Original-Request", reply.request_id)
        self.end_headers()
        if reply.fault != "dripped":
            self.wfile.write(body)
            return
        for byte in body:
            self.wfile.write(bytes([byte]))
            self.server.face.stopping.wait(reply.delay_seconds / len(body))

    def _hang_up(self, *, reset: bool) -> None:
        if reset:  # lingering for no time at all sends RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = True


def _operation(method: str, parts: list[str]) -> tuple[str, str | None]:
    """The operation's name in Stripe's library, and the object that the path names."""
    match method, [part for part in parts[1:] if part != "reporting"]:
        case "GET", ["files", identity, "contents"]:
            return "files.contents", identity
        case "GET", [kind]:
            return f"{kind}.list", None
        case "GET", [kind, identity]:
            return f"{kind}.retrieve", identity
        case "POST", [kind]:
            return f"{kind}.create", None
        case "POST", [kind, identity]:
            return f"{kind}.update", identity
        case "POST", [kind, identity, verb]:
            return f"{kind}.{verb}", identity
    return f"{method} {'/'.join(parts)}", None


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A form's fields as maps and lists: `metadata[order]=1`, `expand[0]=charge`, `types[]=…`."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = name.replace("]", "").split("[")
        at: dict[str, Any] = found
        for inner, after in zip([first, *rest], rest, strict=False):
            at = at.setdefault(inner, {})
            if not after:
                rest[-1] = str(len(at))
        at[[first, *rest][-1]] = value
    return {name: _lists(value) for name, value in found.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(one) for name, one in value.items()}
    return list(inner.values()) if inner and all(name.isdecimal() for name in inner) else inner


def _error(status: int, kind: str, code: str) -> Reply:
    body = {"error": {"type": kind, "code": code, "message": code}}
    return Reply(status=status, body=body, request_id="req_face")
