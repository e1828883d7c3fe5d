"""The command line: joins the packages' own sub-commands, each loaded only when it is asked for."""

from __future__ import annotations

import importlib

import click

LAZY_COMMANDS = {  # name: (module, attribute, what `--help` says)
    "import": ("commands.importing.cli", "import_group", "Load a real shop's books."),
    "replays": ("replays.cli", "replays_group", "Histories, states as of then, and proofs."),
    "projections": ("projections.cli", "projections_group", "Read models: where they stand, rebuilding."),
}


class LazyGroup(click.Group):
    """A group whose sub-commands' modules are imported when one of them is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *LAZY_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LAZY_COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = LAZY_COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a click command")
        return command


@click.group(cls=LazyGroup)
def main() -> None:
    """Daybook: the shop's book of original entry."""
