"""Speed and memory of the surge detector, beside a rolling z-score that pandas computes.

    python -m benchmarks.bench_detector [POINTS]

The z-score is the batch method people reach for: 15-minute sums against the mean and deviation of
the fourteen days before, over the whole series at once, with nothing learnt about hours or bots.
Both run in this process on the same made-up stream, so that the ratio holds on any machine. The
online figure for pandas recomputes the last window at every point, which is what live use needs.
"""

from __future__ import annotations

import json
import sys
import time

import pandas as pd

from crisis.detectors.base import Point
from crisis.detectors.surge import SurgeDetector
from crisis.simulator import Stream, simulate

FORTNIGHT = 14 * 288
SAMPLE = 300


def main(points: int = 100_000) -> None:
    """Print points per second of each method, their ratios, and bytes of state."""
    counts = list(simulate(Stream(days=points / 288 + 1, cascades=0.1, seed=5)))[:points]
    stream = [Point(count.at, count.posts) for count in counts]
    detector = SurgeDetector()
    sizes: dict[int, int] = {}
    begun = time.perf_counter()
    for number, point in enumerate(stream, 1):
        detector.update(point)
        if number in {1_000, 10_000, points}:
            sizes[number] = len(json.dumps(detector.state()))
    ours = points / (time.perf_counter() - begun)

    series = pd.Series([float(count.posts) for count in counts])
    begun = time.perf_counter()
    _scores(series)
    batch = points / (time.perf_counter() - begun)
    begun = time.perf_counter()
    for end in range(points - SAMPLE, points):
        _scores(series.iloc[max(0, end - FORTNIGHT) : end])
    online = SAMPLE / (time.perf_counter() - begun)

    print(f"surge detector, point by point:     {ours:12,.0f} points/s")
    print(
        f"pandas rolling z-score, in one go:  {batch:12,.0f} points/s  (ours x {ours / batch:.3f})"
    )
    print(f"pandas rolling z-score, each point: {online:12,.0f} points/s", end="")
    print(f"  (ours x {ours / online:.1f})")
    for number, size in sorted(sizes.items()):
        print(f"state after {number:9,} points: {size:6,} bytes of JSON")
    print(f"window that pandas has to keep:  {FORTNIGHT * 8:9,} bytes")


def _scores(series: pd.Series) -> pd.Series:
    sums = series.rolling(3, min_periods=1).sum()
    past = sums.shift(1).rolling(FORTNIGHT, min_periods=288)
    return (sums - past.mean()) / past.std()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
