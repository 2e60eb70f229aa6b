"""Replaying the detector on a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from crisis.backtest import BacktestError, backtest_frame, score_labels
from crisis.simulator import START, Event, Stream, simulate, varied

AT = START + timedelta(days=6, hours=12)
STREAM = Stream(
    mean=20,
    days=9,
    cascades=0.02,
    wander=0.05,
    seed=3,
    events=(Event(AT, 10, timedelta(minutes=15), timedelta(hours=1)),),
)


def table(stream: Stream = STREAM) -> pd.DataFrame:
    counts = list(simulate(stream))
    return pd.DataFrame({"when": [c.at for c in counts], "posts": [c.posts for c in counts]})


def test_every_row_gets_a_score_and_an_alert_and_keeps_its_place() -> None:
    frame = table().sample(frac=1, random_state=1)
    done = backtest_frame(frame, "when", "posts")
    assert list(done.index) == list(frame.index)
    pd.testing.assert_frame_equal(done[["when", "posts"]], frame)
    assert done.anomaly_score.between(0, 1).all()
    assert ((done.anomaly_score >= 0.5) == (done.alert == 1)).all()
    alerts = done.when[done.alert == 1]
    assert 1 <= len(alerts) <= 2
    assert alerts.between(AT, AT + timedelta(minutes=30)).all()
    assert "alert" not in frame.columns
    ordered = backtest_frame(table(), "when", "posts")
    pd.testing.assert_series_equal(done.sort_index().anomaly_score, ordered.anomaly_score)


@pytest.mark.parametrize("rows", [1, 700, 1800, 1890])
def test_cutting_the_future_off_changes_nothing_before(rows: int) -> None:
    frame = table(varied(11, days=8, events=3))
    whole = backtest_frame(frame, "when", "posts")
    cut = backtest_frame(frame.iloc[:rows], "when", "posts")
    pd.testing.assert_frame_equal(cut, whole.iloc[:rows])


def test_brands_are_judged_apart() -> None:
    one, two = table(), table(replace(STREAM, events=(), seed=4, mean=3))
    both = pd.concat([one.assign(brand="A"), two.assign(brand=None)], ignore_index=True)
    both = both.sort_values("when", kind="stable")
    done = backtest_frame(both, "when", "posts", "brand")
    alone = backtest_frame(one, "when", "posts")
    assert list(done[done.brand == "A"].anomaly_score) == list(alone.anomaly_score)
    assert done[done.brand.isna()].alert.sum() == 0


def test_missing_rows_equal_times_and_local_times_are_taken_as_they_come() -> None:
    frame = table()
    early = frame.when < AT - timedelta(hours=9)
    holes = frame[early | (frame.when > AT - timedelta(hours=2))]
    alerts = holes.when[backtest_frame(holes, "when", "posts").alert == 1]
    assert len(alerts) >= 1
    assert alerts.between(AT, AT + timedelta(minutes=30)).all()
    halves = pd.concat([frame.assign(posts=frame.posts // 2), frame.assign(posts=frame.posts / 2)])
    doubled = backtest_frame(halves, "when", "posts")
    assert doubled.when[doubled.alert == 1].between(AT, AT + timedelta(minutes=30)).all()
    assert doubled.alert.sum() >= 1
    zones = frame.assign(when=frame.when.dt.tz_convert("Asia/Kolkata").astype(str))
    expected = backtest_frame(frame, "when", "posts").anomaly_score
    assert list(backtest_frame(zones, "when", "posts").anomaly_score) == list(expected)
    naive = frame.assign(when=frame.when.dt.tz_localize(None).astype(str))
    assert list(backtest_frame(naive, "when", "posts").anomaly_score) == list(expected)


def test_an_empty_table_comes_back_empty_with_the_two_columns() -> None:
    done = backtest_frame(pd.DataFrame({"when": [], "posts": []}), "when", "posts")
    assert list(done.columns) == ["when", "posts", "anomaly_score", "alert"]
    assert len(done) == 0


@pytest.mark.parametrize("bad", ["many", -1, None, float("inf"), ""])
def test_a_bad_count_is_named_with_row_and_column(bad: object) -> None:
    frame = table().astype(object).iloc[:10]
    frame.iloc[3, 1] = bad
    with pytest.raises(BacktestError, match=r"Row 4 .*'posts'"):
        backtest_frame(frame, "when", "posts")


@pytest.mark.parametrize("bad", ["yesterday-ish", None, ""])
def test_a_bad_time_is_named_with_row_and_column(bad: object) -> None:
    frame = table().astype(object).iloc[:10]
    frame.iloc[7, 0] = bad
    with pytest.raises(BacktestError, match=r"Row 8 .*'when'"):
        backtest_frame(frame, "when", "posts")


def test_a_wrong_column_name_lists_the_ones_that_are_there() -> None:
    with pytest.raises(BacktestError, match=r"no column 'count'\. The table has: when, posts"):
        backtest_frame(table(), "when", "count")


def test_alerts_are_compared_with_labelled_events() -> None:
    start = pd.Timestamp("2026-01-01T00:00Z")
    times = pd.date_range(start, periods=288 * 4, freq="5min")
    frame = pd.DataFrame({"when": times, "alert": 0})
    frame.loc[[10, 300, 306, 700, 705, 900], "alert"] = 1
    labels = pd.DataFrame(
        {
            "start": [times[296], times[690], times[1000], start - pd.Timedelta(days=9)],
            "end": [times[310], times[710], times[1100], start - pd.Timedelta(days=8)],
        }
    )
    score = score_labels(frame, labels, "when")
    assert (score.events, score.caught, score.false_alerts) == (3, 2, 2)
    assert score.median_delay == timedelta(minutes=5 * np.median([4, 10]))
    assert score.false_alerts_per_day == pytest.approx(2 / score.days)
    assert score.days == pytest.approx(4, abs=0.01)


def test_labels_of_one_brand_do_not_excuse_another() -> None:
    times = pd.date_range("2026-01-01T00:00Z", periods=100, freq="5min")
    one = pd.DataFrame({"when": times, "brand": "A", "alert": 0})
    two = one.assign(brand="B")
    one.loc[50, "alert"] = two.loc[50, "alert"] = 1
    labels = pd.DataFrame({"brand": ["A"], "start": [times[48]]})
    score = score_labels(pd.concat([one, two]), labels, "when", "brand")
    assert (score.events, score.caught, score.false_alerts) == (1, 1, 1)


def test_labels_without_their_columns_are_refused() -> None:
    frame = backtest_frame(table().iloc[:50], "when", "posts")
    with pytest.raises(BacktestError, match="'start'"):
        score_labels(frame, pd.DataFrame({"begin": []}), "when")
    with pytest.raises(BacktestError, match="Replay the table first"):
        score_labels(table(), pd.DataFrame({"start": []}), "when")
