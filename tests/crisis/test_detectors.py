"""The detectors, on streams that are made up from a seed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crisis.detectors.base import Detector, Finding, Point, StateError, Verdict
from crisis.detectors.negative import NegativeDetector, wilson_lower
from crisis.detectors.surge import SurgeDetector
from crisis.simulator import START, STEP, Count, Event, Pulse, Stream, simulate, varied

QUIET = Stream(mean=20, days=12, cascades=0, wander=0.05, seed=7)
NOON = START + timedelta(days=9, hours=12)


def volume(counts: Iterable[Count], detector: SurgeDetector | None = None) -> list[Verdict]:
    detector = detector or SurgeDetector()
    return [detector.update(Point(c.at, c.posts, complete=c.complete)) for c in counts]


def negative(counts: Iterable[Count], detector: NegativeDetector | None = None) -> list[Verdict]:
    detector = detector or NegativeDetector()
    return [detector.update(Point(c.at, c.negative, c.posts, c.complete)) for c in counts]


def fired(counts: Iterable[Count], verdicts: Iterable[Verdict]) -> list[datetime]:
    return [c.at for c, verdict in zip(counts, verdicts, strict=True) if verdict.alert]


def test_a_calm_stream_raises_nothing() -> None:
    counts = list(simulate(QUIET))
    assert fired(counts, volume(counts)) == []
    assert fired(counts, negative(counts)) == []


def test_a_burst_is_told_of_within_twenty_minutes_with_its_beginning() -> None:
    burst = Event(NOON, size=8, ramp=timedelta(minutes=15), half_life=timedelta(hours=1))
    counts = list(simulate(replace(QUIET, events=(burst,))))
    verdicts = volume(counts)
    alerts = fired(counts, verdicts)
    assert 1 <= len(alerts) <= 2  # it grows fast, so it may be told of once more
    assert NOON <= alerts[0] <= alerts[-1] <= NOON + timedelta(minutes=25)
    verdict = verdicts[[c.at for c in counts].index(alerts[0])]
    assert verdict.finding is Finding.surge
    assert verdict.score >= 0.5
    assert verdict.since is not None
    assert abs(verdict.since - NOON) <= timedelta(minutes=10)
    assert verdict.baseline is not None
    assert verdict.upper is not None
    assert verdict.baseline < verdict.upper < verdict.value
    assert 40 < verdict.baseline < 110  # three buckets of about twenty posts around noon


def test_a_wave_that_grows_several_times_over_is_told_of_again() -> None:
    first = Event(NOON, size=6, ramp=timedelta(minutes=10), half_life=timedelta(hours=6))
    second = Event(
        NOON + timedelta(hours=3), 40, ramp=timedelta(minutes=20), half_life=timedelta(hours=2)
    )
    counts = list(simulate(replace(QUIET, events=(first, second))))
    verdicts = volume(counts)
    alerts = fired(counts, verdicts)
    assert alerts[0] < NOON + timedelta(minutes=30)
    assert NOON + timedelta(hours=3) <= alerts[-1] < NOON + timedelta(hours=3, minutes=25)
    again = [v for v in verdicts if v.alert][-1]
    assert again.finding is Finding.escalation
    assert again.since is not None
    assert again.since < NOON + timedelta(minutes=30)


def test_a_plateau_is_not_told_of_over_and_over() -> None:
    plateau = Event(NOON, size=8, ramp=timedelta(minutes=5), half_life=timedelta(days=10))
    counts = list(simulate(replace(QUIET, events=(plateau,))))
    assert len(fired(counts, volume(counts))) <= 2


def test_bots_that_post_every_day_are_known_after_some_days() -> None:
    bots = Pulse(every=timedelta(hours=24), posts=300, offset=timedelta(hours=14))
    counts = list(simulate(replace(QUIET, pulses=(bots,))))
    verdicts = volume(counts)
    late = [at for at in fired(counts, verdicts) if at > START + timedelta(days=6)]
    assert late == []


def test_a_stream_that_begins_is_no_surge() -> None:
    counts = list(simulate(replace(QUIET, mean=200, days=0.9)))
    verdicts = volume(counts)
    assert fired(counts, verdicts) == []
    assert {verdict.finding for verdict in verdicts} == {Finding.no_baseline}
    assert all(verdict.baseline is None and not verdict.sure for verdict in verdicts)


def test_many_negative_posts_without_a_baseline_are_worth_one_unsure_look() -> None:
    counts = [Count(START + i * STEP, 12, 9) for i in range(24)]
    verdicts = negative(counts)
    (alert,) = [verdict for verdict in verdicts if verdict.alert]
    assert alert.finding is Finding.absolute
    assert alert.score == 0.5
    assert not alert.sure


def test_hours_that_were_not_covered_are_neither_calm_nor_a_surge_afterwards() -> None:
    gap = (NOON, NOON + timedelta(hours=5))
    counts = list(simulate(replace(QUIET, gaps=(gap,))))
    assert fired(counts, volume(counts)) == []
    assert fired(counts, negative(counts)) == []
    detector = SurgeDetector()
    before = [c for c in counts if c.at < NOON]
    volume(before, detector)
    silence = [Count(NOON + i * STEP, 0, 0, complete=False) for i in range(60)]
    verdicts = volume(silence[:1], detector)  # closes the last bucket that was covered
    usual, known = detector.rhythm.rate(NOON.timestamp()), detector.known
    verdicts += volume(silence[1:], detector)
    assert {verdict.finding for verdict in verdicts} == {Finding.gap}
    assert detector.rhythm.rate(NOON.timestamp()) == usual
    assert detector.known == known


def test_what_is_counted_while_a_source_is_missing_may_still_be_enough() -> None:
    burst = Event(NOON, size=10, ramp=timedelta(minutes=10))
    counts = [
        replace(count, complete=count.at < NOON)
        for count in simulate(replace(QUIET, events=(burst,)))
    ]
    verdicts = volume(counts)
    assert fired(counts, verdicts)[0] < NOON + timedelta(minutes=20)
    assert not next(verdict for verdict in verdicts if verdict.alert).sure


def test_a_share_of_negative_posts_that_doubles_is_seen_though_the_volume_stays() -> None:
    counts = [
        replace(count, negative=round(count.posts * 0.55)) if count.at >= NOON else count
        for count in simulate(QUIET)
    ]
    alerts = fired(counts, negative(counts))
    assert alerts
    assert NOON <= alerts[0] <= NOON + timedelta(hours=1)
    assert fired(counts, volume(counts)) == []


def test_praise_raises_the_volume_alarm_and_not_the_negative_one() -> None:
    praise = Event(NOON, size=12, ramp=timedelta(minutes=10), negative_share=0.02)
    counts = list(simulate(replace(QUIET, events=(praise,))))
    assert len(fired(counts, volume(counts))) >= 1
    assert fired(counts, negative(counts)) == []


def test_a_daily_rhythm_is_learnt() -> None:
    detector = SurgeDetector()
    volume(simulate(replace(QUIET, daily=0.7)), detector)
    day = START + timedelta(days=12)
    night = detector.rhythm.rate((day + timedelta(hours=4)).timestamp())
    evening = detector.rhythm.rate((day + timedelta(hours=16)).timestamp())
    assert night is not None
    assert evening is not None
    assert evening > 2.5 * night


@pytest.mark.parametrize("mean", [0.05, 0.3, 2.0])
def test_the_usual_rate_of_a_small_brand_stays_near_the_truth(mean: float) -> None:
    silent = [Count(START + n * STEP, 0, 0) for n in range(100)]
    later = replace(QUIET, mean=mean, days=9, start=START + 100 * STEP, daily=0.3)
    counts = [*silent, *simulate(later)]
    for verdicts in (volume(counts), negative(counts)):
        usual = [verdict.baseline for verdict in verdicts if verdict.baseline is not None]
        assert usual
        assert max(usual) < 3 * 3 * mean + 0.3
    assert fired(counts, volume(counts)) == []


def test_a_wave_of_a_small_brand_is_seen_by_both_detectors() -> None:
    small = replace(QUIET, mean=0.6, days=12, negative_share=0.12)
    counts = [
        replace(count, posts=count.posts + 15, negative=count.negative + 11)
        if NOON <= count.at < NOON + timedelta(hours=1)
        else count
        for count in simulate(small)
    ]
    for verdicts in (volume(counts), negative(counts)):
        alerts = fired(counts, verdicts)
        assert NOON <= alerts[0] <= NOON + timedelta(minutes=10)


def test_a_lasting_change_of_level_becomes_usual() -> None:
    detector = SurgeDetector()
    volume(simulate(replace(QUIET, mean=10, days=10)), detector)
    later = replace(QUIET, mean=60, days=14, start=START + timedelta(days=10), seed=8)
    verdicts = volume(simulate(later), detector)
    assert verdicts[100].baseline is not None
    assert verdicts[-1].baseline is not None
    assert verdicts[-1].value / verdicts[-1].baseline < 2


@pytest.mark.parametrize("kind", [SurgeDetector, NegativeDetector])
def test_a_saved_state_goes_on_as_if_nothing_had_happened(kind: type[Detector]) -> None:
    counts = list(simulate(varied(5, days=4, events=2)))
    points = [Point(c.at, c.negative, c.posts) for c in counts]
    straight, stopped = kind(), kind()
    for number, point in enumerate(points):
        if number % 97 == 0:
            stopped = kind.from_state(json.loads(json.dumps(stopped.state())))
        assert straight.update(point) == stopped.update(point)
    assert straight.state() == stopped.state()


@pytest.mark.parametrize("kind", [SurgeDetector, NegativeDetector])
def test_the_state_keeps_its_size(kind: type[Detector]) -> None:
    detector, sizes = kind(), []
    for number, count in enumerate(simulate(replace(QUIET, days=60))):
        detector.update(Point(count.at, count.negative, count.posts))
        if number in {6000, 17000}:
            sizes.append(len(json.dumps(detector.state())))
    assert sizes[1] < 1.1 * sizes[0] < 6000


@pytest.mark.parametrize("kind", [SurgeDetector, NegativeDetector])
def test_a_state_of_another_version_is_refused(kind: type[Detector]) -> None:
    with pytest.raises(StateError):
        kind.from_state({"version": 999})
    with pytest.raises(StateError):
        kind.from_state({})


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_value_that_is_no_count_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="from 0 on"):
        SurgeDetector().update(Point(START, value))


def test_a_point_from_the_past_is_refused() -> None:
    detector = SurgeDetector()
    detector.update(Point(START, 1))
    with pytest.raises(ValueError, match="order of time"):
        detector.update(Point(START - STEP, 1))


def test_parts_of_a_bucket_add_up() -> None:
    whole, parts = SurgeDetector(), SurgeDetector()
    for count in simulate(replace(QUIET, days=3)):
        expected = whole.update(Point(count.at, count.posts))
        parts.update(Point(count.at, 0))
        got = parts.update(Point(count.at + timedelta(seconds=90), count.posts))
        assert got.value == expected.value


def test_hourly_counts_work_as_well() -> None:
    hourly = [Point(START + timedelta(hours=i), 100 + 10 * (i % 5)) for i in range(24 * 12)]
    detector = SurgeDetector()
    calm = [detector.update(point) for point in hourly]
    assert not any(verdict.alert for verdict in calm)
    verdict = detector.update(Point(START + timedelta(days=12), 900))
    assert verdict.alert
    assert verdict.window == 3600
    assert verdict.value == 900
    assert verdict.baseline == pytest.approx(120, rel=0.1)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.integers(0, 400), st.booleans()),
        min_size=1,
        max_size=300,
    )
)
def test_whatever_comes_the_score_is_in_range_and_agrees_with_the_alert(
    steps: list[tuple[int, int, bool]],
) -> None:
    detector, at = NegativeDetector(), datetime(2026, 1, 1, tzinfo=UTC)
    for seconds, posts, complete in steps:
        at += timedelta(seconds=seconds)
        verdict = detector.update(Point(at, posts // 3, posts, complete))
        assert 0 <= verdict.score <= 1
        assert verdict.alert == (verdict.score >= 0.5)


def test_the_wilson_interval_is_the_known_one() -> None:
    # 8 of 10 at 95 %: lower end 0.4902 (Wilson 1927, computed by hand from the formula).
    assert wilson_lower(8, 10, 1.96) == pytest.approx(0.4902, abs=1e-4)
    assert wilson_lower(0, 0, 3) == 0.0


def test_varied_streams_are_caught_with_few_false_alarms() -> None:
    caught = events = 0
    strays, days = 0, 0.0
    for seed in range(900, 906):
        stream = varied(seed)
        counts = list(simulate(stream))
        alerts = [at for at in fired(counts, volume(counts)) if at > START + timedelta(days=3)]
        explained = set()
        for event in stream.events:
            mine = {a for a in alerts if event.at <= a <= event.at + timedelta(hours=24)}
            soon = any(a <= event.at + timedelta(hours=8) for a in mine)
            events, caught = events + 1, caught + soon
            explained |= mine
        strays += len(set(alerts) - explained)
        days += stream.days - 3
    assert events == 30
    assert caught >= 24
    assert strays / days <= 0.15
