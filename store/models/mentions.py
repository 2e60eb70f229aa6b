"""What people said: authors, conversations, mentions, and the brands each mention concerns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Json, Key

TRIAGE_READY = "triaged_at IS NULL AND (assessed_at IS NOT NULL OR direction = 'outbound')"
"""Which live mentions the triage stage may take, as the index and its query both say it."""


class Author(Base):
    """An identity on a platform. A ``Customer`` may own several."""

    __tablename__ = "author"
    __table_args__ = (UniqueConstraint("platform", "namespace", "external_id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    platform: Mapped[str] = mapped_column(String(40))
    namespace: Mapped[str] = mapped_column(String(200), default="")
    external_id: Mapped[str] = mapped_column(String(400))
    handle: Mapped[str] = mapped_column(String(400), default="")
    name: Mapped[str] = mapped_column(String(400), default="")
    url: Mapped[str | None] = mapped_column(Text)
    followers: Mapped[int | None]
    first_seen_at: Mapped[datetime]
    customer_id: Mapped[int | None] = mapped_column(
        ForeignKey("customer.id", ondelete="SET NULL"), index=True
    )


class Conversation(Base):
    """A thread on a platform: the root post and everything that answers it."""

    __tablename__ = "conversation"
    __table_args__ = (UniqueConstraint("platform", "namespace", "external_id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    platform: Mapped[str] = mapped_column(String(40))
    namespace: Mapped[str] = mapped_column(String(200), default="")
    external_id: Mapped[str] = mapped_column(String(400))
    title: Mapped[str] = mapped_column(String(400), default="")
    created_at: Mapped[datetime]


class Mention(Base):
    """One post, comment, message or article, stored once.

    Identity is ``(platform, namespace, external_id)``. ``live`` is false for history, which is
    scored and counted but opens no tickets and sends no notifications. ``direction`` is inbound
    (from the public) or outbound (from one of our own accounts). ``deleted_at`` marks a tombstone:
    the text is gone, the counts stay. ``channel_ref`` is what the reply channel needs to answer in
    the thread. A mention waits for the assess stage while ``assessed_at`` is null and for the
    triage stage while ``triaged_at`` is null.
    """

    __tablename__ = "mention"
    __table_args__ = (
        UniqueConstraint("platform", "namespace", "external_id"),
        CheckConstraint("direction in ('inbound', 'outbound')", name="direction"),
        Index("ix_mention_conversation_posted", "conversation_id", "posted_at"),
        Index("ix_mention_author_posted", "author_id", "posted_at"),
        Index("ix_mention_posted_id", "posted_at", "id"),
        Index(
            "ix_mention_unassessed",
            "live",
            "id",
            sqlite_where=text("assessed_at IS NULL"),
            postgresql_where=text("assessed_at IS NULL"),
        ),
        Index(
            "ix_mention_untriaged",
            "id",
            sqlite_where=text("triaged_at IS NULL"),
            postgresql_where=text("triaged_at IS NULL"),
        ),
        Index(  # history is never triaged, so it must not stand in the way of what is
            "ix_mention_triage",
            "posted_at",
            "id",
            sqlite_where=text(f"live = 1 AND {TRIAGE_READY}"),
            postgresql_where=text(f"live AND {TRIAGE_READY}"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    platform: Mapped[str] = mapped_column(String(40))
    namespace: Mapped[str] = mapped_column(String(200), default="")
    external_id: Mapped[str] = mapped_column(String(400))
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id", ondelete="SET NULL"))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    in_reply_to: Mapped[str | None] = mapped_column(String(400))  # external id of the parent
    direction: Mapped[str] = mapped_column(String(10), default="inbound")
    kind: Mapped[str] = mapped_column(String(20), default="post")  # post reply repost email article
    live: Mapped[bool]
    title: Mapped[str] = mapped_column(Text, default="")
    text: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(8), default="und")
    url: Mapped[str | None] = mapped_column(Text)
    posted_at: Mapped[datetime]
    collected_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    engagement: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    channel_ref: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    assessed_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(String(80))
    claim_expires_at: Mapped[datetime | None]
    triaged_at: Mapped[datetime | None]


class MentionEdit(Base):
    """An earlier text of a mention that was edited on its platform."""

    __tablename__ = "mention_edit"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    mention_id: Mapped[int] = mapped_column(
        ForeignKey("mention.id", ondelete="CASCADE"), index=True
    )
    text: Mapped[str] = mapped_column(Text)
    replaced_at: Mapped[datetime]


class MentionBrand(Base):
    """A mention seen from one brand: its effective understanding and what the rollups hold of it.

    ``counted_*`` are the values that stand in the rollups now; a change subtracts exactly these.
    ``counted_sentiment`` is ``unscored`` until the mention is assessed, ``None`` when nothing is
    counted. Of a mention's real brands the first one ``leads``: it also counts for "all brands".
    """

    __tablename__ = "mention_brand"
    __table_args__ = (
        Index("ix_mention_brand_list", "brand_id", "posted_at", "mention_id"),
        Index("ix_mention_brand_mention", "mention_id"),
    )

    brand_id: Mapped[int] = mapped_column(
        ForeignKey("brand.id", ondelete="CASCADE"), primary_key=True
    )
    mention_id: Mapped[int] = mapped_column(
        ForeignKey("mention.id", ondelete="CASCADE"), primary_key=True
    )
    query_id: Mapped[int | None] = mapped_column(ForeignKey("search_query.id", ondelete="SET NULL"))
    posted_at: Mapped[datetime]  # copied from the mention, so that a list needs one index
    sentiment: Mapped[str | None] = mapped_column(String(10))  # effective: override or assessment
    intent: Mapped[str | None] = mapped_column(String(12))
    leads: Mapped[bool] = mapped_column(default=False)
    counted_sentiment: Mapped[str | None] = mapped_column(String(10))
    counted_intent: Mapped[str | None] = mapped_column(String(12))
    counted_language: Mapped[str | None] = mapped_column(String(8))


class MentionVector(Base):
    """Sentence vector of a mention: 384 float16 values, L2-normalised, little-endian."""

    __tablename__ = "mention_vector"

    mention_id: Mapped[int] = mapped_column(
        ForeignKey("mention.id", ondelete="CASCADE"), primary_key=True
    )
    model: Mapped[str] = mapped_column(String(120))
    vector: Mapped[bytes] = mapped_column(LargeBinary)
