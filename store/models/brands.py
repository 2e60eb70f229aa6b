"""Brands, the queries that find them, and the sources that are listened to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Json, Key

ALL_BRANDS = 0
"""Rollup key under which every mention of a real brand counts once, however many it concerns."""


class Brand(Base):
    """A brand that is watched.

    ``kind`` is own or competitor (a competitor's mentions never open tickets); ``realm`` is real,
    demo or drill (the last two stay out of real figures, exports and notifications).
    """

    __tablename__ = "brand"
    __table_args__ = (
        CheckConstraint("kind in ('own', 'competitor')", name="kind"),
        CheckConstraint("realm in ('real', 'demo', 'drill')", name="realm"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(20), default="own")
    realm: Mapped[str] = mapped_column(String(20), default="real")
    priority: Mapped[int] = mapped_column(default=100)  # the lowest number owns a shared ticket
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    handles: Mapped[list[str]] = mapped_column(Json, default=list)  # own accounts: "@acme"
    created_at: Mapped[datetime]


class SearchQuery(Base):
    """Words that make a post a mention of a brand, and words that rule it out."""

    __tablename__ = "search_query"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    brand_id: Mapped[int] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class Source(Base):
    """A platform account, feed, mailbox or query that is polled (or pushed to us).

    ``state``: new (never ran), ok, failing (will be tried again at ``next_run_at``), paused (a
    person must act: see ``last_error``). ``cursor`` is the connector's own; it moves only in the
    transaction that stores the mentions it passes. ``covered_until`` is the moment up to which
    everything posted has been seen, which closes buckets for the watch stage.
    """

    __tablename__ = "source"
    __table_args__ = (
        CheckConstraint("state in ('new', 'ok', 'failing', 'paused')", name="state"),
        Index("ix_source_due", "enabled", "next_run_at"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    connector: Mapped[str] = mapped_column(String(40))  # rss, bluesky, email, demo, file …
    brand_id: Mapped[int | None] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    config: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    secrets: Mapped[bytes | None] = mapped_column(LargeBinary)  # encrypted, see store.secrets
    cursor: Mapped[dict[str, Any] | None] = mapped_column(Json)
    interval_seconds: Mapped[int] = mapped_column(default=60)
    enabled: Mapped[bool] = mapped_column(default=True)
    state: Mapped[str] = mapped_column(String(20), default="new")
    next_run_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(String(80))
    claim_expires_at: Mapped[datetime | None]
    covered_until: Mapped[datetime | None]
    last_run_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)
    last_error_at: Mapped[datetime | None]
    consecutive_failures: Mapped[int] = mapped_column(default=0)
    budget_usd: Mapped[float | None]  # per calendar month; None means no limit
    spent_usd: Mapped[float] = mapped_column(default=0.0)
    spent_month: Mapped[str | None] = mapped_column(String(7))  # "2026-11"
    created_at: Mapped[datetime]


class SourceRun(Base):
    """One run of a source: what came of it. Calls that fail are not a quiet public."""

    __tablename__ = "source_run"
    __table_args__ = (Index("ix_source_run_source_started", "source_id", "started_at"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(String(20))  # ok, limited, failed, paused
    seen: Mapped[int] = mapped_column(default=0)
    added: Mapped[int] = mapped_column(default=0)
    message: Mapped[str | None] = mapped_column(Text)
