"""Answers as they come over a bad line or from something that is not Stripe; a raw socket gives each."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import traceback
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from aggregates.kernel import Money
from commands.gateways.gateway import GatewayError, GatewayRefusal, GatewayUnavailable, GatewayUnclear
from commands.gateways.stripe.calls import CALLS_AT_ONCE, CALLS_PER_SECOND, QUEUE_SECONDS, Turns
from commands.gateways.stripe.gateway import StripeGateway
from tests.gateways.stripe_objects import INTENT, ORDER, PERSONAL, STEP, intent
from tests.waiting import SECONDS_MAX

KEY = "sk_test_socket"


def answer(body, status="200 OK", **headers):
    """A response as bytes; `body` is bytes, or an object to be written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {"Content-Length": len(content), "Request-Id": "req_socket"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@asynccontextmanager
async def answering(reply, **options):
    """The adapter before a server that reads a request and calls `reply(writer)`, or sends `reply`."""

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-le")), 0
        )
        await reader.readexactly(int(length))
        try:
            if callable(reply):
                await reply(writer)
            else:
                writer.write(reply)
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway = StripeGateway(
        KEY, webhook_secrets=["whsec_socket"], api_base=f"http://127.0.0.1:{port}", **options
    )
    async with server:
        yield gateway
        await gateway.aclose()


def authorize(gateway):
    return gateway.authorize(key=STEP, method="pm_card_visa", amount=Money(1299, "EUR"), order_id=ORDER)


def failure(reply, call=authorize, **options):
    """What a call raises; it never carries anything of the answer."""

    async def run():
        async with answering(reply, **options) as gateway:
            await call(gateway)

    with pytest.raises(GatewayError) as raised:
        asyncio.run(run())
    error = raised.value
    shown = repr(error) + repr(vars(error)) + "".join(traceback.format_exception(error))
    assert not [word for word in (*PERSONAL, KEY) if word in shown]
    assert (error.__cause__, error.__context__) == (None, None)
    return error


def error_body(**members):
    return {"error": {"message": f"{PERSONAL[1]} at {PERSONAL[3]}", "payment_intent": intent()} | members}


@pytest.mark.parametrize(
    ("status", "members", "kind", "code", "more"),
    [
        (
            "400 x",
            {"type": "invalid_request_error", "code": "amount_too_small"},
            GatewayRefusal,
            "amount_too_small",
            {},
        ),
        ("400 x", {"type": "invalid_request_error"}, GatewayRefusal, "invalid_request_error", {}),
        (
            "400 x",
            {"type": "invalid_request_error", "code": "rate_limit"},
            GatewayUnavailable,
            "rate_limit",
            {},
        ),
        ("400 x", {"type": "idempotency_error"}, GatewayUnclear, "idempotency_error", {"stored": True}),
        ("404 x", {"code": "resource_missing"}, GatewayRefusal, "resource_missing", {}),
        ("401 x", {"code": "api_key_expired"}, GatewayUnavailable, "api_key_expired", {"alarm": True}),
        (
            "403 x",
            {"type": "invalid_request_error"},
            GatewayUnavailable,
            "invalid_request_error",
            {"alarm": True},
        ),
        ("409 x", {"code": "lock_timeout"}, GatewayUnavailable, "lock_timeout", {"alarm": False}),
        ("424 x", {"type": "api_error"}, GatewayUnavailable, "api_error", {"alarm": False}),
        ("429 x", {"code": "lock_timeout"}, GatewayUnavailable, "lock_timeout", {"alarm": False}),
        ("500 x", {"type": "api_error"}, GatewayUnclear, "api_error", {"stored": True}),
        ("503 x", {"type": "api_error"}, GatewayUnclear, "api_error", {"stored": False}),
        ("418 x", {"type": "api_error"}, GatewayUnclear, "api_error", {"stored": False}),
        (
            "500 x",
            {"type": PERSONAL[1], "code": PERSONAL[0] + "!"},
            GatewayUnclear,
            "status_500",
            {"stored": True},
        ),
    ],
)
def test_each_error_of_stripes_says_what_became_of_the_money(status, members, kind, code, more):
    error = failure(answer(error_body(**members), status))
    assert (type(error), error.code, error.request_id) == (kind, code, "req_socket")
    assert str(error) == f"{code} (req_socket)"
    assert {name: getattr(error, name) for name in more} == more


def test_a_declined_card_outside_authorize_is_a_refusal():
    declined = answer(error_body(type="card_error", code="card_declined"), "402 x")

    def capture(gateway):
        return gateway.capture(key=STEP, reference=INTENT, amount=Money(1299, "EUR"))

    assert type(failure(declined, capture)) is GatewayRefusal


def test_a_decline_that_names_no_payment_is_a_refusal():
    declined = answer({"error": {"type": "card_error", "code": "card_declined"}}, "402 x")
    assert type(failure(declined)) is GatewayRefusal


def test_a_decline_is_a_failed_attempt_though_the_intent_does_not_say_why():
    async def run():
        found = intent("requires_payment_method", amount_capturable=0)
        declined = error_body(type="card_error", code="card_declined", payment_intent=found)
        async with answering(answer(declined, "402 x")) as gateway:
            return await authorize(gateway)

    assert asyncio.run(run()).standing.failed == "card_declined"


def test_a_replayed_fault_is_stored():
    replayed = answer(error_body(type="api_error"), "503 x", Idempotent_Replayed="true")
    assert failure(replayed).stored


PAGE = b"<html>" + PERSONAL[1].encode()


@pytest.mark.parametrize(
    "reply",
    [
        answer(PAGE),
        answer(PAGE, "401 x"),
        answer(PAGE, "404 x"),
        answer(PAGE, "429 x"),
        answer(PAGE, "500 x"),
        answer(PAGE, "502 Bad Gateway"),
        answer(b"", "204 No Content"),
        answer(b"", "302 Found", Location="http://127.0.0.1:9/"),
        answer(b"\xff\xfe{}"),
        answer(b"[" * 100_000),
        answer([]),
        answer([1]),
        answer("text"),
        answer(None),
        answer({}),
        answer({"id": INTENT}),
        answer({"object": "list", "data": [{}]}),
        answer(intent(metadata=5)),
        answer(intent(currency="nonsense")),
        answer(intent(latest_charge={"id": "ch_1"})),
        answer(intent(amount_received="1299")),
        answer({"error": PERSONAL[1]}, "400 x"),
        answer({"error": PERSONAL[1]}, "500 x"),
        answer({"error": [PERSONAL[1]]}, "400 x"),
        answer({"error": None}, "404 x"),
        answer({"error": {}}, "500 x"),
        answer({"error": {"code": 5, "type": []}}, "500 x"),
        answer(b"{}", Content_Encoding="gzip"),
        answer(b"{}", Content_Length=200),
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
        b"nonsense\r\n\r\n",
        b"",
    ],
    ids=lambda reply: repr(reply[9:60]),
)
def test_what_is_no_answer_of_stripes_leaves_the_outcome_unclear(reply):
    assert type(failure(reply)) is GatewayUnclear


def test_an_answer_that_drips_ends_with_the_calls_time_and_the_connection_with_it():
    ended = asyncio.Event()

    async def drip(writer):
        writer.write(answer(b"", Content_Length=100_000))
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            ended.set()

    async def call(gateway):
        try:
            await authorize(gateway)
        finally:
            await asyncio.wait_for(ended.wait(), SECONDS_MAX)

    assert failure(drip, call, call_seconds=0.3).code == "no_answer"


def test_a_reset_connection_leaves_the_outcome_unclear():
    async def reset(writer):
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()

    assert type(failure(reset)) is GatewayUnclear


def test_where_nobody_listens_nothing_was_done():
    async def run():
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            base = f"http://127.0.0.1:{unused.getsockname()[1]}"
            gateway = StripeGateway(KEY, webhook_secrets=[], api_base=base)
            try:
                await authorize(gateway)
            finally:
                await gateway.aclose()

    with pytest.raises(GatewayUnavailable, match="no_connection") as raised:
        asyncio.run(run())
    assert not raised.value.alarm


def test_a_notice_beside_an_answer_changes_nothing():
    """Without care it is a warning in the answer's place, and an error in these tests."""

    async def run():
        async with answering(answer(intent(), Stripe_Notice="Upgrade soon")) as gateway:
            return await authorize(gateway)

    assert asyncio.run(run()).standing.authorized == 1299


def test_the_librarys_own_log_is_off_whatever_the_environment_says(monkeypatch, capfd):
    monkeypatch.setattr("stripe.log", "debug")
    monkeypatch.setattr("stripe._util.STRIPE_LOG", "debug")

    async def run():
        async with answering(answer(intent())) as gateway:
            await authorize(gateway)

    asyncio.run(run())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("then", ["requires_capture", "canceled", "requires_action"])
def test_a_void_that_comes_too_late_answers_what_is_there(then):
    """Between the look and the void the shopper was quicker, or another call of ours."""
    held = {"amount_capturable": 1299} if then == "requires_capture" else {}
    refused = {"error": {"type": "invalid_request_error", "code": "payment_intent_unexpected_state"}}
    answers = iter(
        [
            answer(intent("requires_action")),
            answer(refused, "400 x"),
            answer(intent(then, **held)),
        ]
    )

    async def next_answer(writer):
        writer.write(next(answers))
        await writer.drain()

    async def run():
        async with answering(next_answer) as gateway:
            return await gateway.void(key=STEP, reference=INTENT, unless_authorized=True)

    if then == "requires_action":  # The refusal had another cause.
        with pytest.raises(GatewayRefusal, match="payment_intent_unexpected_state"):
            asyncio.run(run())
        return
    standing = asyncio.run(run()).standing
    assert (standing.most, standing.closed) == ((1299, None) if held else (0, "canceled"))


def test_a_list_that_never_goes_on_is_given_up():
    page = answer({"object": "list", "url": "/v1/x", "data": [{"id": "pi_1"}], "has_more": True})

    def find(gateway):
        return gateway.find(key=STEP, since=datetime.now(UTC), until=datetime.now(UTC))

    assert type(failure(page, find)) is GatewayUnclear


def test_a_call_that_is_given_up_ends_its_request():
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def hang(writer):
        arrived.set()
        while not writer.transport.is_closing():
            writer.write(b"H")
            await asyncio.sleep(0.01)
        ended.set()

    async def run():
        async with answering(hang) as gateway:
            call = asyncio.create_task(authorize(gateway))
            await arrived.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.wait_for(ended.wait(), SECONDS_MAX)

    asyncio.run(run())


def test_closing_ends_what_is_under_way_and_later_calls_are_not_made():
    arrived = asyncio.Event()

    async def hang(writer):
        arrived.set()
        await asyncio.Event().wait()

    async def run():
        async with answering(hang) as gateway:
            call = asyncio.create_task(authorize(gateway))
            await arrived.wait()
            await gateway.aclose()
            with pytest.raises(GatewayUnclear):
                await asyncio.wait_for(call, SECONDS_MAX)
            with pytest.raises(GatewayUnavailable, match="closed"):
                await authorize(gateway)

    asyncio.run(run())


def test_twenty_calls_a_second_have_their_turn_and_who_would_wait_too_long_is_sent_away():
    async def run():
        turns = Turns()
        waits = []
        with pytest.raises(GatewayUnavailable, match="too_many_calls"):
            while True:
                waits.append(turns.take("payment_intents.create"))
        assert turns.take("refunds.create") == 0
        return waits

    waits = asyncio.run(run())
    assert waits[:CALLS_AT_ONCE] == [0] * CALLS_AT_ONCE
    assert waits == sorted(waits)
    assert waits[-1] <= QUEUE_SECONDS
    assert len(waits) == pytest.approx(CALLS_AT_ONCE + QUEUE_SECONDS * CALLS_PER_SECOND, abs=1)


def test_calls_take_their_turns():
    async def run():
        async with answering(answer(intent())) as gateway:
            return await asyncio.gather(*(authorize(gateway) for _ in range(60)), return_exceptions=True)

    results = asyncio.run(run())
    away = [one for one in results if isinstance(one, GatewayUnavailable)]
    assert {one.code for one in away} == {"too_many_calls"}
    assert len(results) - len(away) >= CALLS_AT_ONCE


def test_no_second_sees_more_calls_than_stripe_takes():
    async def run():
        turns, made = Turns(), []
        loop = asyncio.get_running_loop()
        for _ in range(30):
            await asyncio.sleep(turns.take("payment_intents.create"))
            made.append(loop.time())
        return made

    made = asyncio.run(run())
    assert max(sum(start <= one < start + 1 for one in made) for start in made) <= 25
