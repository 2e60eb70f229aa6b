"""The period a page looks at, cut into hours or days of the brand's own time zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from dashboard.words import N_

PERIODS = {
    "1d": N_("Last 24 hours"),
    "7d": N_("Last 7 days"),
    "30d": N_("Last 30 days"),
    "90d": N_("Last 90 days"),
    "own": N_("Own dates"),
}
_DAYS = {"7d": 7, "30d": 30, "90d": 90}
_HOURLY_UP_TO = timedelta(days=8)
MAX_DAYS = 800


@dataclass(frozen=True, slots=True)
class Period:
    """``[start, end)`` in UTC, the edges of its steps, and whether a step is an hour or a day."""

    key: str
    start: datetime
    end: datetime
    edges: Sequence[datetime]
    step: Literal["hour", "day"]
    zone: ZoneInfo


def make(key: str, now: datetime, zone: ZoneInfo, own: tuple[date, date] | None = None) -> Period:
    """The period of a choice. It ends now, or at the end of the last of one's own dates."""
    if key == "1d":
        start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
        return Period(key, start, now, _hours(start, now), "hour", zone)
    today = now.astimezone(zone).date()
    if key == "own" and own is not None:
        first, last = sorted(own)
        first = max(first, last - timedelta(days=MAX_DAYS))
        end = min(now, _midnight(last + timedelta(days=1), zone))
    else:
        key = key if key in _DAYS else "7d"
        first, end = today - timedelta(days=_DAYS[key] - 1), now
    start = _midnight(first, zone)
    end = max(end, start + timedelta(hours=1))
    if end - start <= _HOURLY_UP_TO:
        return Period(key, start, end, _hours(start, end), "hour", zone)
    return Period(key, start, end, _days(first, end, zone), "day", zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _hours(start: datetime, end: datetime) -> list[datetime]:
    edges = [start]
    while edges[-1] + timedelta(hours=1) < end:
        edges.append(edges[-1] + timedelta(hours=1))
    return [*edges, end]


def _days(first: date, end: datetime, zone: ZoneInfo) -> list[datetime]:
    edges = [_midnight(first, zone)]
    day = first + timedelta(days=1)
    while _midnight(day, zone) < end:
        edges.append(_midnight(day, zone))
        day += timedelta(days=1)
    return [*edges, end]
