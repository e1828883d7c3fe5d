"""What every context shares: money, refusals, and how an event type is declared.

Standard library only. No context imports another; what two contexts must both know stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, ClassVar, Literal, NamedTuple

from aggregates.currencies import minor_digits

Sku = str
"""A variant's stock keeping unit: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, case kept."""
OrderId = str
CartId = str
LineId = str

MAIN = "main"
"""The location stock lies at where a shop has only one."""

LINE_HALF_EVEN = "line_half_even"
"""The rounding policy: each line's exact total is rounded half-even to the minor unit, then summed."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in a currency's minor unit (pence, cents, yen): `Money(1299, "GBP")` is £12.99."""

    amount: int
    currency: str

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def _same_currency(self, other: Money) -> None:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")

    @staticmethod
    def sum(amounts: Iterable[Money], currency: str) -> Money:
        """The sum in `currency`; zero when there is nothing to add."""
        total = Money(0, currency)
        for amount in amounts:
            total += amount
        return total


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """The price of one unit, exact and in major units, which may be finer than the minor unit.

    `UnitPrice(Decimal("2.555"), "GBP")` is two pounds and 55.5 pence.
    """

    exact: Decimal
    currency: str

    @staticmethod
    def of(money: Money) -> UnitPrice:
        """The unit price that is a whole number of minor units."""
        return UnitPrice(Decimal(money.amount).scaleb(-minor_digits(money.currency)), money.currency)

    def times(self, quantity: int) -> Money:
        """The total for `quantity` units, rounded half-even to the minor unit."""
        return Money(round(self.exact * (quantity * 10 ** minor_digits(self.currency))), self.currency)

    @property
    def is_whole(self) -> bool:
        """Whether the price is a whole number of minor units."""
        minor = self.exact.scaleb(minor_digits(self.currency))
        return minor == minor.to_integral_value()


def allocate(total: Money, weights: list[int]) -> list[Money]:
    """Shares of `total` in proportion to `weights`, by largest remainder; they sum to `total`."""
    total_weight = sum(weights)
    if total_weight <= 0:
        raise ValueError("weights must sum to more than zero")
    floors = [total.amount * weight // total_weight for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total.amount * weights[i] % total_weight), i))
    for i in by_remainder[: total.amount - sum(floors)]:
        floors[i] += 1
    return [Money(amount, total.currency) for amount in floors]


class StreamKind(NamedTuple):
    """Streams of one kind: how they are named, `<kind>-<id>`, and how they are folded."""

    name: str
    initial: Callable[[], Any]
    evolve: Callable[[Any, Any], Any]

    def __call__(self, identity: str) -> str:
        """The name of one's stream."""
        return f"{self.name}-{identity}"

    def fold(self, state: Any, events: Iterable[Any]) -> Any:
        """The state after the events; changes it in place."""
        for event in events:
            state = self.evolve(state, event)
        return state


PROBLEM_MEMBERS = frozenset({"type", "title", "status", "detail", "instance"})
"""The members that RFC 9457 gives every problem. A fact of the same name would take their place."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a command is refused. Each subclass is one stable problem type; its fields are its facts.

    `about` names the part of the request that is wrong or missing, where it is one. Where it is `field`, the
    fact of that name says which part, and the fact `why` what is wrong with it.
    `advice` says to people what the fact `why` means and what would help, by its value.
    TypeError for a fact that bears the name of one of the `PROBLEM_MEMBERS`.
    """

    about: ClassVar[str | None] = None
    advice: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        if taken := PROBLEM_MEMBERS & cls.__annotations__.keys():
            raise TypeError(f"{cls.__name__}: {', '.join(sorted(taken))} would hide a member of the problem")

    def in_words(self) -> Mapping[str, object]:
        """The facts as a sentence for people gives them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Rejected(Exception):  # noqa: N818 - the field's word; a refusal is an expected outcome
    """A decision refused. `reason` is a frozen value that tests compare whole."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class EventType:
    """How one class of events is stored: under which name and schema number, and whose data it holds.

    `personal` names the fields that are encrypted, `subject` whose key does it. `upcasters` turn the
    JSON of number 1 into that of number 2, and so on up to `schema_number`: one for each number but the last.
    They get personal fields opened, or None where the key is not at hand. From number `bound_from` on what is
    personal is sealed for its place; before, it was sealed for its subject alone, or not sealed at all.
    """

    name: str
    schema_number: int
    cls: type[Any]
    personal: tuple[str, ...] = ()
    subject: Callable[[Any], str] | None = None
    upcasters: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = ()
    bound_from: int = 1


def unchanged(data: dict[str, Any]) -> dict[str, Any]:
    """The upcaster of a number that only allows more: what was stored before reads as it is."""
    return data


@dataclass(frozen=True, slots=True)
class UnknownProduct(Reason):
    """No such product"""

    sku: Sku


@dataclass(frozen=True, slots=True)
class NotForSale:
    """A product that is not sold any more (`delisted`), or now for another `currency`."""

    sku: Sku
    why: Literal["delisted", "other_currency"]
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class ProductNotOnSale(Reason):
    """The product is no longer on sale as it was

    `products` are all that are meant, `sku` the first of them.
    """

    sku: Sku
    products: tuple[NotForSale, ...] = ()

    def __post_init__(self) -> None:
        if not self.products:
            object.__setattr__(self, "products", (NotForSale(self.sku, "delisted"),))


@dataclass(frozen=True, slots=True)
class WrongCurrency(Reason):
    """The amount is in another currency"""

    asked: str
    expected: str


@dataclass(frozen=True, slots=True)
class PriceMissing(Reason):
    """The product has no price in this currency for this market"""

    sku: Sku
    currency: str
    market: str
