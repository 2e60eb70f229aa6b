"""Replay of the live detector on a table of counts: what would have fired, and when.

The detector is the one that runs live (``SurgeDetector``), fed row by row in order of time; no row
sees a later one, so cutting the table off anywhere leaves the rows before as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from statistics import median

import numpy as np
import pandas as pd

from crisis.detectors.base import Point
from crisis.detectors.surge import SurgeDetector, SurgeSettings

SCORE, ALERT = "anomaly_score", "alert"


class BacktestError(ValueError):
    """The table cannot be replayed; the text names column and row and says what to do."""


def backtest_frame(
    frame: pd.DataFrame,
    time_column: str,
    value_column: str,
    brand_column: str | None = None,
    *,
    settings: SurgeSettings | None = None,
) -> pd.DataFrame:
    """A copy of ``frame`` with ``anomaly_score`` (0..1) and ``alert`` (0 or 1) for every row.

    Rows keep their order and index. Each brand (one without ``brand_column``) is judged for itself
    in order of time; rows of equal time add up in the order they have. Times without a zone count
    as UTC; times that are missing in a series are gaps. An alert says that posts rose beyond what
    the brand's last days knew, and is given once a wave. Raises BacktestError for a missing column,
    a time that cannot be read, or a value that is not a number from 0 on.
    """
    wanted = [time_column, value_column, *([brand_column] if brand_column else [])]
    for column in wanted:
        if column not in frame.columns:
            there = ", ".join(map(str, frame.columns))
            raise BacktestError(f"There is no column {column!r}. The table has: {there}.")
    values = _values(frame[value_column])
    times = _times(frame[time_column])
    brands = (
        frame[brand_column].astype("string").fillna("").to_numpy()
        if brand_column
        else np.zeros(len(frame), dtype=int)
    )
    scores, alerts = np.zeros(len(frame)), np.zeros(len(frame), dtype=np.int64)
    detectors: dict[object, SurgeDetector] = {}
    moments = [moment.to_pydatetime() for moment in times]
    for row in np.argsort(times.to_numpy(), kind="stable"):
        detector = detectors.get(brands[row])
        if detector is None:
            detector = detectors[brands[row]] = SurgeDetector(settings or SurgeSettings())
        verdict = detector.update(Point(moments[row], values[row]))
        scores[row], alerts[row] = verdict.score, verdict.alert
    return frame.assign(**{SCORE: np.round(scores, 6), ALERT: alerts})


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How alerts compare with events that people marked.

    ``false_alerts`` counts alerts outside every event, those within an hour of each other once;
    ``days`` is the time that was watched, summed over brands. ``median_delay`` runs from an event's
    start to its first alert; None when no event was caught.
    """

    events: int
    caught: int
    false_alerts: int
    days: float
    median_delay: timedelta | None

    @property
    def false_alerts_per_day(self) -> float:
        """False alerts per brand and day."""
        return self.false_alerts / self.days if self.days else 0.0


def score_labels(
    frame: pd.DataFrame,
    labels: pd.DataFrame,
    time_column: str,
    brand_column: str | None = None,
    *,
    tolerance: timedelta = timedelta(hours=24),
) -> LabelScore:
    """Compare the alerts of a replayed table with labelled events.

    ``labels`` has ``start`` and ``end`` (or ``start`` alone: then ``tolerance`` is its length) and,
    where the table has brands, ``brand_column``. Events outside the table's time are left out.
    Raises BacktestError when a column is missing or a time cannot be read.
    """
    needed = ["start", *([brand_column] if brand_column else [])]
    for column in needed:
        if column not in labels.columns:
            raise BacktestError(f"The labels need a column {column!r} (and may have 'end').")
    if ALERT not in frame.columns:
        raise BacktestError("Replay the table first: it has no column 'alert'.")
    starts = _times(labels["start"])
    ends = _times(labels["end"]) if "end" in labels.columns else starts + tolerance
    times = _times(frame[time_column])
    events = caught = wrong = 0
    days = 0.0
    delays: list[float] = []
    names = frame[brand_column].astype("string").fillna("") if brand_column else None
    for name in [None] if names is None else names.unique():
        mine = np.ones(len(frame), dtype=bool) if names is None else (names == name).to_numpy()
        marked = (
            np.ones(len(labels), dtype=bool)
            if brand_column is None
            else (labels[brand_column].astype("string").fillna("") == name).to_numpy()
        )
        seen = times[mine]
        if seen.empty:
            continue
        days += (seen.max() - seen.min()) / pd.Timedelta(days=1)
        fired = seen[(frame[ALERT] == 1).to_numpy()[mine]].sort_values()
        outside = np.ones(len(fired), dtype=bool)
        for start, end in zip(starts[marked], ends[marked], strict=True):
            if end < seen.min() or start > seen.max():
                continue
            events += 1
            inside = ((fired >= start) & (fired <= end)).to_numpy()
            outside &= ~inside
            if inside.any():
                caught += 1
                delays.append((fired[inside].iloc[0] - start) / pd.Timedelta(seconds=1))
        stray = fired[outside]
        wrong += int((stray.diff().isna() | (stray.diff() > pd.Timedelta(hours=1))).sum())
    delay = timedelta(seconds=median(delays)) if delays else None
    return LabelScore(events, caught, wrong, days, delay)


def _values(column: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(numbers) | (numbers < 0))
    if len(bad):
        raise BacktestError(
            f"Row {bad[0] + 1} has no usable count in column {column.name!r}: "
            f"{_shown(column.iloc[bad[0]])}. Counts are numbers from 0 on; leave a row out where "
            "nothing is known."
        )
    return numbers


def _times(column: pd.Series) -> pd.Series:
    try:
        times = pd.to_datetime(column, utc=True, errors="coerce", format="mixed")
    except (ValueError, TypeError) as error:
        raise BacktestError(f"Column {column.name!r} holds no times: {error}") from error
    bad = np.flatnonzero(times.isna().to_numpy())
    if len(bad):
        raise BacktestError(
            f"Row {bad[0] + 1} has no readable time in column {column.name!r}: "
            f"{_shown(column.iloc[bad[0]])}. Write times like 2026-03-02T09:05:00Z."
        )
    return times


def _shown(value: object) -> str:
    return repr(str(value)[:40])
