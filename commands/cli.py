"""`daybook payments`: what an operator does about the money."""

from __future__ import annotations

import click

from commands.reconciliation.cli import reconcile_command, report_command


@click.group("payments")
def payments_group() -> None:
    """Payments: what the gateway's report says of them."""


payments_group.add_command(reconcile_command)
payments_group.add_command(report_command)
