"""An order's history as a person reads it: by command, each with who asked and when, in the log's order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from replays.order.history import HistoryEvent
from replays.order.moments import format_time
from replays.order.words import Titles, tell, titles_of

_KINDS = {"credit_note": "credit note"}


def story(events: Sequence[HistoryEvent]) -> Iterator[str]:
    """The lines of the story, without line ends."""
    titles = titles_of(moment.event for moment in events)
    for _, group in groupby(events, key=lambda moment: moment.recorded.command_id):
        chapter = list(group)
        yield ""
        yield _heading(chapter[0])
        for moment in chapter:
            yield from _told(moment, titles)


def _heading(moment: HistoryEvent) -> str:
    recorded = moment.recorded
    when = format_time(recorded.valid_at)
    if recorded.valid_at != recorded.recorded_at:
        when += f" (written down {format_time(recorded.recorded_at)})"
    if moment.command is None:
        return f"{when}  {actor_in_words(recorded.actor)}; the journal has no row for this command"
    name = moment.command.name.replace("_", " ")
    return f"{when}  {name}, by {actor_in_words(recorded.actor)}, channel {moment.command.channel}"


def _told(moment: HistoryEvent, titles: Titles) -> Iterator[str]:
    kind = moment.recorded.stream.partition("-")[0]
    sentence, *details = tell(moment.event, titles)
    yield f"  {moment.recorded.position:>9}  {_KINDS.get(kind, kind):<11}  {sentence}"
    for detail in details:
        yield f"{'':26}{detail}"


def actor_in_words(actor: str) -> str:
    """`operator:alice` is `operator alice`, `anonymous:` is `anonymous`."""
    return actor.replace(":", " ", 1).strip()
