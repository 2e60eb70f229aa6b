"""Weekly working hours as people write them: "09:00-12:00,13:00-18:00"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

DAY = 1440
_SPAN = re.compile(r"\s*(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\s*")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class CalendarError(ValueError):
    """A calendar that cannot be used. The text names the field and says how to put it right."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Minutes from a day's midnight; ``end`` is over 1440 where the span runs into the next day."""

    start: int
    end: int


def parse_weekly(weekly: Mapping[str, Any]) -> tuple[tuple[Span, ...], ...]:
    """Seven days of spans, Monday first, from {"0": "09:00-18:00", …}; a missing day is closed.

    Several spans are separated by commas; "22:00-06:00" runs over midnight; "00:00-24:00" is a
    whole day. Raises CalendarError for unknown days, broken or overlapping spans, an empty week.
    """
    unknown = set(weekly) - {str(day) for day in range(7)}
    if unknown:
        raise CalendarError(
            f'weekly: {min(unknown)!r} is not a day; days are "0" (Monday) to "6" (Sunday)'
        )
    days = tuple(_parse_day(weekly.get(str(day)), _DAYS[day]) for day in range(7))
    if not any(days):
        raise CalendarError(
            'weekly: no day has working hours; give at least one, like {"0": "09:00-18:00"}'
        )
    return days


def _parse_day(text: object, day: str) -> tuple[Span, ...]:
    if text is None or text == "":
        return ()
    if not isinstance(text, str):
        raise CalendarError(f'weekly: {day} must be text like "09:00-12:00,13:00-18:00"')
    spans = sorted(_parse_span(part, day) for part in text.split(","))
    for earlier, later in pairwise(spans):
        if later.start < earlier.end:
            raise CalendarError(f"weekly: {day} has spans that overlap in {text!r}; join them")
    return tuple(spans)


def _parse_span(text: str, day: str) -> Span:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise CalendarError(
            f"weekly: {day} has {text.strip()!r}, which is no span; write it like 09:00-18:00"
        )
    hours = [int(number) for number in match.groups()]
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if hours[1] > 59 or hours[3] > 59 or start >= DAY or end > DAY:
        raise CalendarError(f"weekly: {day} has {text.strip()!r}; times go from 00:00 to 24:00")
    if start == end:
        raise CalendarError(
            f"weekly: {day} has {text.strip()!r}, which is empty; a whole day is 00:00-24:00"
        )
    return Span(start, end if end > start else end + DAY)
