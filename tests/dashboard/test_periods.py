"""Periods are cut at the brand's own hours and midnights."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard import periods
from dashboard.formats import Formats, zone_of

NOW = datetime(2026, 3, 2, 9, 20, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "Asia/Kolkata", "America/New_York"])
def test_the_edges_cover_the_period_without_gap_or_overlap(zone: str) -> None:
    for key in ("1d", "7d", "30d", "90d"):
        made = periods.make(key, NOW, ZoneInfo(zone))
        assert (made.edges[0], made.edges[-1]) == (made.start, made.end)
        assert made.end == NOW
        assert all(a < b for a, b in zip(made.edges, made.edges[1:], strict=False))


def test_a_week_begins_at_the_brand_s_own_midnight() -> None:
    made = periods.make("7d", NOW, ZoneInfo("Asia/Shanghai"))
    assert made.start == datetime(2026, 2, 23, 16, tzinfo=UTC)  # 24 February, 00:00 in Shanghai
    assert made.step == "hour"
    assert len(made.edges) - 1 == 6 * 24 + 18


def test_a_day_of_summer_time_has_twenty_three_hours() -> None:
    now = datetime(2026, 3, 20, 12, tzinfo=UTC)
    made = periods.make("30d", now, ZoneInfo("America/New_York"))
    lengths = {b - a for a, b in zip(made.edges[:-1], made.edges[1:-1], strict=False)}
    assert lengths == {timedelta(hours=24), timedelta(hours=23)}


def test_own_dates_include_the_last_day_and_may_come_in_any_order() -> None:
    made = periods.make("own", NOW, ZoneInfo("UTC"), (date(2026, 2, 3), date(2026, 2, 1)))
    assert (made.start, made.end) == (
        datetime(2026, 2, 1, tzinfo=UTC),
        datetime(2026, 2, 4, tzinfo=UTC),
    )


def test_nonsense_is_read_as_a_week() -> None:
    assert periods.make("forever", NOW, ZoneInfo("UTC")).key == "7d"


def test_an_unknown_zone_is_utc() -> None:
    assert str(zone_of("Mars/Olympus")) == "UTC"


def test_figures_and_moments_follow_the_reader() -> None:
    english, chinese = Formats("en", "Asia/Shanghai"), Formats("zh", "Asia/Shanghai")
    assert english.moment(NOW) == "2 Mar 2026, 17:20"
    assert chinese.moment(NOW) == "2026年3月2日 17:20"
    assert english.ago(NOW - timedelta(minutes=5), NOW) == "5 min ago"
    assert chinese.ago(NOW - timedelta(minutes=5), NOW) == "5分钟前"
    assert english.number(12345.0) == "12,345"
    assert english.change(0.5) == "+50%"
    assert english.minutes(0.2) == "1 min"
    assert english.listing(["a", "b", "c"]) == "a, b and c"
    assert chinese.zone_name == "上海"
