"""Business time: when a team works, and how many working minutes lie between two moments.

A day's spans are wall-clock times in the calendar's zone. They are turned into moments before
anything is added up, so a day on which the clocks change is as long as it really was. A wall time
that the clocks skip means the moment of the change; one that comes twice means the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from calendars.holidays import DayKind, day_kinds
from calendars.spans import CalendarError, Span, parse_weekly

_SEARCH_DAYS = 3700
_MIDNIGHT = time(0)
_MINUTE = timedelta(minutes=1)


class CalendarRow(Protocol):
    """What a stored calendar holds (``store.models.BusinessCalendar``)."""

    @property
    def name(self) -> str: ...
    @property
    def time_zone(self) -> str: ...
    @property
    def weekly(self) -> Mapping[str, Any]: ...
    @property
    def holidays(self) -> str | None: ...
    @property
    def closed_days(self) -> list[str]: ...


@dataclass
class Calendar:
    """A time zone, weekly hours, holidays and closed days of one's own.

    ``weekly`` has seven entries, Monday first; each holds spans in minutes from that day's
    midnight, and a span may run over the next midnight (it belongs to the day it begins on). A
    make-up workday on a weekend without hours of its own has the hours of the first weekday that
    has any. All moments given must be aware; all moments returned are UTC.
    """

    name: str
    zone: ZoneInfo
    weekly: tuple[tuple[Span, ...], ...]
    kind_of: Callable[[date], DayKind] = field(default=lambda _day: DayKind.ordinary)
    closed_days: frozenset[date] = frozenset()
    _open: dict[date, tuple[tuple[datetime, datetime], ...]] = field(
        default_factory=dict, init=False, repr=False
    )

    def is_open(self, at: datetime) -> bool:
        """Whether the team works at this moment (the closing minute itself is closed)."""
        moment = _utc(at)
        return any(opens <= moment < closes for opens, closes in self._periods_from(moment, 1))

    def next_open(self, at: datetime) -> datetime:
        """The moment itself when it is open, else the next opening.

        Raises CalendarError when the calendar does not open within ten years.
        """
        moment = _utc(at)
        for opens, closes in self._periods_from(moment):
            if closes > moment:
                return max(opens, moment)
        raise self._never_opens()

    def add_minutes(self, start: datetime, minutes: float) -> datetime:
        """The first moment by which ``minutes`` of working time have passed since ``start``.

        Zero minutes give ``start``. Raises ValueError for negative minutes and CalendarError when
        the calendar does not open long enough within ten years.
        """
        if minutes < 0:
            raise ValueError("working minutes to add cannot be negative")
        moment, left = _utc(start), timedelta(minutes=minutes)
        if not left:
            return moment
        for opens, closes in self._periods_from(moment):
            begin = max(opens, moment)
            if closes <= begin:
                continue
            if closes - begin >= left:
                return begin + left
            left -= closes - begin
        raise self._never_opens()

    def minutes_between(self, start: datetime, end: datetime) -> float:
        """Working minutes from ``start`` to ``end``; 0 when ``end`` is not later."""
        first, last = _utc(start), _utc(end)
        total = timedelta()
        if last <= first:
            return 0.0
        days = (last - first).days + 3
        for opens, closes in self._periods_from(first, days):
            if opens >= last:
                break
            total += max(timedelta(), min(closes, last) - max(opens, first))
        return total / _MINUTE

    def _periods_from(
        self, moment: datetime, days: int = _SEARCH_DAYS
    ) -> Iterator[tuple[datetime, datetime]]:
        day = moment.astimezone(self.zone).date() - timedelta(days=1)  # a night may reach over
        reached = datetime.min.replace(tzinfo=UTC)
        for _ in range(days + 1):
            for opens, closes in self._periods_of(day):
                begin = max(opens, reached)  # a night may run into the next morning's hours
                if begin < closes:
                    reached = closes
                    yield begin, closes
            day += timedelta(days=1)

    def _periods_of(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        known = self._open.get(day)
        if known is None:
            known = tuple(
                (self._moment(day, span.start), self._moment(day, span.end))
                for span in self._spans_of(day)
            )
            if len(self._open) > _SEARCH_DAYS:
                self._open.clear()
            self._open[day] = known
        return known

    def _spans_of(self, day: date) -> tuple[Span, ...]:
        if day in self.closed_days:
            return ()
        kind = self.kind_of(day)
        if kind is DayKind.holiday:
            return ()
        hours = self.weekly[day.weekday()]
        if kind is DayKind.make_up and not hours:
            return next((spans for spans in self.weekly[:5] if spans), ())
        return hours

    def _moment(self, day: date, minutes: int) -> datetime:
        wall = datetime.combine(day, _MIDNIGHT) + timedelta(minutes=minutes)
        early = wall.replace(tzinfo=self.zone).astimezone(UTC)
        if early.astimezone(self.zone).replace(tzinfo=None) == wall:
            return early
        return self._change_around(wall)

    def _change_around(self, skipped: datetime) -> datetime:
        """The moment at which the clocks jumped over this wall time."""
        low = skipped.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        high = skipped.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        low, high = min(low, high), max(low, high)
        before = low.astimezone(self.zone).utcoffset()
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) // 2
            if middle.astimezone(self.zone).utcoffset() == before:
                low = middle
            else:
                high = middle
        return high.replace(microsecond=0)

    def _never_opens(self) -> CalendarError:
        return CalendarError(
            f"closed_days: the calendar {self.name!r} does not open within ten years; "
            "give it working hours or remove closed days"
        )


def round_the_clock(name: str = "Round the clock") -> Calendar:
    """A calendar that is always open."""
    return Calendar(name, ZoneInfo("UTC"), ((Span(0, 1440),),) * 7)


def from_row(row: CalendarRow) -> Calendar:
    """Read a stored calendar.

    Raises CalendarError; its text names the field, what is wrong with it and how to write it.
    """
    try:
        zone = ZoneInfo(row.time_zone)
    except (KeyError, ValueError, OSError) as error:
        raise CalendarError(
            f"time_zone: {row.time_zone!r} is not a time zone; write one like Europe/Berlin "
            "or Asia/Shanghai"
        ) from error
    return Calendar(
        name=row.name,
        zone=zone,
        weekly=parse_weekly(row.weekly),
        kind_of=day_kinds(row.holidays),
        closed_days=frozenset(_closed_days(row.closed_days)),
    )


def _closed_days(days: Iterable[str]) -> Iterator[date]:
    for text in days:
        try:
            yield date.fromisoformat(text)
        except (TypeError, ValueError) as error:
            raise CalendarError(
                f"closed_days: {text!r} is not a date; write it like 2026-12-24"
            ) from error


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs a time zone: {moment!r}")
    return moment.astimezone(UTC)
