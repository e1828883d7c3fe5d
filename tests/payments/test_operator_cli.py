"""The operator's command line beside a running shop: several write on one log."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import structlog
from click.testing import CliRunner, Result

from commands.cli import payments_group
from commands.gateways.sandbox.cli import sandbox_group
from commands.operator.processes_cli import processes_group
from event_store.postgres.log import PostgresLog
from tests.payments.owing import TOTAL, disputed, refund, sold, unpaid_though_sent, unreturned
from tests.shop.http import Shop, open_shop
from tests.waiting import SECONDS_MAX

Run = Callable[..., Awaitable[Result]]
GROUPS: dict[str, click.Group] = {
    "payments": payments_group,
    "processes": processes_group,
    "sandbox": sandbox_group,
}


@pytest.fixture
def in_shop(fresh_postgres: str, tmp_path: Path) -> Callable[[Callable[[Shop, Run], Awaitable[None]]], None]:
    """Plays a scenario in a shop, with a command line on the same log and ledger."""

    async def daybook(group: str, *arguments: str, answer: str | None = None) -> Result:
        addresses = SimpleNamespace(postgres_url=fresh_postgres, data_dir=tmp_path)
        run = CliRunner().invoke
        return await asyncio.to_thread(run, GROUPS[group], list(arguments), obj=addresses, input=answer)

    def play(scenario: Callable[[Shop, Run], Awaitable[None]]) -> None:
        async def run() -> None:
            # The shop's own lines would stand in what the command line prints.
            with silent_logs(), closing(PostgresLog.open(fresh_postgres)) as log:
                async with open_shop(log, tmp_path) as shop:
                    await shop.product("MUG", units=9)
                    await scenario(shop, daybook)

        asyncio.run(run())

    return play


@contextmanager
def silent_logs() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


async def eventually(daybook: Run, holds: Callable[[Result], bool], *arguments: str) -> Result:
    """Runs the command until its result is the expected one."""
    async with asyncio.timeout(SECONDS_MAX):
        while not holds(result := await daybook(*arguments)):
            await asyncio.sleep(0.05)
    return result


async def listed(daybook: Run, count: int) -> list[Any]:
    result = await eventually(
        daybook, lambda r: len(json.loads(r.stdout)) == count, "payments", "owed", "--json"
    )
    return list(json.loads(result.stdout))


def test_the_owed_list_as_a_table_and_as_json(in_shop: Any) -> None:
    async def scenario(shop: Shop, daybook: Run) -> None:
        empty = await daybook("payments", "owed")
        assert (empty.exit_code, empty.stdout) == (0, "Nothing is owed, stuck or to be looked at.\n")
        lacking, owing, argued = await unpaid_though_sent(shop), await unreturned(shop), await disputed(shop)
        orders = await listed(daybook, 3)
        assert [(o["order_id"], o["to_shop"]["amount"], o["to_customer"]["amount"]) for o in orders] == [
            (lacking, TOTAL, 0),
            (owing, 0, 500),
            (argued, 0, 0),
        ]
        head, *rows = (await daybook("payments", "owed")).stdout.splitlines()
        assert head.split("  ")[0] == "order"
        for row, order_id, word in zip(
            rows, (lacking, owing, argued), ("12.99 GBP", "5.00 GBP", "dispute"), strict=True
        ):
            assert order_id in row
            assert word in row

    in_shop(scenario)


def test_a_retry_waits_for_the_gateway_and_says_what_it_answered(in_shop: Any) -> None:
    async def scenario(shop: Shop, daybook: Run) -> None:
        order_id = await unreturned(shop)
        result = await daybook("payments", "retry", order_id)
        first, last = result.stdout.splitlines()
        assert first.startswith("refund of 5.00 GBP: refunded (req_")
        assert (result.exit_code, last) == (0, f"Nothing of order {order_id} is left to be settled.")
        assert [charge.refunded for charge in shop.gateway.charges(order_id)] == [500]

    in_shop(scenario)


def test_a_retry_that_the_gateway_refuses_again_exits_with_1(in_shop: Any) -> None:
    async def scenario(shop: Shop, daybook: Run) -> None:
        order_id = await sold(shop, "pm_card_captureRefused")
        await listed(daybook, 1)
        result = await daybook("payments", "retry", order_id)
        assert result.exit_code == 1
        assert result.stdout.startswith(
            "capture of 12.99 GBP: refused (capture_charge_authorization_expired, req"
        )
        assert len(await listed(daybook, 1)) == 1

    in_shop(scenario)


def test_two_operators_at_once_ask_for_the_money_once(in_shop: Any) -> None:
    async def scenario(shop: Shop, daybook: Run) -> None:
        order_id = await unpaid_though_sent(shop)
        method = ("--method", "pm_card_visa")
        route = shop.post(f"/payments/{order_id}/retry", {"method": "pm_card_visa"})
        results = asyncio.gather(*(daybook("payments", "retry", order_id, *method) for _ in range(2)))
        await asyncio.gather(route, results)
        await listed(daybook, 0)
        assert [charge.captured for charge in shop.gateway.charges(order_id)] == [0, TOTAL]
        assert len(shop.events("payments.payment_retried")) == 1

    in_shop(scenario)


def test_what_is_written_off_is_shown_and_confirmed_first(in_shop: Any) -> None:
    async def scenario(shop: Shop, daybook: Run) -> None:
        order_id = await unpaid_though_sent(shop)
        head = shop.log.head()
        refused = await daybook("payments", "write-off", order_id, answer="n\n")
        assert (refused.exit_code, "12.99 GBP" in refused.stdout, shop.log.head()) == (1, True, head)
        done = await daybook("payments", "write-off", order_id, "--yes", "--reason", "gone bankrupt")
        assert (done.exit_code, done.stdout.splitlines()[-1]) == (
            0,
            f"Nothing of order {order_id} is left to be settled.",
        )
        assert await listed(daybook, 0) == []
        (given_up,) = shop.events("payments.payment_written_off")
        assert (given_up.to_shop.amount, given_up.reason) == (TOTAL, None)  # sealed, and read without a key

    in_shop(scenario)


def test_what_cannot_be_settled_is_one_line_and_changes_nothing(in_shop: Any) -> None:
    async def scenario(shop: Shop, daybook: Run) -> None:
        order_id = await sold(shop)
        head = shop.log.head()
        expected = {
            ("retry", "nobody"): (1, "Error: No such order: order id nobody."),
            ("write-off", "nobody", "--yes"): (1, "Error: No such order: order id nobody."),
            ("retry", order_id): (
                1,
                f"Error: No step of the payment is stuck, and nothing is owed: order id {order_id}.",
            ),
            ("write-off", order_id, "--yes"): (
                1,
                f"Error: Nothing is owed, and nothing is to be looked at: order id {order_id}.",
            ),
            ("retry", "no id"): (2, "Error: Invalid value for 'ORDER': is no id of an order"),
            ("retry", order_id, "--method", "a card"): (
                2,
                "Error: Invalid value for '--method': is no name of a means of payment",
            ),
            ("catch-up", "--since", "yesterday"): (
                2,
                "Error: Invalid value for '--since': 'yesterday' is neither a date nor a time"
                " (2026-01-31T12:00:00Z)",
            ),
        }
        for arguments, (code, line) in expected.items():
            result = await daybook("payments", *arguments)
            assert (result.exit_code, result.stderr.splitlines()[-1]) == (code, line)
        assert shop.log.head() == head

    in_shop(scenario)


def test_news_that_never_arrived_is_caught_up_with_once(in_shop: Any) -> None:
    async def scenario(shop: Shop, daybook: Run) -> None:
        order_id = await sold(shop, sent=False)
        assert (await daybook("sandbox", "lapse", order_id)).exit_code == 0
        first = await daybook("payments", "catch-up")
        counts = re.fullmatch(r"(\d+) pieces of news since .* UTC, \1 of them new\n", first.stdout)
        assert (first.exit_code, counts is not None) == (0, True), first.output
        (canceled,) = shop.events("orders.order_canceled")
        assert canceled.order_id == order_id
        again = await daybook("payments", "catch-up", "--since", "2020-01-01")
        assert again.stdout.endswith(" 0 of them new\n"), again.output

    in_shop(scenario)


def test_a_shopper_proves_who_they_are_in_the_sandbox(in_shop: Any) -> None:
    async def scenario(shop: Shop, daybook: Run) -> None:
        order_id = await sold(shop, "pm_card_authenticationRequired", sent=False)
        unknown = await daybook("sandbox", "pass", "nobody")
        assert (unknown.exit_code, unknown.stderr) == (
            1,
            "Error: the sandbox knows no payment of order nobody\n",
        )
        assert (await daybook("sandbox", "pass", order_id)).exit_code == 0
        assert "authorized" in (await daybook("sandbox", "charges", order_id)).stdout
        twice = await daybook("sandbox", "pass", order_id)
        assert twice.stderr == "Error: the sandbox refuses that: payment_intent_unexpected_state\n"

    in_shop(scenario)


def test_open_work_that_fails_is_listed_shown_and_tried_at_once(in_shop: Any) -> None:
    async def scenario(shop: Shop, daybook: Run) -> None:
        order_id = await sold(shop)
        shop.gateway.books.plant("refunds.create", "429", times=6)
        await refund(shop, order_id, 300)
        work = f"checkout-{order_id}/3"

        def failing(result: Result) -> bool:
            return [(one["work"], one["tries"]) for one in json.loads(result.stdout)] == [(work, 6)]

        result = await eventually(daybook, failing, "processes", "list", "payment", "--json")
        (one,) = json.loads(result.stdout)
        assert one["failure"].startswith("gateway: ")
        shown = (await daybook("processes", "show", "payment", work)).stdout
        assert "by payments.step_begun at position" in shown
        assert one["failure"] in shown
        retried = await daybook("processes", "retry", "payment", work)
        assert (retried.exit_code, retried.stdout) == (0, f"{work} is done.\n"), retried.output
        assert [charge.refunded for charge in shop.gateway.charges(order_id)] == [300]

    in_shop(scenario)


def test_work_that_is_not_there_or_not_due_is_not_tried(in_shop: Any) -> None:
    async def scenario(shop: Shop, daybook: Run) -> None:
        order_id = await sold(shop, sent=False)
        timer = f"{order_id}/0"
        await eventually(daybook, lambda result: timer in result.stdout, "processes", "list", "hold_expiry")
        early = await daybook("processes", "retry", "hold_expiry", timer)
        assert (early.exit_code, early.stderr[:60]) == (1, f"Error: {timer} is not due"[:60])
        gone = await daybook("processes", "retry", "payment", "checkout-a/1")
        assert (gone.exit_code, gone.stderr) == (1, "Error: checkout-a/1 is not open work of payment\n")
        unfit = await daybook("processes", "show", "payment", "checkout-a")
        assert unfit.exit_code == 2
        assert (await daybook("processes", "retry", "owed", timer)).exit_code == 2

    in_shop(scenario)
