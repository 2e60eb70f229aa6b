"""Figures add up, whichever way they are cut, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from dashboard import periods
from store import mention_list, trends
from store.clock import SetClock
from store.database import Store
from store.ingest import BrandHit, Incoming, ingest
from store.mention_list import MentionFilter
from store.models import ALL_BRANDS, MentionBrand
from store.posts import Post
from store.trends import TrendFilter
from tests.dashboard import seed


@pytest.fixture
def brands(store: Store, clock: SetClock) -> tuple[int, int]:
    with store.write() as session:
        own = seed.add_brand(session, "Own", clock.now()).id
        other = seed.add_brand(session, "Other", clock.now(), kind="competitor").id
    seed.add_posts(store, own, clock.now(), count=300, days=20)
    seed.add_posts(store, other, clock.now(), count=120, days=20, seed=2)
    return own, other


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Asia/Kolkata"])
def test_every_cut_of_a_period_has_the_same_sum(
    store: Store, clock: SetClock, brands: tuple[int, int], zone: str
) -> None:
    period = periods.make("30d", clock.now() + timedelta(minutes=10), ZoneInfo(zone))
    asked = TrendFilter((brands[0],), period.start, period.end)
    with store.read() as session:
        whole = trends.totals(session, asked)
        bins = trends.series(session, asked, period.edges)
        sums = [
            sum(one.counts.mentions for one in trends.by(session, asked, dimension))
            for dimension in ("platform", "language", "intent", "brand")
        ]
        rows = session.scalar(select(func.count()).where(MentionBrand.brand_id == brands[0]))
    assert whole.mentions == rows == 300
    assert sum(one.counts.mentions for one in bins) == 300
    assert sum(one.counts.negative for one in bins) == whole.negative
    assert sums == [300, 300, 300, 300]


def test_a_step_counts_what_was_posted_in_it(
    store: Store, clock: SetClock, brands: tuple[int, int]
) -> None:
    end = clock.now() + timedelta(hours=1)
    edges = [end - timedelta(hours=hours) for hours in range(48, -1, -1)]
    asked = TrendFilter((brands[0],), edges[0], edges[-1])
    with store.read() as session:
        bins = trends.series(session, asked, edges)
        counted = [
            session.scalar(
                select(func.count()).where(
                    MentionBrand.brand_id == brands[0],
                    MentionBrand.posted_at >= one.start,
                    MentionBrand.posted_at < one.end,
                )
            )
            for one in bins
        ]
    assert [one.counts.mentions for one in bins] == counted
    assert sum(one.counts.mentions for one in bins) > 10


def test_filters_narrow_and_the_choices_stay(
    store: Store, clock: SetClock, brands: tuple[int, int]
) -> None:
    end = clock.now() + timedelta(hours=1)
    asked = TrendFilter((brands[0],), end - timedelta(days=30), end, ("email",), ("zh",))
    with store.read() as session:
        found = trends.totals(session, asked).mentions
        platforms = trends.choices(session, asked, "platform")
        lines = mention_list.count(
            session,
            MentionFilter(
                (brands[0],), asked.start, asked.end, platforms=("email",), languages=("zh",)
            ),
        )
    assert 0 < found == lines < 300
    assert set(platforms) == {"bluesky", "email", "rss"}


def test_all_brands_counts_a_post_of_two_brands_once(
    store: Store, clock: SetClock, brands: tuple[int, int]
) -> None:
    now = clock.now()
    post = Post("rss", "both", "Own and Other compared", now - timedelta(hours=1))
    with store.write() as session:
        ingest(session, [Incoming(post, [BrandHit(one) for one in brands])], live=False, now=now)
    span = (now - timedelta(days=30), now + timedelta(hours=1))
    with store.read() as session:
        together = trends.totals(session, TrendFilter((ALL_BRANDS,), *span)).mentions
        each = [trends.totals(session, TrendFilter((one,), *span)).mentions for one in brands]
        lines, _ = mention_list.page(session, MentionFilter(brands, *span))
    assert (together, each) == (421, [301, 121])
    assert [line.id for line in lines].count(lines[0].id) == 1


def test_pages_of_mentions_hold_every_one_once(
    store: Store, clock: SetClock, brands: tuple[int, int]
) -> None:
    end = clock.now() + timedelta(hours=1)
    asked = MentionFilter(brands, end - timedelta(days=30), end)
    seen: list[int] = []
    place = None
    with store.read() as session:
        while True:
            lines, more = mention_list.page(session, asked, place, 50)
            seen += [line.id for line in lines]
            times = [(line.posted_at, line.id) for line in lines]
            assert times == sorted(times, reverse=True)
            if not more:
                break
            place = lines[-1].place
    assert len(seen) == len(set(seen)) == 420


def test_two_chinese_characters_are_found(
    store: Store, clock: SetClock, brands: tuple[int, int]
) -> None:
    end = clock.now() + timedelta(hours=1)
    asked = MentionFilter(brands, end - timedelta(days=30), end, words="退款")
    with store.read() as session:
        lines, _ = mention_list.page(session, asked, limit=200)
        everything = mention_list.count(session, MentionFilter(brands, asked.start, asked.end))
    assert 0 < len(lines) < everything
    assert all("退款" in line.text for line in lines)


def test_a_mention_of_another_brand_cannot_be_read(
    store: Store, clock: SetClock, brands: tuple[int, int]
) -> None:
    end = clock.now() + timedelta(hours=1)
    with store.read() as session:
        lines, _ = mention_list.page(
            session, MentionFilter((brands[0],), end - timedelta(days=30), end), limit=1
        )
        assert mention_list.one(session, lines[0].id, [brands[1]]) is None
        found = mention_list.one(session, lines[0].id, [brands[0]])
    assert found is not None
    assert found.brand_name == "Own"


def test_a_period_without_posts_is_a_row_of_zeros(store: Store) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    edges = [start + timedelta(hours=hour) for hour in range(4)]
    asked = TrendFilter((1,), edges[0], edges[-1])
    with store.read() as session:
        bins = trends.series(session, asked, edges)
        assert trends.first_bucket(session, (1,)) is None
    assert [one.counts.mentions for one in bins] == [0, 0, 0]
    assert bins[0].counts.negative_share is None


def test_one_reading_gives_the_same_slices_as_many(
    store: Store, clock: SetClock, brands: tuple[int, int]
) -> None:
    end = clock.now() + timedelta(hours=1)
    asked = TrendFilter((brands[0],), end - timedelta(days=30), end, ("bluesky",), ("en",))
    with store.read() as session:
        cube = trends.cube(session, asked)
        for dimension in ("platform", "language", "intent"):
            assert cube.by(dimension, ("bluesky",), ("en",)) == trends.by(session, asked, dimension)
        assert cube.values("platform") == trends.choices(session, asked, "platform")
