"""Adding to a cart in a shop with 200 promotions, beside a shop without rules: CPU and responses a second.

Both shops run, and are loaded by `oha` in turn, several rounds of each kind of cart; every figure is the
median of its rounds. Carts have 3 lines, and the promotions are those of `pricing`.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import MISSING, fields, is_dataclass, replace
from decimal import Decimal
from typing import Any

import httpx

from aggregates.pricing.context import PricedLine
from tests.bench.pricing import PERCENT, cart_of, promotions
from tests.bench.storefront import CARTS, CONNECTIONS, ROUNDS, Route
from tests.system.running import RunningSystem, started

MARKET = "uk"
LINES = 3
RULES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/markets", {"market_id": MARKET, "countries": ["GB"], "currencies": ["GBP"]}),
    (
        "/tax-areas",
        {
            "area_id": "GB",
            "country": "GB",
            "rates": [
                {"tax_category": "standard", "components": [{"name": "VAT", "percent": 20}]},
                {"tax_category": "books", "components": [{"name": "VAT", "percent": 5}]},
            ],
        },
    ),
    (
        "/shipping-methods",
        {
            "method_id": "parcel",
            "label": "Parcel",
            "markets": [MARKET],
            "tiers": [{"price": {"GBP": 395}}, {"at_least": 2000, "price": {"GBP": 595}}],
        },
    ),
)
DELIVERY = {"country": "GB", "postal_code": "N1 1AA", "method_id": "parcel"}
WITHOUT = "no rules"


def main() -> None:
    """Prints the table."""
    goods = cart_of(LINES)
    with started() as plain, started() as ruled:
        for system in (plain, ruled):
            _list_products(system, goods)
        _define_rules(ruled)
        routes = {
            WITHOUT: _adding(plain, goods),
            "200 promotions, none for its market": _adding(ruled, goods),
            "200 promotions for its market": _adding(ruled, goods, market=MARKET),
            "the same, with shipping and tax": _adding(ruled, goods, market=MARKET, delivery=DELIVERY),
        }
        for route in routes.values():
            route.load(seconds=2.0)
            route.closed, route.cpu = [], []
        for _ in range(ROUNDS):
            for route in routes.values():
                route.load()
    _print(routes)


def _list_products(system: RunningSystem, goods: list[PricedLine]) -> None:
    for line in goods:
        assert line.traits is not None
        minor = int(line.tiers[0][1] * 100)
        product = {
            "sku": line.sku,
            "title": f"Thing {line.sku}",
            "price": {"amount": minor, "currency": "GBP"},
            "category": line.traits.category,
            "attributes": line.traits.attributes,
            "tax_category": line.traits.tax_category,
            "weight_grams": line.traits.weight_grams,
        }
        _send(system, "/products", product)


def _define_rules(system: RunningSystem) -> None:
    for path, body in RULES:
        _send(system, path, body)
    for one in promotions():
        _send(system, "/promotions", _body(replace(one, markets=(MARKET,))))


def _body(rule: Any) -> Any:
    """A rule as the API takes it: percentages in percent, and what has its default left out."""
    if isinstance(rule, tuple):
        return [_body(one) for one in rule]
    if not is_dataclass(rule):
        return rule
    body = {}
    for field in fields(rule):
        value = getattr(rule, field.name)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if value != default:
            body[field.name] = str(Decimal(value) / PERCENT) if field.name == "percent" else _body(value)
    return body


def _adding(
    system: RunningSystem,
    goods: list[PricedLine],
    *,
    market: str | None = None,
    delivery: dict[str, str] | None = None,
) -> Route:
    """Adding one of the goods to one of many carts."""
    opening = {"currency": "GBP"} | ({} if market is None else {"market": market})
    carts = [_send(system, "/carts", opening)["id"] for _ in range(CARTS)]
    if delivery is not None:
        for cart_id in carts:
            _send(system, f"/carts/{cart_id}/delivery", delivery, method="PUT")
    return Route(
        [f"{_base(system)}/carts/{cart_id}/items" for cart_id in carts],
        [json.dumps({"sku": line.sku, "quantity": 1}) for line in goods],
        [process.pid for process in system.children()["commands"]],
    )


def _send(system: RunningSystem, path: str, body: Any, method: str = "POST") -> dict[str, Any]:
    response = httpx.request(method, f"{_base(system)}{path}", json=body)
    if not response.is_success:
        raise SystemExit(f"{path}: {response.text}")
    found: dict[str, Any] = response.json()
    return found


def _base(system: RunningSystem) -> str:
    return f"{system.addresses['commands']}/api/v1"


def _print(routes: dict[str, Route]) -> None:
    plain = routes[WITHOUT]
    print(f"adding to carts of {LINES} lines, {CONNECTIONS} connections\n")
    print(f"| shop and cart | CPU µs | / {WITHOUT} | responses/s | / {WITHOUT} |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, route in routes.items():
        cpu, rate = statistics.median(route.cpu), route.median("rate")
        times, part = cpu / statistics.median(plain.cpu), rate / plain.median("rate")
        print(f"| {name} | {cpu:.0f} | {times:.2f} | {rate:,.0f} | {part:.2f} |")


if __name__ == "__main__":
    main()
