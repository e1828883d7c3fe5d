"""What is checked of rules of several kinds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from aggregates.currencies import MINOR_DIGITS
from aggregates.kernel import Rejected
from aggregates.pricing.rules import MAIN_MARKET, WHOLE, Amounts, Ppm, Terms
from aggregates.terms.reasons import RuleKind, TooManyRules, UnknownRule

RULES_MAX = 2_000
"""Rules of one kind in force at once."""


class Unfit(Exception):  # noqa: N818 - becomes the reason of a refusal
    """A part of a rule that can never hold, and why: `why` goes on after the part's name."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field} {why}")
        self.field = field
        self.why = why


def check_count(kind: RuleKind, rules: Collection[str], rule_id: str) -> None:
    """Rejected where one more would be too many."""
    if rule_id not in rules and len(rules) >= RULES_MAX:
        raise Rejected(TooManyRules(kind, RULES_MAX))


def is_retired(kind: RuleKind, rules: Mapping[str, Any], retired: Collection[str], rule_id: str) -> bool:
    """Whether the rule held once and holds no more. Rejected where it never did."""
    if rule_id in rules:
        return False
    if rule_id in retired:
        return True
    raise Rejected(UnknownRule(kind, rule_id))


def check_window(starts_at: datetime | None, ends_at: datetime | None, *, at: datetime) -> None:
    """Unfit where the window never opens, or is over at `at`."""
    if ends_at is not None and starts_at is not None and ends_at <= starts_at:
        raise Unfit("ends_at", "is not after starts_at")
    if ends_at is not None and ends_at <= at:
        raise Unfit("ends_at", "is over")


def check_days(field: str, starts_on: date | None, ends_on: date | None) -> None:
    """Unfit where no day is from `starts_on` until before `ends_on`."""
    if starts_on is not None and ends_on is not None and ends_on <= starts_on:
        raise Unfit(f"{field}.ends_on", "is not after starts_on")


def check_each_once(field: str, values: Iterable[str]) -> None:
    """Unfit where one is there twice."""
    seen: set[str] = set()
    for n, value in enumerate(values):
        if value in seen:
            raise Unfit(f"{field}.{n}", "is there twice")
        seen.add(value)


def check_markets(markets: tuple[str, ...], rules: Terms) -> None:
    """Unfit where one is not defined. `main` needs no definition."""
    check_each_once("markets", markets)
    for n, market_id in enumerate(markets):
        if market_id not in rules.markets and market_id != MAIN_MARKET:
            raise Unfit(f"markets.{n}", "is no market that is defined")


def currencies_of(markets: tuple[str, ...], rules: Terms) -> frozenset[str] | None:
    """Those that the markets sell in; None for all of them."""
    found: set[str] = set()
    for market_id in markets:
        if market_id not in rules.markets:
            return None
        found.update(rules.markets[market_id].currencies)
    return frozenset(found) if markets else None


def countries_of(markets: tuple[str, ...], rules: Terms) -> frozenset[str] | None:
    """Those that the markets sell to; None for all of them."""
    found: set[str] = set()
    for market_id in markets:
        if market_id not in rules.markets:
            return None
        found.update(rules.markets[market_id].countries)
    return frozenset(found) if markets else None


def check_currency(field: str, currency: str) -> None:
    """Unfit where ISO 4217 does not list it."""
    if currency not in MINOR_DIGITS:
        raise Unfit(field, "is no ISO 4217 currency code")


def check_amounts(field: str, amounts: Amounts, *, least: int = 1) -> None:
    """Unfit for amounts in no currency at all, or below `least`."""
    if not amounts:
        raise Unfit(field, "names no currency")
    for currency, amount in amounts.items():
        check_currency(f"{field}.{currency}", currency)
        if amount < least:
            raise Unfit(f"{field}.{currency}", f"is below {least}")


def check_same_currencies(field: str, amounts: Amounts, expected: Iterable[str]) -> None:
    """Unfit where the amounts are in other currencies than those."""
    if set(amounts) != set(expected):
        raise Unfit(field, f"is not in the same currencies as the others: {', '.join(sorted(expected))}")


def check_percent(field: str, percent: Ppm, *, least: Ppm = 1) -> None:
    """Unfit below `least` and over 100 %."""
    if percent < least:
        raise Unfit(field, "is 0" if percent == 0 else "is below 0")
    if percent > WHOLE:
        raise Unfit(field, "is over 100 %")


def check_ascending(field: str, before: int | None, now: int) -> None:
    """Unfit where a tier does not start above the one before it."""
    if before is not None and now <= before:
        raise Unfit(field, "does not start above the tier before")
