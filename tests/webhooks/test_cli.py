"""`daybook webhooks`: what an operator sees and does on the command line."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner, Result

from commands.webhooks.cli import webhooks_group
from event_store.postgres.log import PostgresLog
from tests.webhooks.receivers import in_turn, receiving, response, until
from tests.webhooks.sending import operating, receive, sending


@dataclass(frozen=True)
class Place:
    postgres_url: str


def run(url: str, *words: str) -> Result:
    return CliRunner().invoke(webhooks_group, list(words), obj=Place(url))


def said(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_operator_sees_and_does_the_same_as_over_http(fresh_postgres: str) -> None:
    async def scenario() -> tuple[str, list[int]]:
        async with receiving(in_turn(response(500), response(200))) as receiver, sending(log) as operator:
            endpoint_id = await operator.register(receiver.url())
            positions = receive(log, "stock-A", "stock-B")
            await until(lambda: sorted(receiver.positions) == positions)
            await until(lambda: log.pending_deliveries(endpoint_id) == [])
            return endpoint_id, positions

    log = PostgresLog.open(fresh_postgres)
    assert said(run(fresh_postgres, "list")) == "No endpoint is registered.\n"
    endpoint_id, positions = asyncio.run(scenario())
    listed = said(run(fresh_postgres, "list")).splitlines()
    assert listed[1].split()[:4] == [endpoint_id, "enabled", str(positions[-1]), "0"]
    deliveries = said(run(fresh_postgres, "deliveries", endpoint_id)).splitlines()
    assert [line.split()[0] for line in deliveries[1:]] == [str(one) for one in reversed(positions)]
    assert all("delivered 200" in line for line in deliveries[1:])
    found: list[dict[str, Any]] = json.loads(said(run(fresh_postgres, "deliveries", endpoint_id, "--json")))
    assert [len(one["attempts"]) for one in found] == [2, 2]
    one_of_two = run(fresh_postgres, "deliveries", endpoint_id, "--limit", "1")
    assert one_of_two.stderr == "There are more: --limit shows them.\n"
    assert (
        said(run(fresh_postgres, "deliveries", endpoint_id, "--state", "failed"))
        == "There are no deliveries.\n"
    )

    said(run(fresh_postgres, "disable", endpoint_id, "--reason", "It moves"))
    (shown,) = json.loads(said(run(fresh_postgres, "list", "--json")))
    assert (shown["status"], shown["disabled"]["detail"]) == ("disabled", "It moves")
    said(run(fresh_postgres, "replay", endpoint_id, "--from", str(positions[0])))
    said(run(fresh_postgres, "enable", endpoint_id))
    log.close()


def test_what_cannot_be_done_is_one_line(fresh_postgres: str) -> None:
    async def register() -> str:
        async with operating(log) as operator:
            return await operator.register("https://example.com/")

    log = PostgresLog.open(fresh_postgres)
    endpoint_id = asyncio.run(register())
    for words, why in (
        (("deliveries", "nobody"), "no endpoint is called nobody"),
        (("disable", "nobody"), "No such webhook endpoint: endpoint id nobody."),
        (("replay", endpoint_id, "--from", "99"), "The log has no event at this position yet"),
    ):
        result = run(fresh_postgres, *words)
        assert (result.exit_code, result.stdout) == (1, "")
        assert why in result.stderr
    assert log.head() == 1
    log.close()
