"""The form of a file's dates: found from all of it, named, asked for where no line decides."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands.importing.online_retail.records import Line, read_lines
from commands.importing.reading.dates import DateForm, read_date
from commands.importing.reading.reading import read_file
from commands.importing.reading.refusals import Damaged, NotOnlineRetail
from tests.importing.files import read_through, written

ISO, DAY_MONTH, MONTH_DAY = DateForm.ISO, DateForm.DAY_MONTH, DateForm.MONTH_DAY


def dated(folder: Path, *dates: str) -> Path:
    """A file with a line for each date."""
    return written(
        folder, *(f"{900001 + nth},70001,TIN,6,{date},2.55,100,UK" for nth, date in enumerate(dates))
    )


def days(path: Path, dates: DateForm | None = None) -> list[str]:
    """Each line's day, or what is wrong with it."""
    with read_file(path, dates=dates) as reading:
        lines = list(read_lines(reading))
    return [
        line.at.date().isoformat() if isinstance(line, Line) else line.reason
        for line in lines
        if isinstance(line, Line | Damaged)
    ]


@pytest.mark.parametrize(
    ("text", "form", "moment"),
    [
        ("2010-12-01 08:26:00", ISO, datetime(2010, 12, 1, 8, 26)),
        ("2010-12-01T08:26:00.000", ISO, datetime(2010, 12, 1, 8, 26)),
        ("2010/12/1 8:26", ISO, datetime(2010, 12, 1, 8, 26)),
        ("2010-12-01", ISO, datetime(2010, 12, 1)),
        ("1/12/2010 8:26", DAY_MONTH, datetime(2010, 12, 1, 8, 26)),
        ("12/1/2010 8:26", MONTH_DAY, datetime(2010, 12, 1, 8, 26)),
        ("01.12.2010 08:26:59", DAY_MONTH, datetime(2010, 12, 1, 8, 26, 59)),
        ("01-12-10 08:26", DAY_MONTH, datetime(2010, 12, 1, 8, 26)),
        ("12/1/10 8:26 AM", MONTH_DAY, datetime(2010, 12, 1, 8, 26)),
        ("12/1/2010 12:05:00 am", MONTH_DAY, datetime(2010, 12, 1, 0, 5)),
        ("12/1/2010 12:05 PM", MONTH_DAY, datetime(2010, 12, 1, 12, 5)),
        ("12/1/2010 8:26:30 p.m.", MONTH_DAY, datetime(2010, 12, 1, 20, 26, 30)),
        ("1/12/69 8:26", DAY_MONTH, datetime(1969, 12, 1, 8, 26)),
        ("1/12/68 8:26", DAY_MONTH, datetime(2068, 12, 1, 8, 26)),
    ],
)
def test_a_date_of_each_form(text: str, form: DateForm, moment: datetime) -> None:
    # London kept summer time all the year in 1969; and 2068's rules are today's.
    expected = moment.replace(tzinfo=UTC) if moment.year != 1969 else datetime(1969, 12, 1, 7, 26, tzinfo=UTC)
    assert read_date(text, form) == expected


@pytest.mark.parametrize(
    "text",
    [
        "12/1/2010 13:05 PM",
        "1/12/2010 24:00",
        "1/12-2010 8:26",
        "1/12/2010 8:26 XM",
        "1/12/210 8:26",
        "1/12/2010 8:26Z",
    ],
)
def test_what_is_no_date_of_any_form(text: str) -> None:
    assert all(read_date(text, form) is None for form in DateForm)


def test_any_line_decides_for_the_whole_file(tmp_path: Path) -> None:
    many = ["1/12/2010 8:26"] * 500
    assert days(dated(tmp_path, *many, "13/12/2010 08:26:00"))[:1] == ["2010-12-01"]
    assert days(dated(tmp_path, *many, "12/13/2010 08:26:00"))[:1] == ["2010-01-12"]
    with read_file(dated(tmp_path, *many, "13/12/10 8:26")) as reading:
        assert reading.outline.form is DAY_MONTH
        assert reading.outline.description.endswith(", dates day-month")


def test_what_no_line_decides_is_asked_for(tmp_path: Path) -> None:
    path = dated(tmp_path, "5/5/2010 8:00", "1/12/2010 8:26", "12/1/2010 8:26")
    with pytest.raises(NotOnlineRetail) as refusal:
        read_through(path)
    assert "line 3 ('1/12/2010 8:26')" in str(refusal.value)
    for named in ("--dates", "day-month", "month-day", "iso"):
        assert named in str(refusal.value)
    assert days(path, DAY_MONTH) == ["2010-05-05", "2010-12-01", "2010-01-12"]
    assert days(path, MONTH_DAY) == ["2010-05-05", "2010-01-12", "2010-12-01"]


def test_where_both_forms_say_the_same_nothing_is_asked(tmp_path: Path) -> None:
    assert days(dated(tmp_path, "5/5/2010 8:00", "6/6/2010 8:00")) == ["2010-05-05", "2010-06-06"]


def test_dates_that_contradict_each_other_are_named_with_their_lines(tmp_path: Path) -> None:
    for dates, lines in {
        ("1/2/2011 8:00", "13/12/2010 8:00", "12/14/2010 8:00"): (3, 4),
        ("2010-12-01 08:00:00", "1/2/2011 8:00"): (2, 3),
        ("13/12/2010 8:00", "5/5/2011 8:00", "2010-12-01 08:00:00"): (2, 4),
    }.items():
        with pytest.raises(NotOnlineRetail, match="the dates contradict each other") as refusal:
            read_through(dated(tmp_path, *dates))
        assert all(f"line {line} (" in str(refusal.value) for line in lines)


@pytest.mark.parametrize(
    ("form", "dates", "line"),
    [
        (MONTH_DAY, ("1/2/2011 8:00", "13/12/2010 8:00"), 3),
        (DAY_MONTH, ("1/2/2011 8:00", "12/13/2010 8:00"), 3),
        (DAY_MONTH, ("2010-12-01 08:00:00",), 2),
        (ISO, ("2010-12-01 08:00:00", "5/5/2010 8:00"), 3),
    ],
)
def test_a_form_that_was_given_and_is_contradicted_is_refused_with_the_line(
    tmp_path: Path, form: DateForm, dates: tuple[str, ...], line: int
) -> None:
    with pytest.raises(NotOnlineRetail, match=rf"--dates {form.value} is contradicted by line {line} \("):
        read_through(dated(tmp_path, *dates), dates=form)


def test_a_date_that_cannot_be_decides_nothing_and_is_damaged(tmp_path: Path) -> None:
    path = dated(tmp_path, "31/2/2011 8:00", "31/31/2011 8:00", "yesterday", "12/13/2010 8:00")
    assert days(path) == [
        "no date: '31/2/2011 8:00'",
        "no date: '31/31/2011 8:00'",
        "no date: 'yesterday'",
        "2010-12-13",
    ]
