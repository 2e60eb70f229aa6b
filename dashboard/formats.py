"""Dates, times and numbers as the reader writes them, in the brand's time zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import dates, lists, numbers

_LOCALES = {"en": "en_GB", "zh": "zh_Hans_CN"}


class Formats:
    """How one reader, looking at one time zone, sees figures and moments."""

    def __init__(self, language: str, time_zone: str) -> None:
        self.locale = _LOCALES.get(language, "en_GB")
        self.zone = zone_of(time_zone)

    def number(self, value: float) -> str:
        """12,345 or 12,345.6"""
        return str(numbers.format_decimal(round(value, 1), locale=self.locale))

    def percent(self, share: float, digits: int = 0) -> str:
        """0.123 as 12 %"""
        return str(
            numbers.format_percent(
                round(share, 2 + digits), locale=self.locale, decimal_quantization=False
            )
        )

    def change(self, share: float) -> str:
        """0.123 as +12 %; a sign always stands before it."""
        return ("+" if share > 0 else "") + self.percent(share)

    def change_of_points(self, points: int) -> str:
        """+15; a sign always stands before it."""
        return ("+" if points > 0 else "") + self.number(points)

    def listing(self, words: Sequence[str]) -> str:
        """safety, fraud and recall"""
        return str(lists.format_list(list(words), locale=self.locale))

    def money(self, dollars: float) -> str:
        """US dollars, which is what platforms bill in."""
        return str(numbers.format_currency(dollars, "USD", locale=self.locale))

    def moment(self, at: datetime) -> str:
        """2 Mar 2026, 09:00, with the zone's name left to the page's top line."""
        pattern = "y年M月d日 HH:mm" if self.locale.startswith("zh") else "d MMM y, HH:mm"
        return str(dates.format_datetime(at, pattern, tzinfo=self.zone, locale=self.locale))

    def clock(self, at: datetime) -> str:
        """14:05"""
        return str(dates.format_time(at, "HH:mm", tzinfo=self.zone, locale=self.locale))

    def day(self, at: datetime) -> str:
        """2 Mar 2026"""
        pattern = "y年M月d日" if self.locale.startswith("zh") else "d MMM y"
        return str(dates.format_datetime(at, pattern, tzinfo=self.zone, locale=self.locale))

    def short(self, at: datetime, now: datetime) -> str:
        """The clock for today, the day and clock for any other day."""
        if at.astimezone(self.zone).date() == now.astimezone(self.zone).date():
            return self.clock(at)
        pattern = "M月d日 HH:mm" if self.locale.startswith("zh") else "d MMM HH:mm"
        return str(dates.format_datetime(at, pattern, tzinfo=self.zone, locale=self.locale))

    def ago(self, at: datetime, now: datetime) -> str:
        """3 minutes ago; in 2 hours."""
        return str(
            dates.format_timedelta(
                at - now, add_direction=True, locale=self.locale, threshold=1.5, format="short"
            )
        )

    def span(self, length: timedelta) -> str:
        """45 min, 3 h, 2 d: the two largest units at most."""
        return str(
            dates.format_timedelta(length, locale=self.locale, threshold=1.5, format="short")
        )

    def minutes(self, minutes: float) -> str:
        """A number of (working) minutes as 45 min, 3 hr or 2 days of 24 hours."""
        length = timedelta(minutes=max(1, round(minutes)))
        return str(
            dates.format_timedelta(
                length, granularity="minute", threshold=1.5, locale=self.locale, format="short"
            )
        )

    @property
    def zone_name(self) -> str:
        """Shanghai (UTC+8) in the reader's words."""
        return str(dates.get_timezone_location(self.zone, locale=self.locale, return_city=True))


def zone_of(name: str) -> ZoneInfo:
    """The zone of this name, UTC where the machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
