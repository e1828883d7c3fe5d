"""Times as an auditor types them."""

from datetime import UTC, datetime

import pytest

from replays.order.moments import parse_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01t12:00:00z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01 12:00:00.25+02:00", datetime(2026, 3, 1, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_rfc_3339_times_are_read_and_a_bare_date_ends_with_its_day(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00", "2026-03-01 12:00"])
def test_a_time_without_an_offset_is_refused_as_ambiguous(text: str) -> None:
    with pytest.raises(ValueError, match="does not say which clock"):
        parse_time(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-W09-7", "20260301", "1772366400"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize("text", ["2026-02-30", "2026-03-01T25:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_never_was_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no time that exists"):
        parse_time(text)
