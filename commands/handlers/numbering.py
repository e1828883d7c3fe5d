"""The numbers that people call orders and credit notes by: each is unique, and reveals no other.

A number's stream is opened by the append that gives it, so two writers cannot give the same one: the second
decides anew and draws the next. Orders of before have no such stream; their numbers have ten digits, and
those drawn here eleven.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import count

from aggregates.kernel import OrderId
from aggregates.orders import number
from commands.loop.decision import Decision
from commands.loop.state_cache import StateCache

DIGITS = 11


def drawn_numbers(order_id: OrderId) -> Iterator[str]:
    """Numbers for the order, as from a lottery, but always the same for the same id."""
    for nth in count():
        drawn = int.from_bytes(hashlib.sha256(f"{order_id}/{nth}".encode()).digest(), "big")
        digits = f"{drawn % 10**DIGITS:0{DIGITS}d}"
        yield f"{digits[:3]}-{digits[3:7]}-{digits[7:]}"


def given_numbers(given: str) -> Iterator[str]:
    """The number that came with it; where another bears that, the same with a count: `536365/2`."""
    yield given
    for nth in count(2):
        yield f"{given}/{nth}"


def given_number(borne: str) -> str:
    """The number as it came, without the count."""
    return borne.partition("/")[0]


def order_number_stream(borne: str) -> str:
    """The stream that records whose the number is."""
    return number.order_stream(borne.replace("-", ""))


def number_order(cache: StateCache, decision: Decision, order_id: OrderId, numbers: Iterable[str]) -> str:
    """Adds to `decision` that the order bears the first of `numbers` that is free, and answers it."""
    for candidate in numbers:
        stream = order_number_stream(candidate)
        given = number.number_order(decision.after(stream, cache.state(stream)), order_id=order_id)
        if given is not None:
            decision.add(stream, given)
            return candidate
    raise ValueError("no number is free")


def number_credit_note(
    cache: StateCache, decision: Decision, credit_note_id: str, numbers: Iterable[str]
) -> str:
    """As `number_order`, for a credit note."""
    for candidate in numbers:
        stream = number.credit_note_stream(candidate)
        given = number.number_credit_note(
            decision.after(stream, cache.state(stream)), credit_note_id=credit_note_id
        )
        if given is not None:
            decision.add(stream, given)
            return candidate
    raise ValueError("no number is free")
