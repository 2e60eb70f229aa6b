"""What the charts read: sums over rollups, never over rows.

A page so costs the same at ten thousand and at ten million mentions. ``brand_keys`` are rollup
keys: brand ids, or ``ALL_BRANDS`` alone, under which a mention of several real brands counts once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.models import Rollup

SENTIMENTS = ("negative", "neutral", "positive", "unscored")
INTENTS = ("complaint", "enquiry", "suggestion", "praise", "other")
Dimension = Literal["platform", "language", "intent", "brand"]

_COLUMNS: dict[str, InstrumentedAttribute[str] | InstrumentedAttribute[int]] = {
    "platform": Rollup.platform,
    "language": Rollup.language,
    "intent": Rollup.intent,
    "brand": Rollup.brand_id,
}


@dataclass(frozen=True, slots=True)
class TrendFilter:
    """Which counts are asked for: bucket starts in ``[start, end)``; empty tuples mean all."""

    brand_keys: tuple[int, ...]
    start: datetime
    end: datetime
    platforms: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    def before(self) -> TrendFilter:
        """The same filter over the period of equal length that ends where this one starts."""
        return replace(self, start=self.start - (self.end - self.start), end=self.start)


@dataclass(frozen=True, slots=True)
class Counts:
    """Mentions by sentiment."""

    negative: int = 0
    neutral: int = 0
    positive: int = 0
    unscored: int = 0

    @property
    def mentions(self) -> int:
        """All of them, scored or not."""
        return self.negative + self.neutral + self.positive + self.unscored

    @property
    def scored(self) -> int:
        """Those that have a sentiment."""
        return self.negative + self.neutral + self.positive

    @property
    def negative_share(self) -> float | None:
        """Negative ones among the scored, 0..1; None when nothing is scored."""
        return self.negative / self.scored if self.scored else None

    @property
    def net_sentiment(self) -> float | None:
        """(positive - negative) / scored, -1..1; None when nothing is scored."""
        return (self.positive - self.negative) / self.scored if self.scored else None


@dataclass(frozen=True, slots=True)
class Bin:
    """One step of a chart: ``[start, end)`` and what was said in it."""

    start: datetime
    end: datetime
    counts: Counts


@dataclass(frozen=True, slots=True)
class Slice:
    """One platform, language, intent or brand (its id as text) and what was said there."""

    key: str
    counts: Counts


def _filtered(
    asked: TrendFilter, *columns: ColumnElement[object] | InstrumentedAttribute[object]
) -> Select[*tuple[Any, ...]]:
    wanted = select(*columns, Rollup.sentiment, func.sum(Rollup.mentions)).where(
        Rollup.brand_id.in_(asked.brand_keys),
        Rollup.bucket >= asked.start,
        Rollup.bucket < asked.end,
    )
    if asked.platforms:
        wanted = wanted.where(Rollup.platform.in_(asked.platforms))
    if asked.languages:
        wanted = wanted.where(Rollup.language.in_(asked.languages))
    return wanted.group_by(*columns, Rollup.sentiment)


def _counts(by_sentiment: dict[str, int]) -> Counts:
    return Counts(**{name: by_sentiment.get(name, 0) for name in SENTIMENTS})


def totals(session: Session, asked: TrendFilter) -> Counts:
    """The sum over the whole period."""
    return _counts({str(row[0]): int(row[1]) for row in session.execute(_filtered(asked))})


def series(session: Session, asked: TrendFilter, edges: Sequence[datetime]) -> list[Bin]:
    """The period cut at ``edges`` (ascending; the first is the start, the last the end).

    Where every edge lies on a full hour the database adds up hours first, which keeps long
    periods quick.
    """
    if len(edges) < 2:
        return []
    column: ColumnElement[object] | InstrumentedAttribute[object] = Rollup.bucket
    by_hour = all(edge.minute == 0 and edge.second == 0 for edge in edges[:-1])
    if by_hour:
        column = _hour(session)
    sums: list[dict[str, int]] = [{} for _ in edges[1:]]
    for moment, sentiment, count in session.execute(_filtered(asked, column)):
        place = bisect_right(edges, _aware(moment)) - 1
        if 0 <= place < len(sums):
            name = str(sentiment)
            sums[place][name] = sums[place].get(name, 0) + int(str(count))
    return [
        Bin(start, end, _counts(found))
        for start, end, found in zip(edges, edges[1:], sums, strict=False)
    ]


def _hour(session: Session) -> ColumnElement[object]:
    if session.get_bind().dialect.name == "sqlite":
        return func.substr(Rollup.bucket, 1, 13)
    # Written out, since PostgreSQL takes two parameters for two different expressions.
    return func.date_trunc(literal_column("'hour'"), Rollup.bucket, literal_column("'UTC'"))


def _aware(moment: object) -> datetime:
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromisoformat(f"{moment}:00:00").replace(tzinfo=UTC)


def by(session: Session, asked: TrendFilter, dimension: Dimension) -> list[Slice]:
    """The period by platform, language, intent or brand, the most mentioned first."""
    column = _COLUMNS[dimension]
    found: dict[str, dict[str, int]] = {}
    for key, sentiment, count in session.execute(_filtered(asked, column)):
        of_key = found.setdefault(str(key), {})
        of_key[str(sentiment)] = of_key.get(str(sentiment), 0) + int(str(count))
    return _largest_first(found)


def _largest_first(found: dict[str, dict[str, int]]) -> list[Slice]:
    slices = [Slice(key, _counts(counts)) for key, counts in found.items()]
    return sorted(
        (one for one in slices if one.counts.mentions),
        key=lambda one: (-one.counts.mentions, one.key),
    )


@dataclass(frozen=True, slots=True)
class Cube:
    """A period's counts by platform, language, intent and sentiment, from one reading.

    It is read without the filter's platforms and languages, so that the choices of a page and
    every way to cut its figures come from the same rows.
    """

    cells: tuple[tuple[str, str, str, str, int], ...]

    def values(self, dimension: Literal["platform", "language"]) -> list[str]:
        """What occurs in the period, the most mentioned first."""
        return [one.key for one in self.by(dimension)]

    def by(
        self,
        dimension: Literal["platform", "language", "intent"],
        platforms: Sequence[str] = (),
        languages: Sequence[str] = (),
    ) -> list[Slice]:
        """Slices of what passes the filter; empty filters pass everything."""
        place = ("platform", "language", "intent").index(dimension)
        found: dict[str, dict[str, int]] = {}
        for cell in self.cells:
            if (platforms and cell[0] not in platforms) or (languages and cell[1] not in languages):
                continue
            of_key = found.setdefault(str(cell[place]), {})
            of_key[cell[3]] = of_key.get(cell[3], 0) + cell[4]
        return _largest_first(found)


def cube(session: Session, asked: TrendFilter) -> Cube:
    """Read a period once for all its slices."""
    columns = (Rollup.platform, Rollup.language, Rollup.intent)
    rows = session.execute(_filtered(replace(asked, platforms=(), languages=()), *columns))
    return Cube(tuple((row[0], row[1], row[2], row[3], int(row[4])) for row in rows))


def choices(session: Session, asked: TrendFilter, dimension: Dimension) -> list[str]:
    """The values of a dimension that occur in the period, whatever the filter says of it."""
    open_filter = replace(asked, platforms=(), languages=())
    return [one.key for one in by(session, open_filter, dimension)]


def first_bucket(session: Session, brand_keys: Sequence[int]) -> datetime | None:
    """When the counts of these brands begin; None when nothing was ever counted."""
    return session.scalar(select(func.min(Rollup.bucket)).where(Rollup.brand_id.in_(brand_keys)))


def peak(bins: Sequence[Bin]) -> Bin | None:
    """The step with the most mentions, the earliest of equals."""
    return max(bins, key=lambda one: one.counts.mentions, default=None)
