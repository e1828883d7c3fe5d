"""Tries are counted by client: behind trusted proxies by the address that they forward, and by nothing that a
client says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from deploy.edge.settings import EdgeSettings
from event_store.memory.log import MemoryLog
from tests.shop.http import Shop, open_shop

PROXIES = "10.0.0.0/8, fd00::/8"
WRONG = {"code": "0" * 16}


def in_shop(
    folder: Path, scenario: Callable[[Shop], Awaitable[None]], *, peer: str, proxies: str | None = PROXIES
) -> None:
    """Two wrong codes a minute are let through."""

    async def run() -> None:
        edge = EdgeSettings(trusted_proxies=proxies)
        async with open_shop(MemoryLog(), folder, edge=edge, peer=peer, wrong_codes_per_minute=2) as shop:
            await scenario(shop)

    asyncio.run(run())


async def guess(shop: Shop, *forwarded: str, **other: str) -> int:
    """A wrong code's answer; each of `forwarded` is a header line."""
    headers = [("X-Forwarded-For", one) for one in forwarded] + list(other.items())
    answer: httpx.Response = await shop.client.post("/api/v1/gift-cards/balance", json=WRONG, headers=headers)
    return answer.status_code


def test_behind_a_proxy_each_client_has_its_own_count_of_wrong_codes(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        assert [await guess(shop, "203.0.113.7") for _ in range(3)] == [404, 404, 429]
        assert await guess(shop, "203.0.113.8") == 404
        assert await guess(shop) == 404  # The proxy itself.

    in_shop(tmp_path, scenario, peer="10.0.0.9")


@pytest.mark.parametrize(
    "lines",
    [
        ("198.51.100.1, 203.0.113.7",),
        ("198.51.100.2", "203.0.113.7"),
        ("198.51.100.3, 203.0.113.7, 10.1.1.1, 10.2.2.2",),
        ("nonsense, 203.0.113.7",),
        (", ,203.0.113.7, fd00::1",),
        ("203.0.113.7:4711, 10.1.1.1:80",),
    ],
)
def test_the_last_address_that_is_no_proxys_is_the_client_whatever_is_said_before_it(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    async def scenario(shop: Shop) -> None:
        assert [await guess(shop, "203.0.113.7") for _ in range(2)] == [404, 404]
        assert await guess(shop, *lines) == 429

    in_shop(tmp_path, scenario, peer="10.0.0.9")


def test_an_ipv6_client_is_its_network_however_it_changes_its_address(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        mine = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:1:abcd:ef01:2345:6789"]
        assert [await guess(shop, one) for one in mine] == [404, 404, 429]
        assert await guess(shop, "2001:db8:0:2::1") == 404
        assert [await guess(shop, "192.0.2.1"), await guess(shop, "192.0.2.1")] == [404, 404]
        assert await guess(shop, "::ffff:192.0.2.1") == 429

    in_shop(tmp_path, scenario, peer="fd00::9")


@pytest.mark.parametrize(("peer", "proxies"), [("203.0.113.7", PROXIES), ("10.0.0.9", None)])
def test_who_is_no_trusted_proxy_speaks_for_nobody(tmp_path: Path, peer: str, proxies: str | None) -> None:
    async def scenario(shop: Shop) -> None:
        statuses = [
            await guess(shop, f"198.51.100.{nth}", Forwarded=f"for=192.0.2.{nth}") for nth in range(3)
        ]
        assert statuses == [404, 404, 429]

    in_shop(tmp_path, scenario, peer=peer, proxies=proxies)
