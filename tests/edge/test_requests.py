"""What both servers take for a request, and how they answer to what is none."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from tests.edge.serving import served
from tests.edge.wire import HOST, ask, get, port_of, wire
from tests.system.running import RunningSystem
from tests.waiting import SECONDS_MAX

LIVE = b"GET /health/live HTTP/1.1\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nUpgrade: "
CART = b'{"currency":"GBP"}'
POST_CART = b"POST /api/v1/carts HTTP/1.1\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("fields", [1, 700])
def test_a_head_over_64_kilobytes_is_refused(port: int, fields: int) -> None:
    def head(size: int) -> bytes:
        return b"".join(b"X-%d: %s\r\n" % (n, b"a" * (size // fields - 10)) for n in range(fields))

    assert get(port, "/health/live", head(70_000)).problem == (431, "header-fields-too-large")
    assert get(port, "/health/live", head(60_000)).status == 200
    assert get(port, "/" + "a" * 70_000).problem == (431, "header-fields-too-large")


def test_a_head_without_end_is_cut_off_and_disturbs_nobody(port: int) -> None:
    with wire(port) as line:
        line.send(LIVE, HOST, b"X: ")
        for _ in range(100):
            line.send(b"a" * 65_536)
        assert line.answer().status == 431
        assert line.rest() == b""
    assert get(port, "/health/live").status == 200


def test_trailer_fields_are_limited_like_a_head_and_are_no_headers(system: RunningSystem) -> None:
    port = port_of(system.addresses["commands"])
    chunked = POST_CART + HOST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(CART), CART)
    with wire(port) as line:
        line.send(chunked, b"0\r\nX: ")
        for _ in range(20):
            line.send(b"a" * 65_536)
        assert line.answer("POST").problem == (431, "header-fields-too-large")
    unfit = b"Idempotency-Key: short\r\n"
    assert ask(port, chunked, b"0\r\n", unfit, b"\r\n", method="POST").status == 201
    assert ask(port, chunked.replace(HOST, HOST + unfit), b"0\r\n\r\n", method="POST").status == 400


def test_many_short_requests_in_one_piece_are_no_large_head(port: int) -> None:
    with wire(port) as line:
        line.send((LIVE + HOST + b"\r\n") * 3_000, LIVE, b"Connection: close\r\n", HOST, b"\r\n")
        assert line.rest().count(b"HTTP/1.1 200") == 3_001


@pytest.mark.parametrize(
    "hosts",
    [b"", HOST + HOST, b"Host: \r\n", b"Host: a b\r\n", b"Host: localhost/path\r\n", b"Host: a,b\r\n" + HOST],
)
def test_a_request_names_exactly_one_host(port: int, hosts: bytes) -> None:
    assert get(port, "/health/live", host=hosts).problem == (400, "host-unfit")


def test_an_absolute_target_names_the_same_host(port: int) -> None:
    assert ask(port, b"GET http://localhost/health/live HTTP/1.1\r\n", HOST, b"\r\n").status == 200
    answer = ask(port, b"GET http://example.com/health/live HTTP/1.1\r\n", HOST, b"\r\n")
    assert answer.problem == (400, "host-unfit")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
        LIVE + HOST + b"no colon\r\n\r\n",
        LIVE + HOST + b"a b: c\r\n\r\n",
        LIVE + HOST + b"X: a\0b\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        POST_CART + HOST + b"Content-Length: x\r\n\r\n",
        POST_CART + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        POST_CART + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST_CART + HOST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        POST_CART + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST_CART + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST_CART.replace(b"1.1", b"1.0") + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        LIVE + b"Host : localhost\r\n\r\n",
        LIVE + HOST + b"X: a\r\n b\r\n\r\n",
        b"GET /health/live#there HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
)
def test_what_is_malformed_gets_a_problem_and_an_end(port: int, request_bytes: bytes) -> None:
    with wire(port) as line:
        line.send(request_bytes)
        assert line.answer("POST").problem == (400, "malformed-request")
        assert line.rest() == b""


def test_a_connection_that_was_answered_before_is_no_less_strict(port: int) -> None:
    with wire(port) as line:
        line.send(LIVE, HOST, b"\r\n")
        assert line.answer().status == 200
        line.send(LIVE, HOST, HOST, b"\r\n")
        assert line.answer().problem == (400, "host-unfit")
        assert line.rest() == b""


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (b"Origin", (b"https://example.com", b"http://localhost:3000")),
        (b"Authorization", (b"Bearer one", b"Bearer two")),
        (b"Content-Type", (b"text/plain", b"application/json")),
        (b"Idempotency-Key", (b"one-0123456789abcdef", b"two-0123456789abcdef")),
        (b"Daybook-Order-Secret", (b"one", b"two")),
        (b"Daybook-Min-Position", (b"1", b"2")),
        (b"Last-Event-ID", (b"1", b"2")),
    ],
)
def test_what_has_one_value_is_said_once(port: int, name: bytes, values: tuple[bytes, bytes]) -> None:
    for first, second in (values, values[::-1]):
        answer = get(port, "/health/live", b"%s: %s\r\n%s: %s\r\n" % (name, first, name.lower(), second))
        assert answer.problem == (400, "malformed-request")


def test_a_list_is_one_list_however_many_fields_it_has(system: RunningSystem) -> None:
    commands, read = (port_of(system.addresses[side]) for side in ("commands", "read"))
    coded = [b"Content-Encoding: gzip\r\nContent-Encoding: identity\r\nContent-Length: 18\r\n\r\n", CART]
    assert ask(commands, POST_CART, HOST, *coded, method="POST").status == 415
    tag = get(read, "/api/v1/products").headers["etag"].encode()
    assert (
        get(read, "/api/v1/products", b'If-None-Match: "other"\r\nIf-None-Match: %s\r\n' % tag).status == 304
    )
    wish = b"Prefer: wait=0\r\nPrefer: handling=strict\r\nDaybook-Min-Position: 999999999\r\n"
    for path in ("/api/v1/products", "/api/v1/products/NONE", "/api/v1/carts/none"):
        assert get(read, path, wish).problem == (412, "view-behind"), path


def test_spaces_around_a_value_are_no_part_of_it(system: RunningSystem) -> None:
    head = POST_CART + b"Content-Length: %d\r\nIdempotency-Key: around-0123456789" % len(CART)
    first, second = (
        ask(
            port_of(system.addresses["commands"]),
            head,
            after,
            b"Host: localhost",
            after,
            b"\r\n",
            CART,
            method="POST",
        )
        for after in (b"\r\n", b" \t \r\n")
    )
    assert (first.status, second.status) == (201, 201)
    assert second.json["id"] == first.json["id"]
    assert second.headers["idempotency-replayed"] == "true"


def test_what_was_whole_before_the_malformed_is_answered(port: int) -> None:
    with wire(port) as line:
        line.send((LIVE + HOST + b"\r\n") * 3, b"@@@@\r\n\r\n")
        received = line.rest()
    assert received.count(b"HTTP/1.1 200") == 3
    assert received.index(b"HTTP/1.1 400 ") > received.rindex(b"HTTP/1.1 200 ")


def test_an_answer_without_a_body_comes_before_the_refusal_of_what_follows(port: int) -> None:
    with wire(port) as line:
        line.send(b"HEAD /health/live HTTP/1.1\r\n", HOST, b"\r\n", b"not a request\r\n\r\n")
        answers = line.rest()
    assert answers.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answers.count(b"HTTP/1.1 400 Bad Request\r\n") == 1


def test_who_sends_no_more_is_answered(port: int) -> None:
    with wire(port) as line:
        line.send(LIVE, HOST, b"\r\n")
        line.half_close()
        assert line.answer().status == 200
        assert line.rest() == b""


def test_who_goes_while_several_requests_wait_is_no_failure_of_ours(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with served() as server:
        for _ in range(3):
            with wire(server.port) as line:
                line.send((b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n") * 3)
                assert line.socket.recv(1)
                line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert get(server.port, "/").status == 200
        server.process.terminate()  # By its end it has written what it had to say.
        server.process.wait(timeout=SECONDS_MAX)
    assert capfd.readouterr().err == ""


def test_nothing_follows_the_refusal_of_a_body_that_was_invited_meanwhile(
    capfd: pytest.CaptureFixture[str],
) -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    with served() as server:
        for microseconds in range(0, 600, 2):  # One of them meets the moment of the invitation.
            with wire(server.port) as line:
                line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line.send(head)
                at = time.perf_counter() + microseconds / 1_000_000
                while time.perf_counter() < at:
                    pass
                line.send(b"no length\r\n")
                answers = line.rest().removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert answers.startswith(b"HTTP/1.1 400 ")
            assert answers.count(b"\r\n\r\n") == 1
        server.process.terminate()  # By its end it has written what it had to say.
        server.process.wait(timeout=SECONDS_MAX)
    assert capfd.readouterr().err == ""


def test_who_sends_no_more_in_mid_request_is_told_so(port: int) -> None:
    for half in (LIVE[:9], LIVE + HOST, POST_CART + HOST + b"Content-Length: 99\r\n\r\n{"):
        with wire(port) as line:
            line.send(half)
            line.half_close()
            assert line.answer("POST").problem == (400, "malformed-request")


@pytest.mark.parametrize("offer", [b"h2c", b"websocket", b"TLS/1.3, h2c"])
def test_an_upgrade_that_is_not_spoken_is_ignored(system: RunningSystem, offer: bytes) -> None:
    """The body is read, and the connection goes on behind it."""
    for side, expected in (("commands", 201), ("read", 404)):
        with wire(port_of(system.addresses[side])) as line:
            head = POST_CART + HOST + OFFER + offer + b"\r\nContent-Length: %d\r\n\r\n" % len(CART)
            for pieces in ([head + CART], [head, CART], [head[:50], head[50:] + CART[:4], CART[4:]]):
                for piece in pieces:
                    line.send(piece)
                    line.until_read()
                assert line.answer("POST").status == expected
            line.send(LIVE, HOST, OFFER, offer, b"\r\n\r\n")
            answer = line.answer()
            assert (answer.status, answer.json) == (200, {"status": "live"})


def test_a_thousand_offers_in_one_piece_are_read_in_order(port: int) -> None:
    with wire(port) as line:
        line.send(
            (LIVE + HOST + OFFER + b"h2c\r\n\r\n") * 1_000, LIVE, b"Connection: close\r\n", HOST, b"\r\n"
        )
        assert line.rest().count(b'{"status":"live"}') == 1_001


@pytest.mark.parametrize(
    "framing", [b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Content-Length: 0\r\n\r\n"]
)
@pytest.mark.parametrize("path", ["orders/1/cancel", "orders/1/refunds", "orders/1/fulfilments", "carts"])
def test_a_body_that_was_announced_and_is_empty_is_refused(
    system: RunningSystem, path: str, framing: bytes
) -> None:
    head = f"POST /api/v1/{path} HTTP/1.1\r\nIdempotency-Key: 0123456789abcdef\r\n".encode()
    answer = ask(port_of(system.addresses["commands"]), head, HOST, framing, method="POST")
    missing = (400, "body-missing")
    assert (answer.problem == missing) == framing.startswith(b"Transfer"), answer


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"br", b"identity, gzip"])
def test_a_coded_body_is_not_taken(port: int, coding: bytes) -> None:
    head = POST_CART + HOST + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(CART))
    answer = ask(port, head, CART, method="POST")
    assert answer.problem == (415, "unsupported-content-encoding")
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("fields", "size", "problem"),
    [
        (b"", 5_000_000, (413, "body-too-large")),
        (b"Content-Encoding: gzip\r\n", 900_000, (415, "unsupported-content-encoding")),
        (b"Origin: https://example.com\r\n", 900_000, (403, "foreign-origin")),
    ],
)
def test_a_refusal_before_the_body_has_come_reaches_who_still_sends_it(
    port: int, fields: bytes, size: int, problem: tuple[int, str]
) -> None:
    for _ in range(10):
        with wire(port) as line:
            line.send(POST_CART, HOST, b"Connection: close\r\n", fields)
            line.send(b"Content-Length: %d\r\n\r\n" % size)
            line.send(b"a" * size)
            assert line.answer("POST").problem == problem
            assert line.rest() == b""


def test_a_body_over_a_megabyte_is_refused_however_it_comes(port: int) -> None:
    too_much = b"a" * 1_000_001
    for framing, body in (
        (b"Content-Length: %d\r\n\r\n" % len(too_much), too_much),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(too_much), too_much)),
    ):
        assert ask(port, POST_CART, HOST, framing, body, method="POST").problem == (413, "body-too-large")


TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = b"Traceparent: 00-%s-00f067aa0ba902b7-01\r\n" % TRACE


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\n%s\r\n" % PARENT,
        b"GET / HTTP/1.1\r\n%sX: %s\r\n\r\n" % (PARENT, b"x" * 70_000),
        b"GET / HTTP/1.1\r\n%s%sX: y\r\nA b\r\n\r\n" % (HOST, PARENT),
        b"GET /%%00 HTTP/1.1\r\n%s%s\r\n" % (HOST, PARENT),
        b"GET / HTTP/1.1\r\nHost: shop.example\r\n%s\r\n" % PARENT,
        b"GET / HTTP/1.1\r\n%s%sOrigin: https://shop.example\r\n\r\n" % (HOST, PARENT),
        b"OPTIONS / HTTP/1.1\r\n%s%sOrigin: https://shop.example\r\n"
        b"Access-Control-Request-Method: GET\r\n\r\n" % (HOST, PARENT),
        b"POST / HTTP/1.1\r\n%s%sContent-Length: 9999999\r\n\r\n" % (HOST, PARENT),
        b"POST / HTTP/1.1\r\n%s%sContent-Length: 1\r\nContent-Encoding: br\r\n\r\n" % (HOST, PARENT),
    ],
    ids=["host", "head", "line", "address", "name", "origin", "preflight", "body", "coding"],
)
def test_a_refusal_before_any_route_bears_the_callers_trace(port: int, request_bytes: bytes) -> None:
    refused = ask(port, request_bytes)
    assert refused.problem[0] >= 400
    assert refused.headers["trace-id"] == TRACE.decode()


def test_a_refusal_bears_no_trace_of_a_request_before_it(port: int) -> None:
    with wire(port) as line:
        line.send(b"GET /health/live HTTP/1.1\r\n", HOST, PARENT, b"\r\n")
        assert line.answer().headers["trace-id"] == TRACE.decode()
        line.send(b"nonsense\r\n\r\n")
        refused = line.answer()
        assert refused.problem == (400, "malformed-request")
        assert refused.headers["trace-id"] != TRACE.decode()
