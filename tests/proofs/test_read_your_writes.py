"""Who reads with the position of its own command never sees its own past."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.system.running import started

CLIENTS = 4
WRITES = 10_000


def test_ten_thousand_writes_are_read_at_once() -> None:
    with started("--demo", "sample") as system:
        commands, query = system.addresses["commands"], system.addresses["read"]
        sku = httpx.get(f"{query}/api/v1/products?limit=1").json()["items"][0]["sku"]

        def write_and_read(client: int) -> Counter[str]:
            """Alternately strict and patient, of the cart; now and then of the product as searched for."""
            seen: Counter[str] = Counter()
            with httpx.Client(timeout=30) as http:
                opened = http.post(f"{commands}/api/v1/carts", json={"currency": "GBP"}).json()
                item = f"{commands}/api/v1/carts/{opened['id']}/items/{sku}"
                for turn in range(WRITES // CLIENTS):
                    quantity = turn % 900 + 1
                    wrote = http.put(item, json={"quantity": quantity})
                    assert wrote.is_success, wrote.text
                    headers = {"Daybook-Min-Position": wrote.headers["daybook-position"]}
                    if turn % 2:
                        headers["Prefer"] = "handling=strict"
                    read = http.get(f"{query}/api/v1/carts/{opened['id']}", headers=headers)
                    if read.status_code == 412:
                        assert turn % 2, "only who prefers it is refused"
                        seen["refused"] += 1
                        continue
                    assert read.status_code == 200, read.text
                    assert int(read.headers["daybook-view-position"]) >= int(
                        wrote.headers["daybook-position"]
                    )
                    assert read.json()["lines"][0]["quantity"] == quantity
                    seen["read"] += 1
                    if turn % 100 == client:
                        found = http.get(f"{query}/api/v1/search?q={sku}", headers=headers)
                        assert found.status_code in (200, 412)
                        if found.status_code == 200:
                            position = int(found.headers["daybook-view-position"])
                            assert position >= int(wrote.headers["daybook-position"])
            return seen

        with ThreadPoolExecutor(CLIENTS) as clients:
            seen = sum(clients.map(write_and_read, range(CLIENTS)), Counter[str]())
        print(seen)
        assert seen["read"] > 0.99 * WRITES
