"""One customer: the groups they belong to, and what their taxes follow from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from aggregates.customers.events import CustomerEvent, GroupsSet, TaxStatusSet
from aggregates.kernel import Reason, StreamKind


@dataclass(slots=True)
class Customer:
    """`tax_status` None: taxed as anybody. Its VAT number is not held here: `vat_country` says whether there
    is one."""

    groups: tuple[str, ...] = ()
    tax_status: TaxStatusSet | None = None


@dataclass(frozen=True, slots=True)
class VatNumberUnfit(Reason):
    """The VAT number has not the form of its country"""

    about: ClassVar[str | None] = "vat_number"


def initial() -> Customer:
    """A customer of whom nothing is known."""
    return Customer()


def evolve(customer: Customer, event: CustomerEvent) -> Customer:
    """The customer after the event; changes it in place."""
    match event:
        case GroupsSet(groups=groups):
            customer.groups = groups
        case TaxStatusSet():
            customer.tax_status = replace(event, vat_number=None)  # what is personal stays in the log
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
    """Gives the customer this status. One with a VAT number is always set: whether it is the one that was
    given before is not known."""
    before = customer.tax_status or TaxStatusSet(customer_id=status.customer_id)
    if status.vat_number is None and before == status:
        return ()
    return (status,)
