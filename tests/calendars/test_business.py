"""Business time: weekly hours, lunch breaks, nights, holidays, clock changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from calendars import holidays
from calendars.business import Calendar, from_row, round_the_clock
from calendars.spans import CalendarError

LUNCH = "09:00-12:00,13:00-18:00"


@dataclass
class Row:
    time_zone: str = "UTC"
    weekly: dict[str, Any] = field(
        default_factory=lambda: {str(day): "09:00-18:00" for day in range(5)}
    )
    holidays: str | None = None
    closed_days: list[str] = field(default_factory=list)
    name: str = "Office"


def weekdays(hours: str, **more: Any) -> Calendar:
    return from_row(Row(weekly={str(day): hours for day in range(5)}, **more))


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def test_minutes_stop_at_lunch_and_at_the_weekend() -> None:
    calendar = weekdays(LUNCH)
    assert calendar.add_minutes(at("2026-03-06 11:30"), 60) == at("2026-03-06 13:30")
    assert calendar.add_minutes(at("2026-03-06 17:30"), 60) == at("2026-03-09 09:30")
    assert calendar.minutes_between(at("2026-03-06 17:30"), at("2026-03-09 09:30")) == 60
    assert calendar.minutes_between(at("2026-03-06 12:00"), at("2026-03-06 13:00")) == 0


def test_a_limit_that_ends_with_the_day_is_due_at_closing_time() -> None:
    assert weekdays(LUNCH).add_minutes(at("2026-03-06 17:00"), 60) == at("2026-03-06 18:00")


def test_a_message_at_night_counts_from_the_next_morning() -> None:
    calendar = weekdays("09:00-18:00", time_zone="Asia/Shanghai")
    night = at("2026-03-02 23:00", "Asia/Shanghai")
    assert calendar.add_minutes(night, 30) == at("2026-03-03 09:30", "Asia/Shanghai")
    assert calendar.next_open(night) == at("2026-03-03 09:00", "Asia/Shanghai")
    assert calendar.add_minutes(night, 30).tzinfo is UTC


def test_a_night_shift_belongs_to_the_day_it_begins_on() -> None:
    calendar = from_row(Row(weekly={"4": "22:00-06:00"}))
    assert calendar.is_open(at("2026-03-07 05:59"))
    assert not calendar.is_open(at("2026-03-07 06:00"))
    assert not calendar.is_open(at("2026-03-08 05:00"))
    assert calendar.minutes_between(at("2026-03-01"), at("2026-03-08")) == 8 * 60


def test_a_night_that_runs_into_morning_hours_is_counted_once() -> None:
    calendar = from_row(Row(weekly={"0": "20:00-10:00", "1": "08:00-12:00"}))
    assert calendar.minutes_between(at("2026-03-02"), at("2026-03-04")) == 16 * 60


def test_the_day_the_clocks_go_forward_is_an_hour_shorter() -> None:
    calendar = from_row(Row("Europe/Berlin", {str(day): "00:00-24:00" for day in range(7)}))
    start = at("2026-03-29 00:00", "Europe/Berlin")
    assert calendar.minutes_between(start, at("2026-03-30 00:00", "Europe/Berlin")) == 23 * 60
    autumn = at("2026-10-25 00:00", "Europe/Berlin")
    assert calendar.minutes_between(autumn, at("2026-10-26 00:00", "Europe/Berlin")) == 25 * 60
    assert calendar.add_minutes(autumn, 25 * 60) == at("2026-10-26 00:00", "Europe/Berlin")


def test_an_opening_the_clocks_skip_is_the_moment_of_the_change() -> None:
    calendar = from_row(Row("Europe/Berlin", {"6": "02:30-04:00"}))
    change = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert calendar.next_open(at("2026-03-29 00:00", "Europe/Berlin")) == change
    assert calendar.minutes_between(change - timedelta(hours=5), change + timedelta(hours=9)) == 60
    inside = from_row(Row("Europe/Berlin", {"6": "02:10-02:50,05:00-06:00"}))
    assert inside.minutes_between(change - timedelta(hours=5), change + timedelta(hours=9)) == 60


def test_a_public_holiday_and_a_closed_day_of_ones_own_are_closed() -> None:
    calendar = weekdays("09:00-18:00", holidays="US", closed_days=["2026-07-06"])
    # Saturday 4 July is observed on Friday 3 July.
    assert calendar.add_minutes(at("2026-07-02 17:30"), 60) == at("2026-07-07 09:30")


def test_chinese_make_up_workdays_are_worked_and_festivals_are_not() -> None:
    calendar = weekdays(LUNCH, time_zone="Asia/Shanghai", holidays="CN")
    # National Day 2026: off 1 to 7 October; worked Sunday 20 September and Saturday 10 October.
    assert calendar.is_open(at("2026-09-20 10:00", "Asia/Shanghai"))
    assert calendar.is_open(at("2026-10-10 10:00", "Asia/Shanghai"))
    assert not calendar.is_open(at("2026-10-10 12:30", "Asia/Shanghai"))
    assert not calendar.is_open(at("2026-10-11 10:00", "Asia/Shanghai"))
    eve = at("2026-09-30 17:30", "Asia/Shanghai")
    assert calendar.add_minutes(eve, 60) == at("2026-10-08 09:30", "Asia/Shanghai")
    assert calendar.minutes_between(eve, at("2026-10-12", "Asia/Shanghai")) == 30 + 3 * 480


def test_a_shop_that_opens_on_saturdays_keeps_its_own_hours_in_china() -> None:
    hours = {str(day): "09:00-18:00" for day in range(5)} | {"5": "10:00-12:00"}
    calendar = from_row(Row("Asia/Shanghai", hours, holidays="CN"))
    assert calendar.is_open(at("2026-10-17 11:00", "Asia/Shanghai"))
    assert not calendar.is_open(at("2026-10-03 11:00", "Asia/Shanghai"))
    assert not calendar.is_open(at("2026-10-10 13:00", "Asia/Shanghai"))


def test_years_without_a_notice_use_weekly_hours_and_say_so_once() -> None:
    holidays._say_unknown.cache_clear()
    last = holidays.known_until("CN")
    assert last is not None
    unknown = last.year + 1
    calendar = weekdays("09:00-18:00", time_zone="Asia/Shanghai", holidays="CN")
    with capture_logs() as logs:
        open_days = [
            calendar.is_open(datetime(unknown, 10, day, 2, tzinfo=UTC)) for day in range(1, 8)
        ]
    assert sum(open_days) == sum(date(unknown, 10, day).weekday() < 5 for day in range(1, 8))
    assert [(line["event"], line["year"]) for line in logs] == [("holidays_unknown", unknown)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Row(time_zone="Mars/Base"), "time_zone: 'Mars/Base' is not a time zone; write one like"),
        (Row(time_zone="../etc/passwd"), "time_zone: "),
        (Row(weekly={"monday": "09:00-18:00"}), "weekly: 'monday' is not a day; days are \"0\""),
        (Row(weekly={"0": "9-18"}), "weekly: Monday has '9-18', which is no span; write it like"),
        (Row(weekly={"0": "09:00-25:00"}), "weekly: Monday has '09:00-25:00'; times go from"),
        (Row(weekly={"1": "09:00-09:00"}), "weekly: Tuesday has '09:00-09:00', which is empty"),
        (Row(weekly={"2": "09:00-12:00,11:00-15:00"}), "weekly: Wednesday has spans that overlap"),
        (Row(weekly={"3": 9}), "weekly: Thursday must be text"),
        (Row(weekly={}), "weekly: no day has working hours"),
        (Row(holidays="XX"), "holidays: 'XX' is not a country we know holidays of"),
        (Row(closed_days=["24.12.2026"]), "closed_days: '24.12.2026' is not a date; write it like"),
    ],
)
def test_a_broken_calendar_names_the_field_and_the_fix(row: Row, message: str) -> None:
    with pytest.raises(CalendarError) as caught:
        from_row(row)
    assert str(caught.value).startswith(message)


def test_a_calendar_that_never_opens_says_so_instead_of_searching_for_ever() -> None:
    days = [(date(2026, 1, 5) + timedelta(weeks=week)).isoformat() for week in range(700)]
    calendar = from_row(Row(weekly={"0": "09:00-10:00"}, closed_days=days))
    with pytest.raises(CalendarError, match="does not open within ten years"):
        calendar.next_open(at("2026-03-02"))


def test_naive_moments_and_negative_minutes_are_refused() -> None:
    calendar = round_the_clock()
    with pytest.raises(ValueError, match="needs a time zone"):
        calendar.is_open(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="negative"):
        calendar.add_minutes(at("2026-01-01"), -1)


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Asia/Kolkata",
         "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"]  # fmt: skip
HOURS = [
    "",
    "09:00-18:00",
    LUNCH,
    "22:00-06:00",
    "00:00-24:00",
    "01:30-02:30",
    "23:00-02:15,12:00-13:00",
]
calendars = st.builds(
    lambda zone, days: from_row(Row(zone, {str(n): day for n, day in enumerate(days)})),
    st.sampled_from(ZONES),
    st.lists(st.sampled_from(HOURS), min_size=7, max_size=7).filter(any),
)
moments = st.datetimes(
    datetime(2011, 12, 20),
    datetime(2030, 1, 1),
    timezones=st.just(UTC),
)
clock_changes = st.sampled_from(
    [at("2026-03-29 01:00"), at("2026-10-25 01:00"), at("2026-03-08 07:00"), at("2026-11-01 06:00"),
     at("2026-04-04 15:00"), at("2011-12-30 10:00"), at("2018-11-04 03:00")]
).flatmap(
    lambda moment: st.integers(-3000, 3000).map(lambda n: moment + timedelta(minutes=n))
)  # fmt: skip
any_moment = moments | clock_changes
minutes = st.integers(0, 60 * 24 * 20) | st.floats(0, 5000).map(lambda n: round(n, 3))


@settings(max_examples=400, deadline=None)
@given(calendars, any_moment, minutes)
def test_the_minutes_added_are_the_minutes_between(
    calendar: Calendar, start: datetime, wanted: float
) -> None:
    due = calendar.add_minutes(start, wanted)
    assert due >= start
    assert calendar.minutes_between(start, due) == pytest.approx(wanted, abs=1e-4)


@settings(max_examples=300, deadline=None)
@given(calendars, any_moment, minutes, minutes)
def test_more_minutes_are_never_due_earlier(
    calendar: Calendar, start: datetime, less: float, more: float
) -> None:
    less, more = sorted((less, more))
    assert calendar.add_minutes(start, less) <= calendar.add_minutes(start, more)


@settings(max_examples=300, deadline=None)
@given(calendars, any_moment, st.integers(0, 20000), st.integers(0, 20000))
def test_minutes_add_up_over_a_moment_in_between(
    calendar: Calendar, start: datetime, first: int, second: int
) -> None:
    middle = start + timedelta(minutes=first)
    end = middle + timedelta(minutes=second)
    parts = calendar.minutes_between(start, middle) + calendar.minutes_between(middle, end)
    assert calendar.minutes_between(start, end) == pytest.approx(parts, abs=1e-6)
    assert 0 <= parts <= first + second + 1e-6


@settings(max_examples=300, deadline=None)
@given(calendars, any_moment)
def test_the_next_opening_is_open_and_nothing_is_worked_before_it(
    calendar: Calendar, moment: datetime
) -> None:
    opening = calendar.next_open(moment)
    assert calendar.is_open(opening)
    assert calendar.minutes_between(moment, opening) == 0
