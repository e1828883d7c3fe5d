"""Codes of gift cards are answered, and stored nowhere: not in the log, the journal, Redis or a log file."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.shop.http import CHECKOUT, product_body
from tests.system.running import RunningSystem, call
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="daybook-codes-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def issued_spent_and_sold(base: str) -> tuple[list[str], list[str]]:
    """The codes of a gift card that was issued and one that was sold; and their accounts' ids."""

    def done(path: str, body: dict[str, Any]) -> Any:
        status, answer = call(f"{base}/api/v1{path}", body, key=secrets.token_hex(16))
        assert status in (200, 201), answer
        return answer

    def cart_of(sku: str) -> str:
        cart_id: str = done("/carts", {"currency": "GBP"})["id"]
        done(f"/carts/{cart_id}/items", {"sku": sku, "quantity": 1})
        return cart_id

    card = done("/gift-cards", {"amount": {"amount": 5_000, "currency": "GBP"}})
    done("/gift-cards/balance", {"code": card["code"]})
    done("/products", product_body("GIFT") | {"gift_card": True})
    done("/products", product_body("MUG"))
    for sku in ("GIFT", "MUG"):
        done(f"/inventory/{sku}/receipts", {"quantity": 5, "reason": "delivery"})
    done(f"/carts/{cart_of('MUG')}/checkout", CHECKOUT | {"credits": [{"code": card["code"]}]})
    order = done(f"/carts/{cart_of('GIFT')}/checkout", CHECKOUT)
    path = f"/orders/{order['id']}/fulfilments"
    sent: dict[str, Any] = {}

    def is_sent() -> bool:
        status, answer = call(f"{base}/api/v1{path}", {"all": True}, key=secrets.token_hex(16))
        sent.update(answer)
        return status == 201

    wait_until(is_sent)  # once the payment is authorized
    (sold,) = sent["gift_cards"]
    return [card["code"], sold["code"]], [card["id"], sold["account_id"]]


def test_no_file_of_the_data_folder_has_a_code(folder: Path) -> None:
    system = RunningSystem(folder / "data")
    try:
        system.wait_ready()
        codes, accounts = issued_spent_and_sold(str(system.addresses["commands"]))
    finally:
        system.end()  # by then all is on disk
    files = [file for file in (folder / "data").rglob("*") if file.is_file()]
    contents = [file.read_bytes() for file in files]
    for account_id in accounts:
        assert any(account_id.encode() in content for content in contents)
    for code in codes:
        found = [
            file for file, content in zip(files, contents, strict=True) if code.encode() in content.upper()
        ]
        assert found == []
