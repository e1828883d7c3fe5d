"""One customer: the groups they belong to, and what their taxes follow from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from aggregates.customers.events import CustomerEvent, GroupsSet, TaxStatusSet
from aggregates.kernel import StreamKind


@dataclass(slots=True)
class Customer:
    """`tax_status` None: taxed as anybody."""

    groups: tuple[str, ...] = ()
    tax_status: TaxStatusSet | None = None


def initial() -> Customer:
    """A customer of whom nothing is known."""
    return Customer()


def evolve(customer: Customer, event: CustomerEvent) -> Customer:
    """The customer after the event; changes it in place."""
    match event:
        case GroupsSet(groups=groups):
            customer.groups = groups
        case TaxStatusSet():
            customer.tax_status = event
        case _:
            assert_never(event)
    return customer


stream = StreamKind("customer", initial, evolve)


def set_groups(customer: Customer, *, customer_id: str, groups: tuple[str, ...]) -> tuple[CustomerEvent, ...]:
    """Puts the customer into these groups, and no others."""
    if customer.groups == groups:
        return ()
    return (GroupsSet(customer_id=customer_id, groups=groups),)


def set_tax_status(customer: Customer, *, status: TaxStatusSet) -> tuple[CustomerEvent, ...]:
    """Gives the customer this status."""
    if customer.tax_status == status:
        return ()
    return (status,)
