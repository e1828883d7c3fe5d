"""Events reach receivers: signed, each of them, in order where asked, and again until they are taken."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

from prometheus_client import REGISTRY
from standardwebhooks import Webhook

from commands.handlers.webhooks import ChangeEndpoint, DeleteEndpoint, DisableEndpoint, RotateSecret
from commands.webhooks.retries import Retries
from commands.webhooks.signature import new_secret
from event_store.deliveries import DeliveryLog
from event_store.records import Checkpoint
from tests.shop.facts import CODEC
from tests.webhooks.receivers import Received, Receiver, in_turn, receiving, response, until
from tests.webhooks.sending import operating, receive, sending


def test_an_event_is_sent_as_the_feeds_cloud_event_and_signed(log: DeliveryLog) -> None:
    async def scenario() -> None:
        async with receiving() as receiver, sending(log) as operator:
            endpoint_id = await operator.register(receiver.url(path="/hook?a=b%20c"))
            (position,) = receive(log, "stock-MUG")
            await until(lambda: receiver.taken)
            (received,) = receiver.taken
            secret = operator.endpoint(endpoint_id).secret
            assert Webhook(secret).verify(received.body, received.headers) == received.event
            assert received.target == "/hook?a=b%20c"
            assert received.headers["content-type"] == "application/cloudevents+json"
            assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
            (recorded,) = log.read_positions([position])
            assert received.id == f"evt_{recorded.identity}"
            assert received.event["type"] == "inventory.stock_received"
            assert received.event["data"] == CODEC.decode_public_json(recorded)
            assert (received.event["position"], received.event["stream"]) == (position, "stock-MUG")
            await until(lambda: [one.state for one in operator.deliveries(endpoint_id)] == ["delivered"])
            (attempt,) = operator.attempts(endpoint_id)
            assert (attempt.outcome, attempt.status, attempt.detail) == ("delivered", 204, "")

    asyncio.run(scenario())


def test_what_was_chosen_is_sent_and_nothing_of_an_endpoint_that_is_personal(log: DeliveryLog) -> None:
    async def scenario() -> None:
        async with receiving() as exact, receiving() as all_of_it, sending(log) as operator:
            await operator.register(exact.url(), events=["catalog.product_listed"])
            await operator.register(all_of_it.url(), events=["webhooks.*", "inventory.*"])
            late = await operator.register(exact.url(path="/secret-token"))
            (position,) = receive(log, "stock-MUG")
            await until(lambda: position in all_of_it.positions)
            await until(lambda: len(all_of_it.taken) == 2)
            by_type = {one.event["type"]: one for one in all_of_it.taken}
            assert by_type.keys() == {"webhooks.endpoint_registered", "inventory.stock_received"}
            sent = by_type["webhooks.endpoint_registered"]
            registered = sent.event["data"]
            assert (registered["endpoint_id"], registered["url"], registered["secret"]) == (late, None, None)
            assert b"secret-token" not in sent.body
            await until(lambda: exact.positions == [position])  # of its second endpoint
            assert exact.taken[0].target == "/secret-token"

    asyncio.run(scenario())


def test_what_is_not_taken_is_sent_again_with_the_same_id(log: DeliveryLog) -> None:
    answers = (response(500, b"out of order"), None, response(302, Location="/elsewhere"), response(204))

    async def scenario() -> None:
        async with receiving(in_turn(*answers)) as receiver, sending(log) as operator:
            endpoint_id = await operator.register(receiver.url())
            receive(log, "stock-MUG")
            await until(lambda: [one.state for one in operator.deliveries(endpoint_id)] == ["delivered"])
            assert len({one.id for one in receiver.received}) == 1
            assert {one.target for one in receiver.received} == {"/hook"}  # no redirect was followed
            seen = [(one.outcome, one.status) for one in operator.attempts(endpoint_id)]
            assert seen == [("status", 500), ("unreachable", None), ("redirect", 302), ("delivered", 204)]
            assert operator.attempts(endpoint_id)[0].detail == "out of order"

    asyncio.run(scenario())


def test_in_order_an_event_waits_for_those_before_it_of_its_stream_alone(
    log: DeliveryLog,
) -> None:
    opened = asyncio.Event()

    async def behave(receiver: Receiver, received: Received) -> bytes:
        return response(503 if received.event["stream"] == "stock-A" and not opened.is_set() else 200)

    async def scenario() -> None:
        async with receiving(behave) as receiver, sending(log) as operator:
            await operator.register(receiver.url())
            positions = receive(log, "stock-A", "stock-B", "stock-A", "stock-C", "stock-A")
            await until(lambda: set(receiver.positions) == {positions[1], positions[3]})
            assert {one.position for one in receiver.received if one.position not in receiver.positions} == {
                positions[0]
            }
            opened.set()
            await until(lambda: len(receiver.positions) == 5)
            of_a = [one.position for one in receiver.taken if one.event["stream"] == "stock-A"]
            assert of_a == [positions[0], positions[2], positions[4]]

    asyncio.run(scenario())


def test_without_order_no_event_waits_for_another(log: DeliveryLog) -> None:
    async def behave(receiver: Receiver, received: Received) -> bytes:
        return response(503 if received.position == first else 200)

    first = 0

    async def scenario() -> None:
        nonlocal first
        async with receiving(behave) as receiver, sending(log) as operator:
            await operator.register(receiver.url(), ordering="none")
            first = log.head() + 1
            positions = receive(log, "stock-A", "stock-A", "stock-A")
            await until(lambda: sorted(receiver.positions) == positions[1:])

    asyncio.run(scenario())


def test_410_disables_and_once_enabled_nothing_was_skipped(log: DeliveryLog) -> None:
    async def once_gone(receiver: Receiver, received: Received) -> bytes:
        return response(410 if len(receiver.received) == 1 else 200)

    async def scenario() -> None:
        async with receiving(once_gone) as receiver, sending(log) as operator:
            endpoint_id = await operator.register(receiver.url())
            (first,) = receive(log, "stock-A")
            assert await operator.disabled(endpoint_id) == ("gone", f"position {first}: status 410")
            (second,) = receive(log, "stock-A")
            assert [one.position for one in receiver.received] == [first]
            await operator.enable(endpoint_id)
            await until(lambda: receiver.positions == [first, second])

    asyncio.run(scenario())


def test_an_event_that_is_never_taken_disables_in_order_and_is_given_up_without(log: DeliveryLog) -> None:
    few = Retries(pauses=(0.01, 0.01), struggling_pauses=(0.01,))

    async def refuse_one(receiver: Receiver, received: Received) -> bytes:
        return response(400, b"never") if received.event["stream"] == "stock-BAD" else response(200)

    async def scenario() -> None:
        async with (
            receiving(refuse_one) as receiver,
            receiving(refuse_one) as without,
            sending(log, retries=few) as operator,
        ):
            in_order = await operator.register(receiver.url())
            not_in_order = await operator.register(without.url(), ordering="none")
            good, bad = receive(log, "stock-GOOD", "stock-BAD")
            cause, detail = await operator.disabled(in_order)
            assert (cause, detail) == ("failing", f"position {bad}: 3 attempts, status 400")
            ended = ["delivered", "failed"]
            await until(lambda: [one.state for one in operator.deliveries(not_in_order)] == ended)
            (later,) = receive(log, "stock-GOOD")
            await until(lambda: without.positions == [good, later])
            assert operator.endpoint(not_in_order).disabled is None
            assert [one.position for one in log.pending_deliveries(in_order)][-1:] == [bad]

    asyncio.run(scenario())


def test_an_endpoint_that_takes_nothing_for_days_is_disabled(log: DeliveryLog) -> None:
    now = datetime.now(UTC)

    async def scenario() -> None:
        nonlocal now
        async with (
            receiving(in_turn(response(500))) as receiver,
            sending(log, now=lambda: now, retries=Retries()) as operator,
        ):
            endpoint_id = await operator.register(receiver.url(), ordering="none")
            receive(log, "stock-A")
            await until(lambda: operator.attempts(endpoint_id))
            now += timedelta(days=2)
            await until(lambda: len(operator.attempts(endpoint_id)) == 2)
            assert operator.endpoint(endpoint_id).disabled is None
            now += timedelta(days=1)
            cause, detail = await operator.disabled(endpoint_id)
            assert (cause, detail) == ("failing", "nothing was taken for 3 days: status 500")

    asyncio.run(scenario())


def test_a_replay_sends_all_from_its_position_on_with_the_ids_of_before(log: DeliveryLog) -> None:
    async def scenario() -> None:
        async with receiving() as receiver, sending(log) as operator:
            before = receive(log, "stock-A", "stock-B")
            endpoint_id = await operator.register(receiver.url())
            after = receive(log, "stock-A", "stock-A")
            await until(lambda: receiver.positions == after)
            await operator.replay(endpoint_id, before[1])
            await until(lambda: len(receiver.positions) == 5)
            again = receiver.positions[2:]
            assert before[1] in again  # of another stream, so at any place among them
            assert [position for position in again if position != before[1]] == after
            assert len({one.id for one in receiver.taken}) == 3
            await until(lambda: all(one.state == "delivered" for one in operator.deliveries(endpoint_id)))

    asyncio.run(scenario())


def test_an_endpoint_may_begin_with_what_happened_before_it(log: DeliveryLog) -> None:
    async def scenario() -> None:
        async with receiving() as receiver, sending(log) as operator:
            positions = receive(log, "stock-A", "stock-B", "stock-A")
            await operator.register(receiver.url(), from_position=positions[1])
            await until(lambda: sorted(receiver.positions) == positions[1:])

    asyncio.run(scenario())


def test_two_secrets_sign_while_one_replaces_the_other(log: DeliveryLog) -> None:
    async def scenario() -> None:
        async with receiving() as receiver, sending(log) as operator:
            endpoint_id = await operator.register(receiver.url())
            old, new = operator.endpoint(endpoint_id).secret, new_secret()
            for overlap in (3600, 0):
                rotate = RotateSecret(
                    endpoint_id=endpoint_id, secret=new, at=datetime.now(UTC), overlap_seconds=overlap
                )
                await operator.ask(rotate)
                sent = receive(log, "stock-A")
                await until(lambda: receiver.positions[-1:] == sent)  # noqa: B023
                received = receiver.taken[-1]
                assert Webhook(new).verify(received.body, received.headers)
                if overlap:
                    assert Webhook(old).verify(received.body, received.headers)
                assert len(received.headers["webhook-signature"].split(" ")) == (2 if overlap else 1)
                old, new = new, new_secret()

    asyncio.run(scenario())


def test_a_disabled_or_deleted_endpoint_is_left_alone_and_a_changed_one_is_called_elsewhere(
    log: DeliveryLog,
) -> None:
    async def scenario() -> None:
        async with receiving() as old, receiving() as new, sending(log) as operator:
            endpoint_id = await operator.register(old.url())
            (first,) = receive(log, "stock-A")
            await until(lambda: old.positions == [first])
            await operator.ask(DisableEndpoint(endpoint_id=endpoint_id, cause="operator", detail="moves"))
            (second,) = receive(log, "stock-A")
            await operator.ask(
                ChangeEndpoint(
                    endpoint_id=endpoint_id,
                    url=new.url(),
                    events=("inventory.*",),
                    ordering="none",
                    description="moved",
                )
            )
            await operator.enable(endpoint_id)
            await until(lambda: new.positions == [second])
            await operator.ask(DeleteEndpoint(endpoint_id=endpoint_id))
            await until(lambda: log.delivery_cursor(endpoint_id) is None)
            assert operator.deliveries(endpoint_id) == []
            assert old.positions == [first]

    asyncio.run(scenario())


def test_an_endpoint_that_never_answers_delays_no_other_and_keeps_few_connections(log: DeliveryLog) -> None:
    async def never(receiver: Receiver, received: Received) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    async def scenario() -> None:
        async with receiving(never) as slow, receiving() as quick, sending(log) as operator:
            await operator.register(slow.url(), ordering="none")
            await operator.register(quick.url(), ordering="none")
            positions = receive(log, *[f"stock-{n}" for n in range(60)])
            await until(lambda: sorted(quick.positions) == positions)
            assert slow.taken == []
            assert 1 <= slow.under_way_max <= 4

    asyncio.run(scenario())


def test_one_that_fails_again_and_again_is_asked_one_by_one(log: DeliveryLog) -> None:
    async def scenario() -> None:
        struggling = Retries(pauses=(0.01,) * 60, struggling_pauses=(3600,))
        async with (
            receiving(in_turn(response(500))) as receiver,
            sending(log, retries=struggling) as operator,
        ):
            endpoint_id = await operator.register(receiver.url(), ordering="none")
            receive(log, *[f"stock-{n}" for n in range(60)])
            await until(lambda: len(operator.deliveries(endpoint_id)) == 60)
            await until(lambda: len({one.position for one in operator.attempts(endpoint_id)}) >= 5)
            tried = {one.position for one in operator.attempts(endpoint_id)}
            assert len(tried) <= 8, "it went on as if nothing was"

    asyncio.run(scenario())


def test_a_lanes_rows_of_another_turn_make_it_begin_anew(log: DeliveryLog) -> None:
    """A replay while an attempt is under way: what comes of that counts for nothing."""
    gate = asyncio.Event()

    async def behave(receiver: Receiver, received: Received) -> bytes:
        if len(receiver.received) == 1:
            await gate.wait()
        return response(200, json.dumps({"ok": True}).encode())

    async def scenario() -> None:
        async with receiving(behave) as receiver, sending(log) as operator:
            endpoint_id = await operator.register(receiver.url())
            first, second = receive(log, "stock-A", "stock-B")
            await until(lambda: len(receiver.received) >= 1)
            await operator.replay(endpoint_id, first)
            await until(lambda: {first, second} <= set(receiver.positions))
            gate.set()
            await until(lambda: [one.state for one in operator.deliveries(endpoint_id)] == ["delivered"] * 2)

    asyncio.run(scenario())


def test_what_is_sent_and_what_is_behind_is_told_to_the_metrics(log: DeliveryLog) -> None:
    async def refuse_one(receiver: Receiver, received: Received) -> bytes:
        return response(500 if received.event["stream"] == "stock-BAD" else 200)

    def told(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(f"daybook_webhook_{name}", labels)

    async def scenario() -> None:
        async with receiving(refuse_one) as receiver, sending(log, retries=Retries()) as operator:
            endpoint_id = await operator.register(receiver.url())
            _, bad, last = receive(log, "stock-A", "stock-BAD", "stock-A")
            await until(lambda: told("lag", endpoint=endpoint_id) == last - bad + 1)
            await until(lambda: told("pending", endpoint=endpoint_id) == 1)
            await until(lambda: told("attempts_total", endpoint=endpoint_id, outcome="delivered") == 2)
            await until(lambda: told("attempts_total", endpoint=endpoint_id, outcome="status") == 1)
            assert told("disabled", endpoint=endpoint_id) == 0
            await operator.ask(DisableEndpoint(endpoint_id=endpoint_id, cause="operator"))
            await until(lambda: told("disabled", endpoint=endpoint_id) == 1)
            await until(lambda: told("pending", endpoint=endpoint_id) is None)

    asyncio.run(scenario())


def test_an_endpoint_of_another_history_is_disabled_until_it_is_said_from_where(log: DeliveryLog) -> None:
    async def scenario() -> None:
        async with receiving() as receiver:
            async with operating(log) as operator:
                endpoint_id = await operator.register(receiver.url())
                positions = receive(log, "stock-A", "stock-B")
            # A restore has put another event where the endpoint stood.
            log.begin_deliveries(endpoint_id, version=1, at=Checkpoint(1, "0" * 32), now=datetime.now(UTC))
            async with sending(log) as operator:
                cause, _ = await operator.disabled(endpoint_id)
                assert cause == "another_history"
                await operator.replay(endpoint_id, positions[0])
                await operator.enable(endpoint_id)
                await until(lambda: sorted(receiver.positions) == positions)

    asyncio.run(scenario())
