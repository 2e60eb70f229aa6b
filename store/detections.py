"""What the watch stage reads and keeps: counts, coverage, detector states and watermarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from store.bulk import table_of, upsert
from store.models import (
    Detection,
    DetectorState,
    Mention,
    MentionBrand,
    Rollup,
    RollupAuthor,
    Source,
    Watermark,
)


@dataclass(frozen=True, slots=True)
class BucketCounts:
    """A brand's mentions in a span of time, by sentiment."""

    negative: int = 0
    neutral: int = 0
    positive: int = 0
    unscored: int = 0

    @property
    def mentions(self) -> int:
        """All of them."""
        return self.scored + self.unscored

    @property
    def scored(self) -> int:
        """Those with a sentiment."""
        return self.negative + self.neutral + self.positive

    def __add__(self, other: BucketCounts) -> BucketCounts:
        return BucketCounts(
            self.negative + other.negative,
            self.neutral + other.neutral,
            self.positive + other.positive,
            self.unscored + other.unscored,
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """An enabled source that is polled for a brand, and up to when it has seen everything.

    ``healthy`` sources ended their last run well, at ``last_success_at``; ``waiting`` ones are due
    since ``next_run_at`` and nobody has taken them.
    """

    source_id: int
    interval: timedelta
    covered_until: datetime | None
    last_success_at: datetime | None
    next_run_at: datetime | None
    healthy: bool
    waiting: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """A post of a brand, as far as finding out what it is about needs it."""

    mention_id: int
    author_id: int | None
    text: str
    sentiment: str | None
    kind: str
    platform: str
    posted_at: datetime
    engagement: Mapping[str, Any]


def lock_watermark(session: Session, brand_id: int) -> Watermark | None:
    """A brand's watermark, locked until the transaction ends; None before the first watch."""
    return session.get(Watermark, brand_id, with_for_update=True, populate_existing=True)


def begin_watermark(
    session: Session, brand_id: int, closed_until: datetime, now: datetime
) -> Watermark:
    """Make a brand's watermark, or lock the one that another process has made meanwhile."""
    session.execute(
        upsert(session, Watermark)
        .values(brand_id=brand_id, closed_until=closed_until, updated_at=now)
        .on_conflict_do_nothing(index_elements=["brand_id"])
    )
    mark = lock_watermark(session, brand_id)
    assert mark is not None
    return mark


def coverages(session: Session, brand_id: int) -> list[Coverage]:
    """Enabled sources that are polled for this brand, or for all brands."""
    rows = session.scalars(
        select(Source)
        .where(or_(Source.brand_id == brand_id, Source.brand_id.is_(None)))
        .where(Source.enabled, Source.connector != "file")
        .order_by(Source.id)
    )
    return [
        Coverage(
            source_id=row.id,
            interval=timedelta(seconds=row.interval_seconds),
            covered_until=row.covered_until,
            last_success_at=row.last_success_at,
            next_run_at=row.next_run_at,
            healthy=row.state == "ok",
            waiting=row.claimed_by is None and row.next_run_at is not None,
            created_at=row.created_at,
        )
        for row in rows
    ]


def first_bucket(session: Session, brand_id: int, since: datetime) -> datetime | None:
    """The first bucket from ``since`` on that counts anything."""
    return session.scalar(
        select(func.min(Rollup.bucket)).where(Rollup.brand_id == brand_id, Rollup.bucket >= since)
    )


def last_bucket(session: Session, brand_id: int, before: datetime) -> datetime | None:
    """The last bucket before a moment that counts anything."""
    return session.scalar(
        select(func.max(Rollup.bucket)).where(Rollup.brand_id == brand_id, Rollup.bucket < before)
    )


def first_live_post(session: Session, brand_id: int, since: datetime) -> datetime | None:
    """When the first live mention of a brand from ``since`` on was posted."""
    return session.scalar(
        select(func.min(MentionBrand.posted_at))
        .join(Mention, Mention.id == MentionBrand.mention_id)
        .where(MentionBrand.brand_id == brand_id, MentionBrand.posted_at >= since, Mention.live)
    )


def live_posts(session: Session, brand_id: int, since: datetime, until: datetime) -> int:
    """How many counted mentions posted in ``[since, until)`` are live, no history."""
    found = session.scalar(
        select(func.count())
        .select_from(MentionBrand)
        .join(Mention, Mention.id == MentionBrand.mention_id)
        .where(
            MentionBrand.brand_id == brand_id,
            MentionBrand.posted_at >= since,
            MentionBrand.posted_at < until,
            MentionBrand.counted_sentiment.is_not(None),
            Mention.live,
        )
    )
    return found or 0


def counts(
    session: Session, brand_id: int, since: datetime, until: datetime
) -> dict[datetime, BucketCounts]:
    """Counts of the buckets that start in ``[since, until)``; empty buckets are left out."""
    rows = session.execute(
        select(Rollup.bucket, Rollup.sentiment, func.sum(Rollup.mentions))
        .where(Rollup.brand_id == brand_id, Rollup.bucket >= since, Rollup.bucket < until)
        .group_by(Rollup.bucket, Rollup.sentiment)
    )
    found: dict[datetime, dict[str, int]] = {}
    for bucket, sentiment, mentions in rows:
        found.setdefault(bucket, {})[sentiment] = int(mentions)
    return {bucket: BucketCounts(**by_name) for bucket, by_name in found.items()}


def total(session: Session, brand_id: int, since: datetime, until: datetime) -> BucketCounts:
    """What all buckets that start in ``[since, until)`` hold together."""
    rows = session.execute(
        select(Rollup.sentiment, func.sum(Rollup.mentions))
        .where(Rollup.brand_id == brand_id, Rollup.bucket >= since, Rollup.bucket < until)
        .group_by(Rollup.sentiment)
    )
    return BucketCounts(**{sentiment: int(mentions) for sentiment, mentions in rows})


def distinct_authors(session: Session, brand_id: int, since: datetime, until: datetime) -> int:
    """How many different authors mentioned a brand in buckets that start in ``[since, until)``."""
    found = session.scalar(
        select(func.count(RollupAuthor.author_id.distinct())).where(
            RollupAuthor.brand_id == brand_id,
            RollupAuthor.bucket >= since,
            RollupAuthor.bucket < until,
            RollupAuthor.mentions > 0,
        )
    )
    return found or 0


def evidence(
    session: Session,
    brand_id: int,
    since: datetime,
    until: datetime,
    sentiments: Sequence[str | None],
    limit: int = 400,
) -> list[Evidence]:
    """The newest inbound posts of ``[since, until)`` with one of these sentiments, texts included.

    None among ``sentiments`` takes in posts that are not scored yet. Posts deleted on their
    platform are left out.
    """
    wanted = [MentionBrand.sentiment.in_([name for name in sentiments if name is not None])]
    if None in sentiments:
        wanted.append(MentionBrand.sentiment.is_(None))
    rows = session.execute(
        select(
            Mention.id,
            Mention.author_id,
            Mention.text,
            MentionBrand.sentiment,
            Mention.kind,
            Mention.platform,
            Mention.posted_at,
            Mention.engagement,
        )
        .join(Mention, Mention.id == MentionBrand.mention_id)
        .where(
            MentionBrand.brand_id == brand_id,
            MentionBrand.posted_at >= since,
            MentionBrand.posted_at < until,
            MentionBrand.counted_sentiment.is_not(None),
            Mention.deleted_at.is_(None),
            or_(*wanted),
        )
        .order_by(MentionBrand.posted_at.desc(), MentionBrand.mention_id.desc())
        .limit(limit)
    )
    return [Evidence(*row) for row in rows]


def detector_states(session: Session, brand_id: int) -> dict[str, dict[str, Any]]:
    """What each of a brand's detectors remembered, by metric."""
    rows = session.execute(
        select(DetectorState.metric, DetectorState.state).where(DetectorState.brand_id == brand_id)
    )
    return {metric: dict(state) for metric, state in rows}


def save_detector_state(
    session: Session, brand_id: int, metric: str, state: Mapping[str, Any], now: datetime
) -> None:
    """Keep what a detector remembers, in the transaction that moves the watermark."""
    insert = upsert(session, DetectorState).values(
        brand_id=brand_id, metric=metric, state=dict(state), updated_at=now
    )
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["brand_id", "metric"],
            set_={"state": insert.excluded.state, "updated_at": insert.excluded.updated_at},
        )
    )


def forget_detector_states(session: Session, brand_id: int, metrics: Sequence[str]) -> None:
    """Let these detectors of a brand begin afresh."""
    session.execute(
        delete(DetectorState).where(
            DetectorState.brand_id == brand_id, DetectorState.metric.in_(metrics)
        )
    )


def fired(session: Session, brand_id: int, bucket: datetime) -> set[str]:
    """Metrics whose detectors have fired in a bucket."""
    return set(
        session.scalars(
            select(Detection.metric).where(
                Detection.brand_id == brand_id, Detection.bucket == bucket
            )
        )
    )


def add_detection(session: Session, **values: Any) -> int | None:
    """Write that a detector fired in a bucket; None when that bucket is written already."""
    return session.execute(
        upsert(session, Detection)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["brand_id", "metric", "bucket"])
        .returning(table_of(Detection).c.id)
    ).scalar_one_or_none()


def detections_of(session: Session, incident_id: int) -> Sequence[Detection]:
    """Detections that belong to an incident, oldest first."""
    return session.scalars(
        select(Detection)
        .where(Detection.incident_id == incident_id)
        .order_by(Detection.bucket, Detection.metric)
    ).all()
