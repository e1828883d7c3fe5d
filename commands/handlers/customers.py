"""Commands on customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aggregates.customers import customer
from aggregates.customers.customer import Customer
from aggregates.customers.events import CustomerEvent, TaxStatusSet
from aggregates.kernel import Rejected
from aggregates.orders.events import VatCheck
from aggregates.pricing.context import Exemption
from aggregates.terms.reasons import UnknownRule
from aggregates.terms.terms import MAIN_TERMS, TermsState
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class SetGroups:
    """Put a customer into these groups, and no others."""

    name: ClassVar = "set_groups"
    customer_id: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTaxStatus:
    """Say what a customer's taxes follow from: a VAT number of right form, what is known of it, and
    exemptions."""

    name: ClassVar = "set_tax_status"
    personal: ClassVar = ("vat_number",)
    customer_id: str
    vat_number: str | None = None
    vat_check: VatCheck | None = None  # None without a number
    exemptions: tuple[Exemption, ...] = ()


def handle_set_groups(cache: StateCache, command: SetGroups) -> Decision:
    """Sets the groups, each once and in the order of their names."""
    state: Customer = cache.state(customer.stream(command.customer_id))
    groups = tuple(sorted(set(command.groups)))
    return _decision(
        command.customer_id, customer.set_groups(state, customer_id=command.customer_id, groups=groups)
    )


def handle_set_tax_status(cache: StateCache, command: SetTaxStatus) -> Decision:
    """Sets the status. Areas of exemptions are tax areas that are defined."""
    states = cache.states((customer.stream(command.customer_id), MAIN_TERMS))
    terms: TermsState = states[MAIN_TERMS]
    for exemption in command.exemptions:
        if exemption.area_id not in terms.rules.tax_areas:
            raise Rejected(UnknownRule("tax_area", exemption.area_id))
    check = command.vat_check
    status = TaxStatusSet(
        customer_id=command.customer_id,
        vat_number=command.vat_number,
        vat_country=None if check is None else check.country,
        status="unchecked" if check is None else check.status,
        checked_at=None if check is None else check.checked_at,
        consultation=None if check is None else check.consultation,
        exemptions=command.exemptions,
    )
    state: Customer = states[customer.stream(command.customer_id)]
    decision = _decision(command.customer_id, customer.set_tax_status(state, status=status))
    if check is not None:
        decision.facts = {"vat_status": check.status}
    return decision


def _decision(customer_id: str, events: tuple[CustomerEvent, ...]) -> Decision:
    stream = customer.stream(customer_id)
    decision = Decision(id=customer_id, stream=stream)
    decision.add(stream, events)
    return decision


HANDLERS: Handlers = {SetGroups: handle_set_groups, SetTaxStatus: handle_set_tax_status}
