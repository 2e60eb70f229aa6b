"""Negative posts: more of them than usual, or a larger share of all posts than usual.

The count of negative posts is judged by ``SurgeDetector``. The share is judged over an hour by the
lower end of its Wilson interval, so that three bad posts of four are no alarm: E. B. Wilson 1927,
https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from crisis.detectors.base import Finding, Point, StateError, Verdict
from crisis.detectors.rhythm import DAY
from crisis.detectors.surge import SurgeDetector, SurgeSettings

VERSION = 1
_DAYS_KEPT = 14


def wilson_lower(hits: float, trials: float, z: float) -> float:
    """Lower end of the Wilson interval of a share, ``z`` standard deviations wide; 0 for none."""
    if trials <= 0:
        return 0.0
    share = min(1.0, hits / trials)
    middle = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (middle - spread) / (1 + z * z / trials))


@dataclass(frozen=True, slots=True)
class ShareSettings:
    """When a share is out of the ordinary.

    The lower end (``z``) of the share over ``window`` seconds must pass the usual share by
    ``points`` and by ``margin`` times what the middle day of the last fourteen reached at its
    worst, with at least ``least`` negative posts. ``again`` is how far it must rise above the last
    alert, which fades by half in ``half_life`` hours. Without a baseline ``absolute`` negative
    posts and a lower end above a half are worth a look.
    """

    window: int = 3600
    z: float = 3.0
    points: float = 0.12
    margin: float = 1.3
    least: int = 10
    again: float = 0.15
    half_life: float = 8.0
    absolute: int = 20


@dataclass(slots=True)
class NegativeDetector:
    """See the module. ``Point.value`` is the negative posts, ``Point.total`` the scored ones."""

    settings: ShareSettings = field(default_factory=ShareSettings)
    surge: SurgeDetector = field(default_factory=lambda: SurgeDetector(SurgeSettings(floor=5.0)))
    recent: list[tuple[int, float, float, bool]] = field(default_factory=list)
    """Buckets of the window: start, negative, scored, complete; the open one last."""
    negative: float = 0.0
    scored: float = 0.0
    """Faded sums, whose quotient is the usual share."""
    peaks: list[float] = field(default_factory=list)
    day_peak: float = 0.0
    day_known: float = 0.0
    told: float = 0.0
    since: int | None = None

    def update(self, point: Point) -> Verdict:
        """See ``Detector.update``. Raises ValueError also for a missing or too small ``total``."""
        if point.total is None or not point.value <= point.total < math.inf:
            raise ValueError(
                f"a share needs a total of at least {point.value}, not {point.total!r}"
            )
        count = self.surge.update(point)
        self._take(point)
        return self._judge(count)

    def untold(self) -> None:
        """See ``SurgeDetector.untold``."""
        self.told = 0.0
        self.surge.untold()

    def _take(self, point: Point) -> None:
        start = self.surge.start
        assert point.total is not None
        if self.recent and self.recent[-1][0] == start:
            _, negative, scored, complete = self.recent.pop()
            self.recent.append(
                (start, negative + point.value, scored + point.total, complete and point.complete)
            )
            return
        if self.recent:
            self._learn(start - self.recent[-1][0])
        first = start - self.settings.window
        self.recent = [bucket for bucket in self.recent if bucket[0] > first]
        self.recent.append((start, point.value, point.total, point.complete))

    def _learn(self, passed: int) -> None:
        """Learn from the open bucket, which is about to be followed by another."""
        self.told *= 0.5 ** (passed / 3600 / self.settings.half_life)
        _, negative, scored, complete = self.recent[-1]
        if not complete:
            return
        length = self.surge.step
        over = self._excess()
        usual = self.usual_share
        keep = 0.5 ** (length / DAY / 7)
        if usual is not None and self.peaks:
            negative = min(negative, scored * (usual + 0.15))
        self.negative = self.negative * keep + negative
        self.scored = self.scored * keep + scored
        if self.surge.known > DAY / 4 and over is not None:
            self.day_peak = max(self.day_peak, over)
        self.day_known += length
        if self.day_known >= max(DAY, 7 * length):
            self.peaks = [*self.peaks, self.day_peak][-_DAYS_KEPT:]
            self.day_peak = self.day_known = 0.0

    @property
    def usual_share(self) -> float | None:
        """The usual share of negative posts; None before twenty scored posts."""
        return None if self.scored < 20 else self.negative / self.scored

    def _sums(self) -> tuple[float, float]:
        return sum(row[1] for row in self.recent), sum(row[2] for row in self.recent)

    def _excess(self) -> float | None:
        """How far the share's lower end lies above the usual share."""
        usual = self.usual_share
        if usual is None:
            return None
        return wilson_lower(*self._sums(), self.settings.z) - usual

    def _judge(self, count: Verdict) -> Verdict:
        negative, scored = self._sums()
        share = negative / scored if scored else None
        usual = self.usual_share
        if usual is None or not self.peaks or count.baseline is None:
            return self._without_baseline(count, negative, scored, share)
        lower = wilson_lower(negative, scored, self.settings.z)
        ordered = sorted(self.peaks)
        height = ordered[(len(ordered) - 1) // 2]
        border = max(self.settings.points, 0.5 * usual, self.settings.margin * height)
        ratio = (lower - usual) / border
        self._follow(ratio)
        shared = replace(count, share=share, usual_share=usual)
        if count.alert:
            if share is not None and share < usual:
                # More posts of all kinds, and friendlier than usual: the volume tells that story.
                return replace(shared, alert=False, score=0.49, finding=Finding.known_size)
            self.told = max(self.told, lower)
            return shared
        enough = negative >= self.settings.least
        if enough and ratio > 1 and lower > self.told + (self.settings.again if self.told else 0):
            self.told = lower
            return Verdict(
                1 - 0.5 / ratio, True, Finding.share, negative, self.settings.window,
                usual * scored, (usual + border) * scored, self._begun(),
                count.sure, share, usual,
            )  # fmt: skip
        gentle = 0.49 * max(0.0, min(1.0, ratio if enough else 0.0)) ** 2
        finding = count.finding
        if finding is Finding.calm and enough and ratio > 1:
            finding = Finding.known_size
        return replace(shared, score=max(count.score, gentle), finding=finding)

    def _follow(self, ratio: float) -> None:
        """Keep the beginning of a rise of the share."""
        if ratio > 0.4:
            if self.since is None:
                self.since = self.surge.start
        else:
            self.since = None

    def _begun(self) -> datetime:
        begun = self.surge.start if self.since is None else self.since
        if self.surge.since is not None:
            begun = min(begun, self.surge.since)
        return datetime.fromtimestamp(begun, UTC)

    def _without_baseline(
        self, count: Verdict, negative: float, scored: float, share: float | None
    ) -> Verdict:
        lower = wilson_lower(negative, scored, self.settings.z)
        bad = negative >= self.settings.absolute and lower > 0.5
        plain = replace(
            count, score=0.0, alert=False, finding=Finding.no_baseline, baseline=None, upper=None,
            sure=False, share=share, since=None,
        )  # fmt: skip
        if not bad:
            return plain
        if self.told > 0.25:
            return replace(plain, score=0.4)
        self.told = lower
        return replace(
            plain, score=0.5, alert=True, finding=Finding.absolute, value=negative,
            window=self.settings.window,
            since=datetime.fromtimestamp(self.recent[0][0], UTC),
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """See ``Detector.state``."""
        return {
            "version": VERSION,
            "settings": asdict(self.settings),
            "surge": self.surge.state(),
            "recent": [list(row) for row in self.recent],
            "sums": [self.negative, self.scored],
            "peaks": self.peaks,
            "day": [self.day_peak, self.day_known],
            "told": self.told,
            "since": self.since,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """See ``Detector.from_state``."""
        try:
            if state["version"] != VERSION:
                raise StateError(f"this state has version {state['version']}, not {VERSION}")
            negative, scored = state["sums"]
            day_peak, day_known = state["day"]
            return cls(
                settings=ShareSettings(**state["settings"]),
                surge=SurgeDetector.from_state(state["surge"]),
                recent=[(row[0], row[1], row[2], row[3]) for row in state["recent"]],
                negative=negative,
                scored=scored,
                peaks=list(state["peaks"]),
                day_peak=day_peak,
                day_known=day_known,
                told=state["told"],
                since=state["since"],
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise StateError(f"this is no state of a negative detector: {error}") from error
