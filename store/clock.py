"""The time, handed to whoever needs it, so that tests and demos can choose it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the present moment as an aware UTC time."""

    def now(self) -> datetime:
        """The present moment; never goes backwards by more than the machine's clock does."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware time")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move forward and return the new moment."""
        self._now += by
        return self._now

    def set(self, moment: datetime) -> None:
        """Move to a moment."""
        self._now = moment.astimezone(UTC)
