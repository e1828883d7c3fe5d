"""The log's own order: versions within each stream, time along the positions, commands and their journal."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from event_store.errors import LogUnreadable
from event_store.records import EventReader, JournalRow, RecordedEvent
from replays.verification.findings import Finding, Report, at


@dataclass(slots=True)
class Run:
    """Events that follow each other and were written by one command."""

    first: RecordedEvent
    last: RecordedEvent


class LogCheck:
    """Every version is there once and in order; time never runs backwards; every command has its row."""

    def __init__(self, log: EventReader, report: Report) -> None:
        self._log = log
        self._report = report
        self._versions: dict[str, int] = {}
        self._previous: RecordedEvent | None = None
        self._run: Run | None = None
        self._runs: list[Run] = []  # to be compared with the journal
        self._journal: dict[UUID, JournalRow] | None = None  # of the last page; None where it cannot be read

    @property
    def streams(self) -> int:
        """How many streams were seen."""
        return len(self._versions)

    def see(self, recorded: RecordedEvent) -> bool:
        """Checks the event's place; True where it is the first of its command."""
        version = self._versions.get(recorded.stream, 0) + 1
        if recorded.version != version:
            wrong = f"version {recorded.version} where {version} must follow"
            self._report(at(recorded, "version", wrong))
        self._versions[recorded.stream] = recorded.version
        previous, self._previous = self._previous, recorded
        if previous is not None and recorded.recorded_at < previous.recorded_at:
            wrong = f"recorded at {recorded.recorded_at}, the event before it at {previous.recorded_at}"
            self._report(at(recorded, "time", wrong))
        run = self._run
        if run is not None and run.first.command_id == recorded.command_id:
            run.last = recorded
            return False
        if run is not None:
            self._runs.append(run)
        self._run = Run(first=recorded, last=recorded)
        return True

    def check_journal(self, rows: list[JournalRow] | LogUnreadable) -> None:
        """Compares the commands whose events have all been seen with a page's rows, or raises why not."""
        runs, self._runs, self._journal = self._runs, [], None
        if isinstance(rows, LogUnreadable):
            raise rows
        self._journal = {row.command_id: row for row in rows}
        for run in runs:
            self._compare(run, self._journal)

    def check_end(self) -> None:
        """Compares the last command with its row, and the last event with what the journal has written."""
        if self._run is not None and self._journal is not None:
            self._compare(self._run, self._journal)
        # In this order: what is written between the two reads moves the head only.
        written = self._log.journal_head()
        head = self._log.head()
        if written > head:
            wrong = f"the journal's commands wrote up to {written}, the log ends at {head}"
            self._report(Finding(rule="journal", wrong=wrong, position=head + 1))

    def _compare(self, run: Run, journal: dict[UUID, JournalRow]) -> None:
        first, last = run.first, run.last
        row = journal.get(first.command_id)
        if row is None or row.verdict != "accepted":
            wrong = f"the journal has no accepted command {first.command_id}"
            self._report(at(first, "journal", wrong))
            return
        if (row.first_position, row.last_position) != (first.position, last.position):
            wrong = (
                f"command {row.command_id} wrote {_span(row)}, says its row;"
                f" its events stand at {first.position} to {last.position}"
            )
            self._report(at(first, "journal", wrong))
        if not first.recorded_at == last.recorded_at == row.recorded_at:
            wrong = f"recorded at {first.recorded_at}, its command at {row.recorded_at}"
            self._report(at(first, "time", wrong))
        if (row.actor, row.correlation) != (first.actor, first.correlation):
            self._report(at(first, "journal", "the command's row names another actor or correlation"))


def _span(row: JournalRow) -> str:
    return f"positions {row.first_position} to {row.last_position}"
