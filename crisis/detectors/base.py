"""What every detector is: points in, verdicts out, and a state that can be saved between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self


class StateError(Exception):
    """A saved state cannot be read by this version; the detector must learn afresh."""


@dataclass(frozen=True, slots=True)
class Point:
    """What was counted in one bucket that starts at ``at`` (aware).

    ``value`` is what is watched (posts, or negative posts), ``total`` what it is a share of (scored
    posts) where that matters. ``complete`` false says that some source was not covered: the true
    value may be higher.
    """

    at: datetime
    value: float
    total: float | None = None
    complete: bool = True


class Finding(StrEnum):
    """Why a verdict is what it is."""

    calm = "calm"
    surge = "surge"
    escalation = "escalation"
    share = "share"
    known_size = "known_size"
    """Unusual, yet of a size that was seen or told of recently."""
    no_baseline = "no_baseline"
    """Too little history to know what is usual."""
    absolute = "absolute"
    """No baseline, yet so many negative posts that someone should look."""
    gap = "gap"
    """Coverage was missing: neither calm nor crisis."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a detector makes of a point.

    ``score`` lies in 0..1 and is at least 0.5 exactly when ``alert`` is true. ``value`` is what
    was counted in the detector's window (``window`` seconds that end with the point), ``baseline``
    what is usual there and ``upper`` the smallest value that is not; both are None without a
    baseline. ``since`` is when the present rise began. ``sure`` is false where the evidence is thin
    (short history, incomplete coverage). ``share`` and ``usual_share`` (0..1) come with detectors
    that watch a share.
    """

    score: float
    alert: bool
    finding: Finding
    value: float
    window: int
    baseline: float | None = None
    upper: float | None = None
    since: datetime | None = None
    sure: bool = True
    share: float | None = None
    usual_share: float | None = None


class Detector(Protocol):
    """Judges a series point by point.

    The caller may rely on this: points come in order of time; ``update`` uses nothing but the
    points so far, takes constant time, and the state stays within a constant size however many
    points there were. Points of one bucket may come in several calls; their values add up. A bucket
    that never comes is a gap, which is read neither as calm nor as crisis. After
    ``from_state(state())`` the detector goes on exactly as if it had never stopped.
    """

    def update(self, point: Point) -> Verdict:
        """Take the next point. Raises ValueError for a point older than the last one, or for a
        value that is negative or not a number."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything remembered, as JSON."""
        ...

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Go on from a saved state. Raises StateError when it cannot be read."""
        ...
