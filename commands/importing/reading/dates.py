"""Which form a file's dates have: found from all of it, an option where no line decides."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import lru_cache
from zoneinfo import ZoneInfo

from commands.importing.reading.refusals import NotOnlineRetail, printable

ZONE = ZoneInfo("Europe/London")  # "local UK time, no zone": the data set's description
_TIME = r"(?:[ T](\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(?: ?([AP])\.?M\.?)?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.ASCII | re.IGNORECASE)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}|\d\d){_TIME}", re.ASCII | re.IGNORECASE)
_BACK = timedelta(days=1)


class DateForm(Enum):
    """What `--dates` takes: the order of year, month and day."""

    ISO = "iso"
    DAY_MONTH = "day-month"
    MONTH_DAY = "month-day"


@lru_cache(maxsize=4_096)
def read_date(text: str, form: DateForm) -> datetime | None:
    """The moment in UTC, of a clock in London; None where it is no date of this form."""
    local = _local(text, form)
    try:
        return None if local is None else local.replace(tzinfo=ZONE).astimezone(UTC)
    except OverflowError:
        return None


@lru_cache(maxsize=4_096)
def _local(text: str, form: DateForm) -> datetime | None:
    match = (_YEAR_FIRST if form is DateForm.ISO else _YEAR_LAST).fullmatch(text)
    if match is None:
        return None
    first, _, second, third, hour, minute, second_of_minute, half = match.groups()
    if form is DateForm.ISO:
        year, month, day = first, second, third
    elif form is DateForm.DAY_MONTH:
        day, month, year = first, second, third
    else:
        month, day, year = first, second, third
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half in "pP" else 0)
    try:
        return datetime(
            _year(year), int(month), int(day), hours, int(minute or 0), int(second_of_minute or 0)
        )
    except ValueError:
        return None


def _year(text: str) -> int:
    """Two digits are the years 1969 to 2068, as in POSIX."""
    year = int(text)
    return year if len(text) == 4 else year + (2000 if year < 69 else 1900)


@dataclass(slots=True)
class Order:
    """How dates of one form follow each other: where they go back by more than a day."""

    last: date | None = None
    back_at: list[int] = field(default_factory=list)  # line numbers, two at most

    def see(self, number: int, day: date) -> None:
        """Takes the next line's date."""
        if self.last is not None and self.last - day > _BACK and len(self.back_at) < 2:
            self.back_at.append(number)
        self.last = day


@dataclass(slots=True)
class DateEvidence:
    """The form of a file's dates, found from all of them. `place` names a line of the file by its number."""

    place: Callable[[int], str]
    orders: dict[DateForm, Order] = field(default_factory=lambda: {form: Order() for form in DateForm})
    _decisive: dict[DateForm, tuple[int, str]] = field(default_factory=dict)  # the first line that decides
    _open: tuple[int, str] | None = None  # the first that two forms read differently
    _year_last: tuple[int, str] | None = None  # the first that is no ISO date
    _before: str = ""

    def see(self, number: int, text: str) -> None:
        """Takes a line's date; what is no date of any form is ignored."""
        if text == self._before:
            return
        self._before = text
        days = {form: local.date() for form in DateForm if (local := _local(text, form)) is not None}
        for form, day in days.items():
            self.orders[form].see(number, day)
        if len(days) == 1:
            self._decisive.setdefault(next(iter(days)), (number, text))
        elif len(set(days.values())) == 2 and self._open is None:
            self._open = (number, text)
        if days and DateForm.ISO not in days and self._year_last is None:
            self._year_last = (number, text)

    def decide(self, wanted: DateForm | None) -> DateForm:
        """The file's form, which is `wanted` unless a line contradicts it.

        Raises NotOnlineRetail where one does, where lines contradict each other, and where none decides.
        """
        if wanted is not None:
            against = [line for form, line in self._decisive.items() if form is not wanted]
            if wanted is DateForm.ISO and self._year_last is not None:
                against.append(self._year_last)
            if against:
                raise NotOnlineRetail(
                    f"--dates {wanted.value} is contradicted by {self._shown(min(against))}"
                )
            return wanted
        if len(self._decisive) > 1 or (DateForm.ISO in self._decisive and self._year_last is not None):
            raise NotOnlineRetail(f"the dates contradict each other: {self._contradiction()}")
        for form in self._decisive:
            return form
        if self._open is not None:
            raise NotOnlineRetail(
                f"the dates may be day-month or month-day ({self._shown(self._open)}) and no line decides: "
                "say which with --dates day-month or --dates month-day (--dates iso is year-month-day)"
            )
        return DateForm.DAY_MONTH if self._year_last is not None else DateForm.ISO

    def _contradiction(self) -> str:
        lines = {f"is {form.value}": line for form, line in self._decisive.items()}
        if len(lines) == 1 and self._year_last is not None:
            lines["is not iso"] = self._year_last
        parts = sorted((line, verdict) for verdict, line in lines.items())
        return ", ".join(f"{self._shown(line)} {verdict}" for line, verdict in parts)

    def _shown(self, line: tuple[int, str]) -> str:
        number, text = line
        return f"{self.place(number)} ('{printable(text, 40)}')"
