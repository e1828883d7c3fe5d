"""Batches of coupons: exactly as many codes as were requested, each issued once, whatever comes between."""

from __future__ import annotations

import asyncio
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from aggregates.promotions import batch
from aggregates.promotions.events import (
    BatchCompleted,
    BatchProgressed,
    BatchRequested,
    CouponIssued,
)
from commands.handlers.cart import OpenCart, RemoveItem
from commands.handlers.promotions import IssueCodes, IssueCoupon, RequestBatch
from commands.handlers.registry import HANDLERS
from commands.handlers.terms import DefinePromotion
from commands.loop.decision import Actor, Context
from commands.loop.handling import Handling
from commands.processes.coupon_batches import ALPHABET, CODES_AT_ONCE, CouponBatches, new_suffixes
from event_store.memory.log import MemoryLog
from tests.processes.test_kills import Lives
from tests.promotions.given import PROMOTION, UNITS
from tests.shop.commands import Shop, eventually
from tests.shop.facts import CODEC, NOON
from tests.shop.log import events

BATCH = "b" * 32


async def request(shop: Shop, count: int, batch_id: str = BATCH, prefix: str = "X-") -> None:
    await shop.do(DefinePromotion(promotion=PROMOTION, units=UNITS, at=NOON))
    requested = BatchRequested(batch_id=batch_id, promotion_id="welcome", count=count, prefix=prefix)
    await shop.do(RequestBatch(requested=requested, at=NOON))


def issued(shop: Shop, batch_id: str = BATCH) -> list[CouponIssued]:
    found = events(shop.log, "promotions.coupon_issued")
    return [event for event in found if event.batch_id == batch_id]


def is_completed(shop: Shop, batch_id: str = BATCH) -> bool:
    return BatchCompleted(batch_id=batch_id) in events(shop.log, "promotions.batch_completed")


def check(shop: Shop, count: int, batch_id: str = BATCH) -> None:
    """Each code once, exactly as many as were requested, and counted right at every step."""
    codes = Counter(event.code for event in issued(shop, batch_id))
    assert (len(codes), codes.total()) == (count, count)
    story = [event for event in shop.story()[batch.stream(batch_id)] if not isinstance(event, BatchRequested)]
    assert story[-1] == BatchCompleted(batch_id=batch_id)
    steps = [*range(CODES_AT_ONCE, count, CODES_AT_ONCE), count]
    assert story[:-1] == [BatchProgressed(batch_id=batch_id, issued=step) for step in steps]


def test_a_batch_is_issued_in_parts_and_each_code_is_for_one_order(shop: Shop) -> None:
    async def run() -> None:
        async with shop.open() as one:
            await request(one, 2_500)
            async with one.managers(kinds=[CouponBatches()]):
                await eventually(lambda: is_completed(one), lambda: len(issued(one)))

    asyncio.run(run())
    check(shop, 2_500)
    for event in issued(shop):
        assert re.fullmatch(f"X-[{ALPHABET}]{{12}}", event.code)
        assert event == CouponIssued(
            code=event.code, promotion_id="welcome", batch_id=BATCH, uses_max=1, ends_at=None
        )


def test_batches_that_are_requested_at_once_are_issued_each(shop: Shop) -> None:
    counts = {"1" * 32: 1, "2" * 32: 1_000, "3" * 32: 1_001}

    async def run() -> None:
        async with shop.open() as one, one.managers(kinds=[CouponBatches()]):
            for batch_id, count in counts.items():
                await request(one, count, batch_id)
            await eventually(
                lambda: all(is_completed(one, batch_id) for batch_id in counts), lambda: len(issued(one))
            )

    asyncio.run(run())
    for batch_id, count in counts.items():
        check(shop, count, batch_id)


def test_the_codes_of_a_command_that_was_written_unknown_to_its_process_count(shop: Shop) -> None:
    async def run() -> None:
        async with shop.open() as one, shop.open() as other:
            await request(one, 1_500)
            answers = [IssueCodes(batch_id=BATCH, suffixes=new_suffixes(1_000)) for _ in range(4)]
            await asyncio.gather(*((one, other)[n % 2].do(command) for n, command in enumerate(answers)))

    asyncio.run(run())
    check(shop, 1_500)


def test_a_code_that_somebody_has_is_not_issued_again(shop: Shop) -> None:
    async def run() -> None:
        async with shop.open() as one, shop.open() as other:
            await request(one, 3)
            taken, *free = new_suffixes(4)
            theirs = CouponIssued(code=f"X-{taken}", promotion_id="welcome")
            await other.do(IssueCoupon(issued=theirs, at=NOON))  # which `one` has not read
            await one.do(IssueCodes(batch_id=BATCH, suffixes=(taken, *free)))
            assert [event.code for event in issued(one)] == [f"X-{suffix}" for suffix in free[:2]]
            await one.do(IssueCodes(batch_id=BATCH, suffixes=(taken, *free)))
            assert [event.code for event in issued(one)] == [f"X-{suffix}" for suffix in free[:2]]
            await one.do(IssueCodes(batch_id=BATCH, suffixes=free[2:]))

    asyncio.run(run())
    story = shop.story()[batch.stream(BATCH)]
    assert [event.issued for event in story if isinstance(event, BatchProgressed)] == [2, 3]
    assert is_completed(shop)


def test_no_stream_of_a_new_code_is_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    read_streams = shop.log.read_streams

    def noting(streams: Any, **more: Any) -> Any:
        read.extend(streams)
        return read_streams(streams, **more)

    monkeypatch.setattr(shop.log, "read_streams", noting)

    async def run() -> None:
        async with shop.open() as one:
            await request(one, 1_000)
            await one.do(IssueCodes(batch_id=BATCH, suffixes=new_suffixes(1_000)))

    asyncio.run(run())
    check(shop, 1_000)
    assert [stream for stream in read if stream.startswith("coupon")] == []


def test_codes_do_not_repeat_and_hold_no_letter_that_reads_as_another() -> None:
    suffixes = new_suffixes(5_000)
    assert len(set(suffixes)) == 5_000
    assert set("".join(suffixes)) == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert {len(suffix) for suffix in suffixes} == {12}


@pytest.mark.slow
def test_a_process_killed_at_any_step_is_followed_by_one_that_issues_the_rest(
    postgres_url: str, tmp_path: Path
) -> None:
    lives = Lives(postgres_url, tmp_path)
    count, steps = 2_500, 6  # three commands, and each append has a before and an after

    async def run(die_at: int) -> None:
        with lives.fresh() as (shop, dying):
            async with shop.open() as one:
                await request(one, count)
                with dying.working("coupon_batches", die_at=die_at) as process:
                    await asyncio.to_thread(process.join, 60)
                    assert process.exitcode == -signal.SIGKILL, dying.steps
                assert len(issued(one)) == min(count, die_at // 2 * CODES_AT_ONCE)
                with dying.working("coupon_batches"):
                    await eventually(lambda: is_completed(one), lambda: len(issued(one)))
                check(shop, count)

    for die_at in range(1, steps + 1):
        asyncio.run(run(die_at))


def test_codes_that_are_issued_do_not_push_carts_in_use_out_of_memory() -> None:
    log = MemoryLog()
    read: list[str] = []
    read_streams = log.read_streams

    def noting(streams: Any, **more: Any) -> Any:
        read.extend(streams)
        return read_streams(streams, **more)

    async def run() -> None:
        async with Handling(log, CODEC, HANDLERS, streams_max=20) as handling:

            async def do(command: Any) -> None:
                await handling.handle(command, Context(actor=Actor("operator", "test"), channel="test"))

            await do(DefinePromotion(promotion=PROMOTION, units=UNITS, at=NOON))
            await do(OpenCart(cart_id="c", currency="GBP"))
            requested = BatchRequested(batch_id=BATCH, promotion_id="welcome", count=90)
            await do(RequestBatch(requested=requested, at=NOON))
            for _ in range(3):
                await do(IssueCodes(batch_id=BATCH, suffixes=new_suffixes(30)))
            log.read_streams = noting  # type: ignore[method-assign]
            await do(RemoveItem(cart_id="c", sku="MUG", at=NOON, locked_until=NOON))

    asyncio.run(run())
    assert read == []
    assert len(events(log, "promotions.coupon_issued")) == 90
