"""Public holidays by country; China with the weekends that are worked in their place (调休).

Sources: the packages ``holidays`` (rules of each country) and ``chinese-calendar`` (the yearly
notices of the State Council, so it knows a year only once its notice is out, usually in November
of the year before).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from enum import Enum
from functools import cache

import chinese_calendar
import holidays as country_rules
import structlog
from chinese_calendar import constants as chinese_days

from calendars.spans import CalendarError

_log = structlog.get_logger(__name__)


class DayKind(Enum):
    """What the law makes of a day."""

    ordinary = "ordinary"
    holiday = "holiday"
    make_up = "make_up"
    """A day of a weekend that is worked, because a working day was given off."""


def day_kinds(country: str | None) -> Callable[[date], DayKind]:
    """A function that tells a day's kind in a country (ISO 3166 code), or "ordinary" always.

    Raises CalendarError for a country that is not known.
    """
    if not country:
        return _always_ordinary
    if country == "CN":
        return _chinese
    if country not in country_rules.list_supported_countries():
        raise CalendarError(
            f"holidays: {country!r} is not a country we know holidays of; write a two-letter code "
            "like DE or CN, or leave it empty"
        )
    off = country_rules.country_holidays(country)
    return lambda day: DayKind.holiday if day in off else DayKind.ordinary


def countries() -> list[str]:
    """The countries (ISO 3166 codes) whose holidays are known, in order."""
    return sorted({"CN", *country_rules.list_supported_countries()})


def known_until(country: str | None) -> date | None:
    """The last day whose holidays are certain; None where rules hold for every year."""
    if country != "CN":
        return None
    return date(max(chinese_days.holidays).year, 12, 31)


def _always_ordinary(_day: date) -> DayKind:
    return DayKind.ordinary


def _chinese(day: date) -> DayKind:
    try:
        off, festival = chinese_calendar.get_holiday_detail(day)
    except NotImplementedError:
        _say_unknown(day.year)
        return DayKind.ordinary
    if off:
        # An ordinary weekend has no name: weekly hours decide, as a shop may open on Saturdays.
        return DayKind.holiday if festival else DayKind.ordinary
    return DayKind.make_up if day.weekday() >= 5 else DayKind.ordinary


@cache
def _say_unknown(year: int) -> None:
    _log.warning(
        "holidays_unknown",
        country="CN",
        year=year,
        advice="weekly hours are used; upgrade the package chinese-calendar when it knows the year",
    )
