"""Rollups: counts in time buckets, changed by deltas, compacted with age, rebuilt from rows.

Every change of what a mention counts as subtracts the values that were counted for it and adds the
new ones, in the transaction that makes the change. Rows are written in key order, so that two
transactions on PostgreSQL meet them in the same order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.bulk import execute_many, table_of, upsert
from store.models import (
    ALL_BRANDS,
    Mention,
    MentionBrand,
    Rollup,
    RollupAuthor,
    RollupHorizon,
)

BUCKET_SECONDS = 300
UNSCORED = "unscored"
COMPACTION = ((900, timedelta(days=35)), (3600, timedelta(days=400)))
"""Bucket widths in seconds and the age from which they hold."""


@lru_cache(8192)
def floor(moment: datetime, width: int = BUCKET_SECONDS) -> datetime:
    """The start of the bucket of ``width`` seconds that holds a moment."""
    return datetime.fromtimestamp(moment.timestamp() // width * width, UTC)


class Counted(NamedTuple):
    """The properties under which a mention stands in the rollups."""

    platform: str
    language: str
    sentiment: str
    intent: str


_COLUMNS = ("brand_id", "bucket", "width", "platform", "language", "sentiment", "intent")
_Key = tuple[int, datetime, int, str, str, str, str]


@dataclass(slots=True)
class Deltas:
    """Changes of counts that are gathered first and written in one go."""

    horizons: list[tuple[int, datetime]]
    mentions: Counter[_Key] = field(default_factory=Counter)
    authors: Counter[tuple[int, datetime, int]] = field(default_factory=Counter)

    @classmethod
    def open(cls, session: Session) -> Deltas:
        """Start gathering; compaction waits until the transaction ends."""
        rows = session.execute(
            select(RollupHorizon.width, RollupHorizon.before).with_for_update(read=True)
        )
        return cls(sorted(((width, before) for width, before in rows), reverse=True))

    def width_at(self, moment: datetime) -> int:
        """How long, in seconds, the bucket that holds a moment is by now."""
        for width, before in self.horizons:
            if moment < before:
                return width
        return BUCKET_SECONDS

    def count(self, brand_id: int, posted_at: datetime, as_what: Counted, by: int) -> None:
        """Add ``by`` (perhaps negative) mentions of a brand."""
        width = self.width_at(posted_at)
        self.mentions[(brand_id, floor(posted_at, width), width, *as_what)] += by

    def count_author(self, brand_id: int, posted_at: datetime, author_id: int, by: int) -> None:
        """Add ``by`` mentions of an author to a brand's bucket."""
        width = self.width_at(posted_at)
        self.authors[brand_id, floor(posted_at, width), author_id] += by

    def write(self, session: Session) -> None:
        """Bring the changes into the tables, in key order."""
        rows = [
            {**dict(zip(_COLUMNS, key, strict=True)), "mentions": by}
            for key, by in sorted(self.mentions.items())
            if by
        ]
        insert = upsert(session, Rollup)
        execute_many(
            session,
            insert.on_conflict_do_update(
                index_elements=list(table_of(Rollup).primary_key.columns),
                set_={"mentions": Rollup.mentions + insert.excluded.mentions},
            ),
            rows,
        )
        people = [
            {"brand_id": brand, "bucket": bucket, "author_id": author, "mentions": by}
            for (brand, bucket, author), by in sorted(self.authors.items())
            if by
        ]
        insert = upsert(session, RollupAuthor)
        execute_many(
            session,
            insert.on_conflict_do_update(
                index_elements=list(table_of(RollupAuthor).primary_key.columns),
                set_={"mentions": RollupAuthor.mentions + insert.excluded.mentions},
            ),
            people,
        )
        self.mentions.clear()
        self.authors.clear()


def compact(session: Session, now: datetime, days: int = 1) -> int:
    """Merge buckets that have come of age into longer ones; returns the rows that went away.

    At most ``days`` days of each width are done in one call, so that the transaction stays short;
    call again until it gives 0.
    """
    gone = 0
    for width, age in COMPACTION:
        goal = floor(now - age, 86400)
        row = session.get(RollupHorizon, width, with_for_update=True)
        if row is None:
            oldest = session.scalar(select(func.min(Rollup.bucket)))
            if oldest is None:
                continue
            row = RollupHorizon(width=width, before=min(floor(oldest, 86400), goal))
            session.add(row)
        if row.before >= goal:
            continue
        until = min(goal, row.before + timedelta(days=days))
        gone += _merge(session, row.before, until, width)
        row.before = until
    return gone


def _merge(session: Session, since: datetime, until: datetime, width: int) -> int:
    span = (Rollup.bucket >= since, Rollup.bucket < until, Rollup.width < width)
    old = session.execute(
        select(
            Rollup.brand_id,
            Rollup.bucket,
            Rollup.platform,
            Rollup.language,
            Rollup.sentiment,
            Rollup.intent,
            Rollup.mentions,
        ).where(*span)
    ).all()
    deltas = Deltas([(width, until)])
    for brand, bucket, platform, language, sentiment, intent, mentions in old:
        deltas.count(brand, bucket, Counted(platform, language, sentiment, intent), mentions)
    people_span = (RollupAuthor.bucket >= since, RollupAuthor.bucket < until)
    people = session.execute(
        select(
            RollupAuthor.brand_id,
            RollupAuthor.bucket,
            RollupAuthor.author_id,
            RollupAuthor.mentions,
        ).where(*people_span)
    ).all()
    for brand, bucket, author, mentions in people:
        deltas.count_author(brand, bucket, author, mentions)
    session.execute(delete(Rollup).where(*span))
    session.execute(delete(RollupAuthor).where(*people_span))
    gone = len(old) - len(deltas.mentions)
    deltas.write(session)
    return gone


@dataclass(frozen=True, slots=True)
class Recount:
    """What a recount from rows found: keys whose stored count differs, as (stored, true)."""

    mentions: dict[tuple[object, ...], tuple[int, int]]
    authors: dict[tuple[object, ...], tuple[int, int]]

    def __bool__(self) -> bool:
        return bool(self.mentions or self.authors)


def recount(session: Session, repair: bool = False) -> Recount:
    """Count all mentions again and compare with the rollups; ``repair`` writes the true counts."""
    truth = Deltas.open(session)
    for row in _counted_rows(session):
        brand_id, author_id, posted_at, counted, leads = row
        truth.count(brand_id, posted_at, counted, 1)
        if author_id is not None:
            truth.count_author(brand_id, posted_at, author_id, 1)
        if leads:
            truth.count(ALL_BRANDS, posted_at, counted, 1)
            if author_id is not None:
                truth.count_author(ALL_BRANDS, posted_at, author_id, 1)
    stored = {
        (r.brand_id, r.bucket, r.width, r.platform, r.language, r.sentiment, r.intent): r.mentions
        for r in session.scalars(select(Rollup))
        if r.mentions
    }
    stored_people = {
        (r.brand_id, r.bucket, r.author_id): r.mentions
        for r in session.scalars(select(RollupAuthor))
        if r.mentions
    }
    result = Recount(
        _differences(stored, truth.mentions), _differences(stored_people, truth.authors)
    )
    if repair and result:
        session.execute(delete(Rollup))
        session.execute(delete(RollupAuthor))
        session.expire_all()
        truth.write(session)
    return result


def _differences(
    stored: Mapping[Any, int], true: Mapping[Any, int]
) -> dict[tuple[object, ...], tuple[int, int]]:
    pairs = {key: (stored.get(key, 0), true.get(key, 0)) for key in {*stored, *true}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _counted_rows(
    session: Session,
) -> Iterator[tuple[int, int | None, datetime, Counted, bool]]:
    """Every counted pair of mention and brand; the last value marks the one that leads."""
    rows = session.execute(
        select(
            MentionBrand.brand_id,
            Mention.author_id,
            MentionBrand.posted_at,
            Mention.platform,
            MentionBrand.counted_language,
            MentionBrand.counted_sentiment,
            MentionBrand.counted_intent,
            MentionBrand.leads,
        )
        .join(Mention, Mention.id == MentionBrand.mention_id)
        .where(MentionBrand.counted_sentiment.is_not(None))
        .execution_options(yield_per=5000)
    )
    for brand, author, posted_at, platform, language, sentiment, intent, leads in rows:
        counted = Counted(platform, language or "und", sentiment or UNSCORED, intent or UNSCORED)
        yield brand, author, posted_at, counted, leads
