"""One attempt, at receivers that do whatever they like: what came of it, and where it never goes."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from commands.webhooks.addresses import Reach, Resolve, parse_networks
from commands.webhooks.calls import RESPONSE_CHARACTERS_KEPT, Caller, Response
from commands.webhooks.calls import resolve as of_the_system
from tests.webhooks.receivers import Received, Receiver, in_turn, read_request, receiving, response, until

HERE = "127.0.0.0/8,::1/128"
LONG = 60.0


def caller(
    url: str,
    *,
    networks: str = HERE,
    seconds: float = LONG,
    resolve: Resolve = of_the_system,
    tls: ssl.SSLContext | None = None,
) -> Caller:
    return Caller(
        url,
        Reach(parse_networks(networks)),
        call_seconds=seconds,
        connections_max=4,
        tls=tls or ssl.create_default_context(),
        resolve=resolve,
    )


async def post(one: Caller, times: int = 1) -> list[Response]:
    try:
        return [await one.post({"Content-Type": "application/json"}, b"{}") for _ in range(times)]
    finally:
        await one.aclose()


def answers(*in_order: Sequence[str] | OSError) -> Resolve:
    """A name server that says something else each time, the last for ever."""
    left = list(in_order)

    async def resolve(host: str, port: int) -> Sequence[str]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, OSError):
            raise answer
        return answer

    return resolve


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *[(200, "delivered"), (202, "delivered"), (301, "redirect"), (307, "redirect")],
        *[(400, "status"), (410, "gone"), (429, "status"), (500, "status"), (503, "status")],
    ],
)
def test_a_response_is_what_its_status_says(status: int, outcome: str) -> None:
    async def scenario() -> None:
        async with receiving() as elsewhere:
            headers = {"Location": elsewhere.url()} if outcome == "redirect" else {}
            async with receiving(in_turn(response(status, b"said", **headers))) as receiver:
                (found,) = await post(caller(receiver.url()))
            assert found == Response(outcome, status, "" if outcome == "delivered" else "said")
            assert elsewhere.connections == 0

    asyncio.run(scenario())


def test_one_connection_serves_event_after_event() -> None:
    async def scenario() -> None:
        async with receiving(in_turn(response(200, b"x" * 1000))) as receiver:
            assert [one.outcome for one in await post(caller(receiver.url()), 5)] == ["delivered"] * 5
            assert receiver.connections == 1

    asyncio.run(scenario())


def test_who_never_answers_is_waited_for_no_longer_than_told() -> None:
    async def never(receiver: Receiver, received: Received) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    async def scenario() -> None:
        async with receiving(never) as receiver:
            (found,) = await post(caller(receiver.url(), seconds=0.2))
        assert found == Response("timeout", None, "no response within 0.2 s")

    asyncio.run(scenario())


@pytest.mark.parametrize(("status", "outcome"), [(200, "delivered"), (500, "status")])
def test_a_body_that_breaks_off_changes_nothing_of_its_status(status: int, outcome: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(response(status, b"begins", Content_Length="1000000"))
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        (found,) = await post(caller(f"http://127.0.0.1:{port}/"))
        server.close()
        await server.wait_closed()
        assert (found.outcome, found.status) == (outcome, status)

    asyncio.run(scenario())


def test_of_a_huge_response_little_is_read_and_less_is_kept() -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 1000000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"z\x00" * 32_768)
                await writer.drain()
                sent += 65_536
        except ConnectionError:
            writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        (found,) = await post(caller(f"http://127.0.0.1:{port}/"))
        server.close()
        await server.wait_closed()
        assert (found.outcome, found.status) == ("status", 500)
        assert len(found.detail) <= RESPONSE_CHARACTERS_KEPT
        assert "\0" not in found.detail

    asyncio.run(scenario())
    assert sent < 50_000_000  # what the buffers of two sockets hold


@pytest.mark.parametrize("answer", [None, b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"HTTP/1.1 200"])
def test_who_drops_or_speaks_something_else_is_unreachable(answer: bytes | None) -> None:
    async def scenario() -> None:
        async def behave(receiver: Receiver, received: Received) -> bytes | None:
            return answer

        async with receiving(behave) as receiver:
            (found,) = await post(caller(receiver.url(), seconds=0.5))
        assert found.outcome in {"unreachable", "timeout"}
        assert found.status is None

    asyncio.run(scenario())


def test_where_nobody_listens_is_unreachable() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        (found,) = asyncio.run(post(caller(f"http://127.0.0.1:{bound.getsockname()[1]}/")))
    assert (found.outcome, found.status) == ("unreachable", None)


def test_a_name_that_does_not_resolve_is_unreachable_and_said_so() -> None:
    silent = answers(OSError("no such name"))
    (found,) = asyncio.run(post(caller("https://hooks.example.com/", resolve=silent)))
    assert found == Response("unreachable", None, "the name hooks.example.com does not resolve")


def test_the_address_that_was_looked_at_is_the_one_that_is_called() -> None:
    """A name server that answers differently the second time leads nowhere."""

    async def scenario() -> None:
        async with receiving(host="127.0.0.2") as allowed:  # noqa: SIM117 - the port of the first
            async with receiving(host="127.0.0.3", port=allowed.port) as inside:
                turning = answers(["127.0.0.2"], ["127.0.0.3"])
                url = f"http://hooks.example.com:{allowed.port}/"
                one = caller(url, networks="127.0.0.2/32", resolve=turning)
                (first,) = await post(one)
                assert first.outcome == "delivered"
                assert allowed.received[0].headers["host"] == f"hooks.example.com:{allowed.port}"
                (second,) = await post(caller(url, networks="127.0.0.2/32", resolve=turning))
                assert second.outcome == "address_refused"
                both = answers(["127.0.0.2", "127.0.0.3"])
                (third,) = await post(caller(url, networks="127.0.0.2/32", resolve=both))
                assert third.outcome == "address_refused"
                assert (allowed.connections, inside.connections) == (1, 0)

    asyncio.run(scenario())


def test_without_networks_of_its_own_a_receiver_on_this_machine_is_never_called() -> None:
    async def scenario() -> None:
        async with receiving() as receiver:
            for name in ("localhost", "hooks.example.com"):
                local = answers(["127.0.0.1"])
                (found,) = await post(caller(f"https://{name}:{receiver.port}/", networks="", resolve=local))
                assert found.outcome == "address_refused"
                assert "DAYBOOK_WEBHOOK_NETWORKS" in found.detail
            assert receiver.connections == 0

    asyncio.run(scenario())


def test_of_several_addresses_one_that_answers_is_enough() -> None:
    async def scenario() -> None:
        async with receiving() as receiver:
            several = answers(["127.0.0.9", "127.0.0.1"])
            url = f"http://hooks.example.com:{receiver.port}/"
            (found,) = await post(caller(url, resolve=several))
            assert found.outcome == "delivered"

    asyncio.run(scenario())


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with receiving() as proxy, receiving() as receiver:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url(path=""))
            (found,) = await post(caller(receiver.url()))
            assert (found.outcome, proxy.connections, len(receiver.taken)) == ("delivered", 0, 1)

    asyncio.run(scenario())


def test_tls_is_verified_by_the_hosts_name_though_its_address_is_called(tmp_path: Path) -> None:
    served, trusting = certified("hooks.example.com", tmp_path)
    names: list[str | None] = []
    served.sni_callback = lambda _, name, __: names.append(name)

    async def scenario() -> None:
        async with receiving(tls=served) as receiver:
            here = answers(["127.0.0.1"])
            for host, tls, outcome in (
                ("hooks.example.com", trusting, "delivered"),
                ("other.example.com", trusting, "tls_failed"),
                ("hooks.example.com", ssl.create_default_context(), "tls_failed"),
            ):
                (found,) = await post(caller(f"https://{host}:{receiver.port}/", resolve=here, tls=tls))
                assert found.outcome == outcome, found
            assert names == ["hooks.example.com", "other.example.com", "hooks.example.com"]
            await until(lambda: len(receiver.taken) == 1)

    asyncio.run(scenario())


def certified(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server of that name uses, and what a client that trusts it alone does."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(file)
    return served, ssl.create_default_context(cafile=str(file))
