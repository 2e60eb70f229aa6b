"""What is usual at a time of the day and week, learnt online in 24 + 7 + 1 decayed means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

DAY = 86400
_HALF_LIFE_DAYS = 7.0
_PRIOR_HOURS = 1.0
"""An hour of the day counts for itself once it has been seen for about this many hours."""
_PRIOR_DAYS = 3.0
"""A day of the week counts for itself once it has been seen about this often."""
_PRIOR_POSTS = 3.0
"""And once about this many posts were expected in it: few posts say little about a rhythm."""
_SHAPE_AFTER = DAY / 4
"""Seconds of history before hours and days are told apart at all."""


@dataclass(slots=True)
class Mean:
    """Something counted and what it is held against, both fading by the same share at a step."""

    total: float = 0.0
    weight: float = 0.0

    def learn(self, value: float, weight: float, keep: float) -> None:
        """Let the past fade to ``keep`` of itself and add a value."""
        self.total = self.total * keep + value
        self.weight = self.weight * keep + weight


@dataclass(slots=True)
class Rhythm:
    """The usual rate per second at any moment: level × hour of the day × day of the week.

    Factors start at 1 and move as evidence comes in, so that one day of history gives a level, a
    few days give a daily rhythm and a few weeks a weekly one.
    """

    level: Mean = field(default_factory=Mean)
    hours: list[Mean] = field(default_factory=lambda: [Mean() for _ in range(24)])
    weekdays: list[Mean] = field(default_factory=lambda: [Mean() for _ in range(7)])

    def rate(self, second: float) -> float | None:
        """Usual rate per second at a moment (seconds since 1970, UTC); None before any evidence."""
        if self.level.weight == 0:
            return None
        return self._level() * self._of_hour(second) * self._of_weekday(second)

    def learn(self, second: float, length: float, value: float, ordinary: bool = True) -> None:
        """Take in what was counted in ``length`` seconds from a moment on.

        ``ordinary`` false moves only the level: a wave says nothing about hours and weekdays.
        """
        days = length / DAY
        if ordinary and self.level.weight > _SHAPE_AFTER:
            level = self._level() * length
            hour, weekday = self.hours[int(second % DAY // 3600)], self.weekdays[_weekday(second)]
            of_hour, of_weekday = self._of_hour(second), self._of_weekday(second)
            hour.learn(value, level * of_weekday, 0.5 ** (24 * days / _HALF_LIFE_DAYS))
            weekday.learn(value, level * of_hour, 0.5 ** (days / (_HALF_LIFE_DAYS / 2)))
        keep = 0.5 ** (days / _HALF_LIFE_DAYS)
        self.level.learn(value, length, keep)

    def _level(self) -> float:
        return self.level.total / self.level.weight

    def _of_hour(self, second: float) -> float:
        place = second % DAY / 3600 - 0.5
        before = int(place // 1)
        part = place - before
        return (1 - part) * self._hour(before % 24) + part * self._hour((before + 1) % 24)

    def _hour(self, hour: int) -> float:
        return self._factor(self.hours[hour], _PRIOR_HOURS * 3600)

    def _of_weekday(self, second: float) -> float:
        return self._factor(self.weekdays[_weekday(second)], _PRIOR_DAYS * DAY)

    def _factor(self, mean: Mean, prior_seconds: float) -> float:
        """What was counted over what the level let expect, both with a prior that makes it 1."""
        prior = self._level() * prior_seconds + _PRIOR_POSTS
        return (mean.total + prior) / (mean.weight + prior)

    def state(self) -> dict[str, Any]:
        """All means as JSON."""
        return {
            "level": [self.level.total, self.level.weight],
            "hours": [[mean.total, mean.weight] for mean in self.hours],
            "weekdays": [[mean.total, mean.weight] for mean in self.weekdays],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The rhythm that gave this state."""
        return cls(
            Mean(*state["level"]),
            [Mean(*pair) for pair in state["hours"]],
            [Mean(*pair) for pair in state["weekdays"]],
        )


def _weekday(second: float) -> int:
    return int(second // DAY + 3) % 7  # 1970-01-01 was a Thursday
