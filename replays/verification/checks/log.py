"""The log's own order: versions within each stream, time along the positions, commands and their journal."""

from __future__ import annotations

from dataclasses import dataclass

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
        self._runs: list[Run] = []

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

    def check_end(self) -> None:
        """Compares the last event with the last position that any command says it wrote."""
        # In this order: what is written between the two looks moves the head only.
        written = self._log.journal_head()
        head = self._log.head()
        if written > head:
            wrong = f"the journal's commands wrote up to {written}, the log ends at {head}"
            self._report(Finding(rule="journal", wrong=wrong, position=head + 1))

    def check_journal(self, *, all_seen: bool = False) -> None:
        """Compares the commands whose events have all been seen with their rows."""
        if all_seen and self._run is not None:
            self._runs.append(self._run)
            self._run = None
        runs, self._runs = self._runs, []
        if not runs:
            return
        rows = self._log.journal_rows(
            first_position=runs[0].first.position, last_position=runs[-1].last.position
        )
        by_command = {row.command_id: row for row in rows}
        for run in runs:
            self._compare(run, by_command.get(run.first.command_id))

    def _compare(self, run: Run, row: JournalRow | None) -> None:
        first, last = run.first, run.last
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
