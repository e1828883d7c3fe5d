"""`daybook payments`: what an operator does about the money."""

from __future__ import annotations

import click

from commands.operator.cli import catch_up_command, owed_command, retry_command, write_off_command
from commands.reconciliation.cli import reconcile_command, reconciliations_command, report_command


@click.group("payments")
def payments_group() -> None:
    """Money: what is owed and stuck, and what the gateway says of it."""


for command in (
    owed_command,
    retry_command,
    write_off_command,
    catch_up_command,
    reconcile_command,
    reconciliations_command,
    report_command,
):
    payments_group.add_command(command)
