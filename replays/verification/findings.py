"""What verification found: where, and what is wrong there."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from event_store.records import RecordedEvent


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that cannot be so in books that nobody harmed.

    `rule` is a stable name: table, position, version, decoding, time, journal, stream, stock, order, payment,
    price, limit, command.
    """

    rule: str
    wrong: str
    position: int | None = None
    stream: str | None = None

    def __str__(self) -> str:
        place = [f"position {self.position:,}"] if self.position is not None else []
        place += [self.stream] if self.stream is not None else []
        return f"{self.rule}: {' · '.join([*place, self.wrong])}"


Report = Callable[[Finding], None]


def at(recorded: RecordedEvent, rule: str, wrong: str) -> Finding:
    """A finding about one event."""
    return Finding(rule=rule, wrong=wrong, position=recorded.position, stream=recorded.stream)
