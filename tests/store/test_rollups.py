"""Rollups add up, follow every change and keep their sums when they are compacted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from store.assessments import claim_unassessed, record_assessments
from store.database import Store
from store.models import ALL_BRANDS, Rollup, RollupAuthor, RollupHorizon
from store.rollups import BUCKET_SECONDS, compact, floor, recount
from tests.builders import AReading, a_brand, a_post, take_in
from tests.conftest import START
from tests.store.test_ingest import counted


def test_a_bucket_starts_on_a_multiple_of_its_width() -> None:
    moment = datetime(2026, 3, 2, 9, 14, 59, tzinfo=UTC)
    assert floor(moment) == datetime(2026, 3, 2, 9, 10, tzinfo=UTC)
    assert floor(moment, 3600) == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert floor(datetime(1969, 12, 31, 23, 59, tzinfo=UTC)) == datetime(
        1969, 12, 31, 23, 55, tzinfo=UTC
    )


def test_compaction_keeps_every_sum_and_later_changes_find_their_bucket(store: Store) -> None:
    old = START - timedelta(days=420)
    posts = [
        a_post(str(i), author=f"a{i % 4}", posted_at=old + timedelta(hours=i)) for i in range(300)
    ] + [
        a_post(f"m{i}", posted_at=START - timedelta(days=40) + timedelta(minutes=5 * i))
        for i in range(60)
    ]
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, posts, brand, live=False)
    while True:
        with store.write() as session:
            compact(session, START, days=30)
            horizons = dict(
                session.execute(select(RollupHorizon.width, RollupHorizon.before)).all()
            )
        if horizons[900] == floor(START - timedelta(days=35), 86400):
            break
    with store.read() as session:
        assert counted(session, brand) == counted(session, ALL_BRANDS) == 360
        widths = set(session.scalars(select(Rollup.width)))
        assert BUCKET_SECONDS not in widths
        assert 900 in widths
        people = select(func.sum(RollupAuthor.mentions)).where(RollupAuthor.brand_id == brand)
        assert session.scalar(people) == 360
        assert not recount(session)
    with store.write() as session:
        waiting = claim_unassessed(session, "w", START, limit=500)
        record_assessments(session, [(w, AReading()) for w in waiting], START)
        take_in(session, [a_post("late", posted_at=old)], brand, live=False)
    with store.read() as session:
        assert counted(session, brand, sentiment="negative") == 360
        assert counted(session, brand, sentiment="unscored") == 1
        assert not recount(session)


def test_a_recount_finds_and_repairs_wrong_counts(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post(str(i)) for i in range(10)], brand)
        row = session.scalars(select(Rollup).where(Rollup.brand_id == brand)).one()
        row.mentions = 17
        session.flush()
        wrong = recount(session)
        assert list(wrong.mentions.values()) == [(17, 10)]
        recount(session, repair=True)
        assert not recount(session)
        assert counted(session, brand) == 10
