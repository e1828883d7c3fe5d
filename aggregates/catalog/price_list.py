"""A price list that has ended: how far its products' prices are withdrawn."""

from __future__ import annotations

from dataclasses import dataclass

from aggregates.catalog.events import ListPricesWithdrawn
from aggregates.kernel import StreamKind


@dataclass(slots=True)
class ListEnd:
    """`upto`: the position of the log up to which prices of the list were looked for; `done`: of all."""

    upto: int = 0
    done: bool = False


def initial() -> ListEnd:
    """A list whose prices nobody has begun to withdraw."""
    return ListEnd()


def evolve(end: ListEnd, event: ListPricesWithdrawn) -> ListEnd:
    """How far it is after the event; changes it in place."""
    end.upto = event.upto
    end.done = event.done
    return end


stream = StreamKind("price_list", initial, evolve)


def progress(
    end: ListEnd, *, list_id: str, after: int, upto: int, done: bool
) -> tuple[ListPricesWithdrawn, ...]:
    """Counts the prices that were set between both positions as withdrawn; nothing where the list's end has
    come to another position than `after`."""
    if end.done or end.upto != after:
        return ()
    return (ListPricesWithdrawn(list_id=list_id, upto=upto, done=done),)
