"""`daybook sql` at a terminal: a question after another, with history."""

from __future__ import annotations

import readline
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from replays.duckdb.formats import FORMATS
from replays.duckdb.questions import EVENTS, Questions, SqlError, view_of
from replays.duckdb.views import ready_made
from replays.export.tables import event_tables

HELP = """\
A question ends with a semicolon:  SELECT * FROM orders LIMIT 3;
  .tables          what may be asked
  .columns NAME    the columns of one of those
  .format NAME     table, csv or json
  .refresh         take in what is new in the log
  .help  .quit     this; the end (Ctrl-D)
Ctrl-C gives up what is being typed or worked out."""

_HISTORY_MOST = 1_000


class Shell:
    """Reads questions from standard input until its end."""

    def __init__(self, ask: Callable[[], Questions], history: Path) -> None:
        """`ask` opens the events as they are at that moment."""
        self._ask, self._history = ask, history
        self._questions = ask()
        self._format = "table"
        self._at_terminal = sys.stdin.isatty()

    def run(self) -> None:
        if self._at_terminal:
            self._recall()
            click.echo("Questions in SQL about the log; .help says more.", err=True)
        typed = ""
        try:
            while True:
                try:
                    line = self._read("     > " if typed else "daybook> ")
                except KeyboardInterrupt:
                    click.echo(err=True)
                    typed = ""
                    continue
                except EOFError:
                    break
                if not typed and line.startswith("."):
                    if self._command(*line.split()):
                        break
                    continue
                typed = f"{typed}{line}\n" if typed or line.strip() else ""
                if typed.rstrip().endswith(";"):
                    self._answer(typed)
                    typed = ""
            if typed.strip():  # The end of the input ends the last question, too.
                self._answer(typed)
        finally:
            self._questions.close()
            if self._at_terminal:
                click.echo(err=True)
                with suppress(OSError):
                    readline.write_history_file(self._history)

    def _read(self, prompt: str) -> str:
        if self._at_terminal:
            return input(prompt)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")

    def _recall(self) -> None:
        readline.set_history_length(_HISTORY_MOST)
        with suppress(OSError):
            readline.read_history_file(self._history)
        names = sorted([*(view.name for view in ready_made()), EVENTS.name, *map(view_of, event_tables())])

        def complete(text: str, state: int) -> str | None:
            return next(iter([name for name in names if name.startswith(text)][state : state + 1]), None)

        readline.set_completer(complete)
        readline.parse_and_bind("tab: complete")

    def _answer(self, sql: str) -> None:
        try:
            for answer in self._questions.answers(sql):
                answer.give(lambda rows: FORMATS[self._format](rows, sys.stdout.buffer))
                sys.stdout.buffer.flush()
        except SqlError as error:
            click.echo(error, err=True)
        except KeyboardInterrupt:
            click.echo("given up", err=True)

    def _command(self, name: str, argument: str = "", *_: str) -> bool:
        """Whether it is the last one."""
        match name:
            case ".quit" | ".exit":
                return True
            case ".tables":
                for view in (*ready_made(), EVENTS):
                    click.echo(f"{view.name:16} {view.about}")
                click.echo("and a table for each type of event:")
                click.echo(click.wrap_text(" ".join(map(view_of, event_tables())), 100, "  ", "  "))
            case ".columns" if argument:
                self._answer(
                    f'SELECT column_name, column_type FROM (DESCRIBE "{argument.replace(chr(34), "")}")'
                )
            case ".format" if argument in FORMATS.keys() - {"parquet"}:
                self._format = argument
            case ".refresh":
                fresh = self._ask()
                self._questions.close()
                self._questions = fresh
            case ".help":
                click.echo(HELP)
            case _:
                click.echo(HELP, err=True)
        return False
