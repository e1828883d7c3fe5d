"""`daybook sandbox`: what shoppers, banks and the dashboard do, for whoever tries Daybook out.

It happens in the sandbox's ledger, in the data folder. The running system gets news of it, as it would of
Stripe's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import click

from aggregates.kernel import Money
from commands.gateways.gateway import GatewayError
from commands.gateways.sandbox.books import Books, Charge
from commands.gateways.stripe_amounts import to_stripe
from commands.reconciliation.cli import money, table


class Addresses(Protocol):
    """What the command line knows of the system (`ctx.obj`)."""

    data_dir: Path


@click.group("sandbox")
def sandbox_group() -> None:
    """The sandbox payment gateway: acting as the shopper, the bank, or an operator at its dashboard.

    Every command about an ORDER is about its last payment.
    """


ORDER = click.argument("order_id", metavar="ORDER")


@sandbox_group.command("charges")
@click.argument("order_id", metavar="[ORDER]", required=False)
@click.pass_obj
def charges_command(addresses: Addresses, order_id: str | None) -> None:
    """List payments, the oldest first."""
    with _books(addresses) as books:
        charges = books.charges(order_id)
    head = ("payment", "order", "method", "amount", "status", "captured", "refunded")
    click.echo(table(iter([head, *map(_row, charges)])) if charges else "There is none.")


@sandbox_group.command("pass")
@ORDER
@click.pass_obj
def pass_command(addresses: Addresses, order_id: str) -> None:
    """The shopper proves who they are."""
    _act(addresses, order_id, lambda books, charge: books.shopper_passes(charge.reference))


@sandbox_group.command("fail")
@ORDER
@click.pass_obj
def fail_command(addresses: Addresses, order_id: str) -> None:
    """The shopper does not prove who they are."""
    _act(addresses, order_id, lambda books, charge: books.shopper_fails(charge.reference))


@sandbox_group.command("lapse")
@ORDER
@click.pass_obj
def lapse_command(addresses: Addresses, order_id: str) -> None:
    """The bank lets go of the money that it holds."""
    _act(addresses, order_id, lambda books, charge: books.hold_lapses(charge.reference))


@sandbox_group.command("refund-fails")
@ORDER
@click.pass_obj
def refund_fails_command(addresses: Addresses, order_id: str) -> None:
    """The last refund comes back."""
    _act(addresses, order_id, lambda books, charge: books.refund_fails(_last(books, charge, "refund")))


@sandbox_group.command("refund-settles")
@ORDER
@click.pass_obj
def refund_settles_command(addresses: Addresses, order_id: str) -> None:
    """The last refund, which was pending, reaches the card."""
    _act(addresses, order_id, lambda books, charge: books.refund_settles(_last(books, charge, "refund")))


@sandbox_group.command("dispute")
@ORDER
@click.pass_obj
def dispute_command(addresses: Addresses, order_id: str) -> None:
    """The card holder disputes all that was taken."""

    def dispute(books: Books, charge: Charge) -> None:
        books.dispute(charge.reference, to_stripe(Money(charge.captured, charge.currency)))

    _act(addresses, order_id, dispute)


@sandbox_group.command("dispute-ends")
@ORDER
@click.argument("how", type=click.Choice(["won", "lost"]))
@click.pass_obj
def dispute_ends_command(addresses: Addresses, order_id: str, how: Literal["won", "lost"]) -> None:
    """The bank decides the last dispute."""
    _act(
        addresses,
        order_id,
        lambda books, charge: books.dispute_becomes(_last(books, charge, "dispute"), how),
    )


@sandbox_group.command("pay-out")
@click.pass_obj
def pay_out_command(addresses: Addresses) -> None:
    """The gateway pays our balance out; its news have the balance reconciled."""
    with _books(addresses) as books:
        books.pay_out()


def _act(addresses: Addresses, order_id: str, action: Callable[[Books, Charge], None]) -> None:
    with _books(addresses) as books:
        charges = books.charges(order_id)
        if not charges:
            raise click.ClickException(f"the sandbox knows no payment of order {order_id}")
        action(books, charges[-1])


def _last(books: Books, charge: Charge, kind: str) -> str:
    there: list[dict[str, Any]] = books.objects(charge.reference, kind)
    if not there:
        raise click.ClickException(f"the payment has no {kind}")
    return str(there[-1]["id"])


def _row(charge: Charge) -> tuple[str, ...]:
    amounts = (Money(one, charge.currency) for one in (charge.amount, charge.captured, charge.refunded))
    amount, captured, refunded = map(money, amounts)
    return charge.reference, charge.order_id, charge.method, amount, charge.status, captured, refunded


@contextmanager
def _books(addresses: Addresses) -> Iterator[Books]:
    path = addresses.data_dir / "sandbox.sqlite"
    if not path.exists():
        raise click.ClickException(f"there is no sandbox in {addresses.data_dir}")
    with closing(Books(path)) as books:
        try:
            yield books
        except GatewayError as error:
            raise click.ClickException(f"the sandbox refuses that: {error}") from error
