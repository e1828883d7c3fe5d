"""Stripe's itemized balance report: a run of it is begun, waited for, and its file fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from commands.gateways.gateway import GatewayUnavailable, GatewayUnclear
from commands.gateways.stripe.calls import Calls, Reply
from commands.reconciliation.report import COLUMNS

if TYPE_CHECKING:
    from stripe.params.reporting import ReportRunCreateParams

REPORT_TYPE = "balance_change_from_activity.itemized.6"
POLL_SECONDS = 5.0
POLL_SECONDS_MAX = 60.0
RUN_SECONDS_MAX = 1800.0
"""Most runs take a few minutes. One that was given up is begun anew: it moves nothing."""


async def reported_until(calls: Calls) -> datetime:
    """See Gateway. Stripe prepares the data twice a day."""
    types = calls.client.v1.reporting.report_types
    answer = await calls.call("report_types.retrieve", lambda: types.retrieve_async(REPORT_TYPE))
    until = answer.body.get("data_available_end")
    if not isinstance(until, int) or isinstance(until, bool):
        raise _unreadable(answer)
    return datetime.fromtimestamp(until, UTC)


async def write_report(
    calls: Calls, *, since: datetime, until: datetime, to: BinaryIO, poll_seconds: float = POLL_SECONDS
) -> None:
    """See Gateway."""
    params: ReportRunCreateParams = {
        "report_type": REPORT_TYPE,
        "parameters": {
            "interval_start": int(since.timestamp()),
            "interval_end": int(until.timestamp()),
            "columns": list(COLUMNS),
        },
    }
    runs = calls.client.v1.reporting.report_runs
    answer = await calls.call("report_runs.create", lambda: runs.create_async(params))
    name = answer.body.get("id")
    if not isinstance(name, str):
        raise _unreadable(answer)
    try:
        async with asyncio.timeout(RUN_SECONDS_MAX):
            while answer.body.get("status") == "pending":
                await asyncio.sleep(poll_seconds)
                poll_seconds = min(2 * poll_seconds, POLL_SECONDS_MAX)
                answer = await calls.call("report_runs.retrieve", lambda: runs.retrieve_async(name))
    except TimeoutError:
        raise GatewayUnavailable("report_pending", request_id=answer.request_id) from None
    if answer.body.get("status") != "succeeded":
        raise GatewayUnavailable("report_failed", request_id=answer.request_id)
    result = answer.body.get("result")
    url = result.get("url") if isinstance(result, Mapping) else None
    if not isinstance(url, str):
        raise _unreadable(answer)
    await calls.download(url, to)


def _unreadable(answer: Reply) -> GatewayUnclear:
    return GatewayUnclear("unreadable_answer", request_id=answer.request_id)
