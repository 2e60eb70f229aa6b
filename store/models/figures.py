"""Rollups: counts in time buckets that charts and detectors read instead of rows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Key


class Rollup(Base):
    """How many mentions one brand has in one bucket with one set of properties.

    ``bucket`` is the UTC start, ``width`` its length in seconds (300, later compacted to 900 and
    3600). ``sentiment`` is negative, neutral, positive or unscored; ``intent`` one of the five or
    unscored. ``brand_id`` 0 counts every mention of real brands once. Only inbound mentions count.
    """

    __tablename__ = "rollup"
    __table_args__ = (Index("ix_rollup_bucket", "bucket"),)

    brand_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    bucket: Mapped[datetime] = mapped_column(primary_key=True)
    platform: Mapped[str] = mapped_column(String(40), primary_key=True)
    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    sentiment: Mapped[str] = mapped_column(String(10), primary_key=True)
    intent: Mapped[str] = mapped_column(String(12), primary_key=True)
    width: Mapped[int] = mapped_column(default=300)
    mentions: Mapped[int] = mapped_column(default=0)


class RollupAuthor(Base):
    """How many mentions an author has in a bucket; its rows are the distinct authors."""

    __tablename__ = "rollup_author"

    brand_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    bucket: Mapped[datetime] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(
        ForeignKey("author.id", ondelete="CASCADE"), primary_key=True
    )
    mentions: Mapped[int] = mapped_column(default=0)


class Watermark(Base):
    """Up to where a brand's buckets are closed.

    Everything before ``closed_until`` has been fed to the detectors and is never fed again, so
    late rows change figures and refire nothing. Buckets before ``live_from`` only teach the
    detectors what is usual; null means that nothing has been heard live yet.
    """

    __tablename__ = "watermark"

    brand_id: Mapped[int] = mapped_column(
        ForeignKey("brand.id", ondelete="CASCADE"), primary_key=True
    )
    closed_until: Mapped[datetime]
    live_from: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class RollupHorizon(Base):
    """Before ``before`` all rollups have buckets of at least ``width`` seconds."""

    __tablename__ = "rollup_horizon"

    width: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    before: Mapped[datetime]
