"""A surge: more posts in fifteen minutes than the highest quarter of an hour of a usual day.

How it decides, in the order of the code:

1. Buckets of five minutes (or longer, as they come) are summed over fifteen minutes. Counts are
   taken as they are: on brands' series raw counts tell events apart better than logarithms.
2. What is usual at this hour is taken off (``Rhythm``); the rest is the *excess*.
3. The highest excess of each of the last fourteen days is kept. An excess is out of the ordinary
   when it clearly passes the height that most of these days stayed under. So the detector
   calibrates itself: a brand whose bots post every noon has high days, and their size is known.
4. It fires on *escalation* only: the excess must be several times the last alert's, which is
   forgotten by half every few hours. While a wave stays high it is not told of again.
5. Nothing fires before a day of history, and it takes more to fire until there is a week of it.

A bucket that never came or was not covered teaches nothing and calms nothing; what was counted in
it is a lower bound and may still be enough to fire.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from crisis.detectors.base import Finding, Point, StateError, Verdict
from crisis.detectors.rhythm import DAY, Rhythm

VERSION = 2
SHORTEST_STEP = 300
_KNOWN_OF = 0.8
"""While a wave that was told of lasts, the last alert fades no further than to this part of it."""


@dataclass(frozen=True, slots=True)
class SurgeSettings:
    """The numbers behind the rule; the defaults were chosen on simulated streams.

    ``window`` is in seconds, ``memory`` in days. ``quantile`` of the days' peaks, times ``margin``,
    is the border of the ordinary. ``escalation`` is the factor over the faded last alert,
    ``half_life`` the hours in which that fades by half. ``floor`` posts above the usual are needed
    in any case.
    """

    window: int = 900
    memory: int = 14
    quantile: float = 0.5
    margin: float = 1.8
    escalation: float = 2.5
    half_life: float = 8.0
    floor: float = 6.0


@dataclass(slots=True)
class SurgeDetector:
    """See the module. Implements ``Detector`` for any count."""

    settings: SurgeSettings = field(default_factory=SurgeSettings)
    rhythm: Rhythm = field(default_factory=Rhythm)
    step: int = SHORTEST_STEP
    """Length of a bucket in seconds."""
    paced: bool = False
    """Whether ``step`` comes from the points; before the second point it is a guess."""
    latest: int | None = None
    bucket: int | None = None
    """Number of the open bucket: seconds since 1970 divided by ``step``."""
    values: list[float | None] = field(default_factory=list)
    """Buckets of the window, the open one last; None where nothing came."""
    covered: bool = True
    known: float = 0.0
    """Seconds of complete history."""
    peaks: list[float] = field(default_factory=list)
    day_peak: float = 0.0
    day_known: float = 0.0
    told: float = 0.0
    """Excess of the last alert, faded up to the open bucket."""
    since: int | None = None
    """Start of the bucket in which the present wave began."""
    wave_told: bool = False
    low_for: int = 0
    """Buckets for which the wave has been low; it ends when a whole window was."""

    def update(self, point: Point) -> Verdict:
        """See ``Detector.update``."""
        if not math.isfinite(point.value) or point.value < 0:
            raise ValueError(f"a count must be a number from 0 on, not {point.value!r}")
        second = int(point.at.timestamp())
        if self.latest is not None and second < self.latest:
            raise ValueError(
                f"points must come in order of time; {point.at} is older than the last"
            )
        self._fit_step(second)
        number = second // self.step
        if self.bucket is None:
            self.bucket, self.values = number, [0.0]
        elif number > self.bucket:
            self._close()
            self._open(number)
        self.values[-1] = (self.values[-1] or 0.0) + point.value
        self.covered = self.covered and point.complete
        return self._judge()

    def untold(self) -> None:
        """Forget that anything was told: a wave that goes on is news to whoever listens now."""
        self.told, self.wave_told = 0.0, False

    def _fit_step(self, second: int) -> None:
        """Take the smallest distance between points so far as the length of a bucket."""
        before, self.latest = self.latest, second
        if before is None or second == before:
            return
        step = max(SHORTEST_STEP, second - before)
        if self.paced and step >= self.step:
            return
        if step != self.step:
            self._close()
            self.bucket, self.step = before // step, step
            self.values = [None] * self._length()
            self.covered = False
        self.paced = True

    @property
    def start(self) -> int:
        """Start of the open bucket, in seconds since 1970."""
        assert self.bucket is not None
        return self.bucket * self.step

    def _length(self) -> int:
        return max(1, round(self.settings.window / self.step))

    def _day(self) -> int:
        """Seconds of history that give one peak: a day, or seven buckets where they are long."""
        return max(DAY, 7 * self.step)

    def _open(self, number: int) -> None:
        assert self.bucket is not None
        passed = number - self.bucket
        length = self._length()
        gap: list[float | None] = [None] * min(passed - 1, length)
        self.values = [*self.values, *gap, 0.0][-length:]
        self.told *= 0.5 ** ((passed - 1) * self.step / 3600 / self.settings.half_life)
        self.bucket, self.covered = number, True

    def _window(self) -> tuple[float, float | None]:
        """What the window holds and what it usually holds."""
        total = sum(value for value in self.values if value is not None)
        seen = len(self.values) - self.values.count(None)
        rate = self.rhythm.rate(self.start + self.step / 2)
        return total, None if rate is None else rate * self.step * seen

    def _close(self) -> None:
        """Learn from the open bucket, which nothing can be added to any more."""
        total, usual = self._window()
        excess = total - usual if usual is not None else 0.0
        self._follow(excess, usual)
        if not self.covered:
            self.values[-1] = None if not self.values[-1] else self.values[-1]
            return
        value = self.values[-1] or 0.0
        rate = self.rhythm.rate(self.start + self.step / 2)
        if rate is not None and self.known >= DAY / 4:
            # One wave must not become what is usual; a lasting change of level still does.
            usual_here = max(rate, 0.0) * self.step
            value = min(value, 3 * usual_here + 4 * math.sqrt(usual_here) + 3)
        self.rhythm.learn(self.start, self.step, value, ordinary=self.since is None)
        self.known += self.step
        if self.known > DAY / 4:
            self.day_peak = max(self.day_peak, excess)
        self.day_known += self.step
        if self.day_known >= self._day():
            self.peaks = [*self.peaks, self.day_peak][-self.settings.memory :]
            self.day_peak = self.day_known = 0.0

    def _follow(self, excess: float, usual: float | None) -> None:
        """Keep the size that people know of, and the beginning of a rise."""
        faded = self.told * 0.5 ** (self.step / 3600 / self.settings.half_life)
        self.told = max(faded, min(self.told, excess * _KNOWN_OF)) if self.wave_told else faded
        border = None if usual is None else self._border(usual)
        if border is not None and excess > 0.4 * border:
            self.low_for = 0
            if self.since is None:
                self.since = self.start
        else:
            self.low_for += 1
            if self.low_for >= self._length():
                self.since, self.wave_told = None, False

    def _border(self, usual: float) -> float | None:
        """The excess from which on the window is out of the ordinary; None without a baseline."""
        if not self.peaks:
            return None
        days = len(self.peaks)
        ordered = sorted(self.peaks)
        place = self.settings.quantile * (days - 1)
        low = int(place)
        high = min(low + 1, days - 1)
        height = ordered[low] + (place - low) * (ordered[high] - ordered[low])
        thin = 1 + 1.5 / days if days < 7 else 1.0
        least = self.settings.floor + 4 * math.sqrt(max(usual, 0.0))
        return max(self.settings.margin * thin * height, least)

    def _judge(self) -> Verdict:
        total, usual = self._window()
        border = self._border(usual) if usual is not None else None
        window = self._length() * self.step
        if usual is None or border is None:
            return Verdict(0.0, False, Finding.no_baseline, total, window, sure=False)
        excess = total - usual
        ratio = excess / border
        begun = self.since if self.since is not None else self.start
        since = datetime.fromtimestamp(begun, UTC) if ratio > 0.4 else None
        sure = self.covered and None not in self.values and len(self.peaks) >= 7
        if ratio > 1 and excess > self.settings.escalation * self.told:
            finding = Finding.escalation if self.told * 4 > border else Finding.surge
            self.told, self.wave_told = excess, True
            score = 1 - 0.5 / ratio
            return Verdict(score, True, finding, total, window, usual, usual + border, since, sure)
        finding = Finding.known_size if ratio > 1 else Finding.calm
        if ratio <= 1 and not self.covered:
            finding = Finding.gap
        score = 0.49 * max(0.0, min(1.0, ratio)) ** 2
        return Verdict(score, False, finding, total, window, usual, usual + border, since, sure)

    def state(self) -> dict[str, Any]:
        """See ``Detector.state``."""
        return {
            "version": VERSION,
            "settings": asdict(self.settings),
            "rhythm": self.rhythm.state(),
            "step": self.step,
            "paced": self.paced,
            "latest": self.latest,
            "bucket": self.bucket,
            "values": self.values,
            "covered": self.covered,
            "known": self.known,
            "peaks": self.peaks,
            "day": [self.day_peak, self.day_known],
            "told": self.told,
            "since": self.since,
            "wave_told": self.wave_told,
            "low_for": self.low_for,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """See ``Detector.from_state``."""
        try:
            if state["version"] != VERSION:
                raise StateError(f"this state has version {state['version']}, not {VERSION}")
            plain = ("step", "paced", "latest", "bucket", "covered", "known", "told", "since")
            day_peak, day_known = state["day"]
            return cls(
                settings=SurgeSettings(**state["settings"]),
                rhythm=Rhythm.from_state(state["rhythm"]),
                values=list(state["values"]),
                peaks=list(state["peaks"]),
                day_peak=day_peak,
                day_known=day_known,
                wave_told=state["wave_told"],
                low_for=state["low_for"],
                **{name: state[name] for name in plain},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"this is no state of a surge detector: {error}") from error
