"""Which local day and hour a moment belongs to, by the shop's time zone."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from projections.view_settings import ViewSettings
from projections.views.registry import VIEWS
from projections.views.time_zone import DEFAULT, UnknownTimeZoneError, time_zone

LONDON = time_zone("Europe/London")
ZONES = (
    "UTC",
    "Europe/London",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Monrovia",
)


def hours_of(zone: str, day: date) -> list[str]:
    """The labels of a local day's hours, in the order of time."""
    rules = time_zone(zone)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    moments = (start + timedelta(minutes=15 * n) for n in range(4 * 54))
    return list(dict.fromkeys(rules.hour_of(each).local for each in moments if rules.day_of(each) == day))


def test_a_day_on_which_the_clocks_are_set_forward_has_23_hours() -> None:
    hours = hours_of("Europe/London", date(2026, 3, 29))
    assert len(hours) == 23
    assert hours[:3] == [
        "2026-03-29T00:00:00+00:00",
        "2026-03-29T02:00:00+01:00",
        "2026-03-29T03:00:00+01:00",
    ]


def test_a_day_on_which_the_clocks_are_set_back_has_25_hours() -> None:
    hours = hours_of("Europe/London", date(2026, 10, 25))
    assert len(hours) == 25
    assert hours[1:3] == ["2026-10-25T01:00:00+01:00", "2026-10-25T01:00:00+00:00"]


def test_other_days_have_24_hours() -> None:
    assert len(hours_of("Europe/London", date(2026, 3, 28))) == 24
    assert len(hours_of("UTC", date(2026, 3, 29))) == 24


def test_an_hour_begins_where_the_local_clock_says_so() -> None:
    hour = time_zone("Asia/Kathmandu").hour_of(datetime(2026, 3, 1, 10, 14, 59, tzinfo=UTC))
    assert hour == (datetime(2026, 3, 1, 9, 15, tzinfo=UTC), "2026-03-01T15:00:00+05:45")


def test_the_day_is_the_local_one() -> None:
    late = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)
    assert LONDON.day_of(late) == date(2026, 7, 1)
    assert DEFAULT.day_of(late) == date(2026, 6, 30)


@given(
    zone=st.sampled_from(ZONES),
    moment=st.datetimes(datetime(1850, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
def test_an_hour_holds_its_moment_and_its_label_is_its_instant(zone: str, moment: datetime) -> None:
    hour = time_zone(zone).hour_of(moment)
    assert -timedelta(minutes=1) < moment - hour.starts_at < timedelta(hours=1, minutes=1)
    assert datetime.fromisoformat(hour.local) == hour.starts_at
    assert hour.local[13:19] == ":00:00"
    assert len(hour.local) == len("2026-03-29T02:00:00+01:00"), "the offset has no seconds"


@pytest.mark.parametrize(
    "name",
    ["", "Mars", "europe/london", "London", "../../../etc/passwd", "zones", "Europe", "Europe/", "UTC\n"],
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimeZoneError, match="no IANA name"):
        time_zone(name)


def test_another_zone_is_another_fingerprint() -> None:
    fingerprints = [time_zone(name).fingerprint for name in ZONES]
    assert fingerprints[0] == 0
    assert len(set(fingerprints)) == len(ZONES)


def test_the_rules_of_the_machine_count_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    with monkeypatch.context() as patched:
        patched.setattr(zoneinfo, "TZPATH", ("/nonexistent",))
        zoneinfo.ZoneInfo.clear_cache()
        assert time_zone("Europe/London").hour_of(noon).local == "2026-07-01T13:00:00+01:00"


def test_the_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [view.model for view in ViewSettings().views] == [view.model for view in VIEWS]
    monkeypatch.setenv("DAYBOOK_TIME_ZONE", "Mars")
    with pytest.raises(ValidationError, match="'Mars' is no IANA name"):
        ViewSettings()
