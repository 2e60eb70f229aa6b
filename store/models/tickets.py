"""The desk: tickets, their clocks, replies, wording, articles and customers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Json, Key


class NumberSeries(Base):
    """The last number given out under a prefix and year; numbers are never reused."""

    __tablename__ = "number_series"

    prefix: Mapped[str] = mapped_column(String(8), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class Customer(Base):
    """One person or organisation, however many platform identities (authors) they use."""

    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(400), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    vip: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class Ticket(Base):
    """A case that staff work on. ``category`` is complaint, enquiry, suggestion, praise or other.

    ``priority_parts`` explains the priority: each part with its points.
    """

    __tablename__ = "ticket"
    __table_args__ = (
        CheckConstraint("status in ('open', 'pending', 'snoozed', 'resolved')", name="status"),
        CheckConstraint("priority in ('low', 'normal', 'high', 'urgent')", name="priority"),
        Index("ix_ticket_brand_status_id", "brand_id", "status", "id"),
        Index("ix_ticket_assignee_status", "assignee_id", "status"),
        Index("ix_ticket_inbound", "last_inbound_at", "id"),
        Index("ix_ticket_status_inbound", "status", "last_inbound_at", "id"),
        Index("ix_ticket_brand_status_inbound", "brand_id", "status", "last_inbound_at", "id"),
        Index(
            "ix_ticket_counted",
            "status",
            "brand_id",
            "assignee_id",
            sqlite_where=text("merged_into_id IS NULL"),
            postgresql_where=text("merged_into_id IS NULL"),
        ),
        Index(
            "ix_ticket_merged",
            "merged_into_id",
            sqlite_where=text("merged_into_id IS NOT NULL"),
            postgresql_where=text("merged_into_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    brand_id: Mapped[int] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    customer_id: Mapped[int | None] = mapped_column(
        ForeignKey("customer.id", ondelete="SET NULL"), index=True
    )
    category: Mapped[str] = mapped_column(String(12))
    status: Mapped[str] = mapped_column(String(10), default="open")
    priority: Mapped[str] = mapped_column(String(10), default="normal")
    priority_points: Mapped[int] = mapped_column(default=0)
    priority_parts: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    subject: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(8), default="und")
    platform: Mapped[str] = mapped_column(String(40), default="")
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    last_inbound_at: Mapped[datetime]
    first_replied_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="SET NULL"))


class TicketConversation(Base):
    """Which conversations a ticket covers. A conversation has at most one active ticket."""

    __tablename__ = "ticket_conversation"
    __table_args__ = (
        Index(
            "uq_ticket_conversation_active",
            "conversation_id",
            unique=True,
            sqlite_where=text("active = 1"),
            postgresql_where=text("active"),
        ),
    )

    ticket_id: Mapped[int] = mapped_column(
        ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True
    )
    conversation_id: Mapped[int] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    active: Mapped[bool] = mapped_column(default=True)
    linked_at: Mapped[datetime]


class TicketEvent(Base):
    """One line of a ticket's history: opened, mention, assigned, note, replied, resolved …"""

    __tablename__ = "ticket_event"
    __table_args__ = (Index("ix_ticket_event_ticket_at", "ticket_id", "at"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(30))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id", ondelete="SET NULL"))
    detail: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class BusinessCalendar(Base):
    """When a team works. ``weekly`` maps "0".."6" (Monday first) to spans like "09:00-18:00"."""

    __tablename__ = "business_calendar"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    time_zone: Mapped[str] = mapped_column(String(64))
    weekly: Mapped[dict[str, Any]] = mapped_column(Json)
    holidays: Mapped[str | None] = mapped_column(String(8))  # country code; CN knows 调休
    closed_days: Mapped[list[str]] = mapped_column(Json, default=list)  # ISO dates of one's own


class SlaPolicy(Base):
    """Time limits of a class of ticket, in minutes of the calendar. ``brand_id`` null: default."""

    __tablename__ = "sla_policy"
    __table_args__ = (UniqueConstraint("brand_id", "category"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    brand_id: Mapped[int | None] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    category: Mapped[str] = mapped_column(String(12))
    first_response_minutes: Mapped[int]
    resolution_minutes: Mapped[int]
    calendar_id: Mapped[int] = mapped_column(ForeignKey("business_calendar.id"))


class SlaClock(Base):
    """A running, paused or stopped clock of a ticket. Minutes count in business time."""

    __tablename__ = "sla_clock"
    __table_args__ = (
        UniqueConstraint("ticket_id", "kind"),
        CheckConstraint("kind in ('first_response', 'resolution')", name="kind"),
        Index(
            "ix_sla_clock_running",
            "due_at",
            sqlite_where=text("stopped_at IS NULL AND paused_at IS NULL"),
            postgresql_where=text("stopped_at IS NULL AND paused_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    calendar_id: Mapped[int] = mapped_column(ForeignKey("business_calendar.id"))
    limit_minutes: Mapped[int]
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    paused_at: Mapped[datetime | None]
    left_minutes: Mapped[float | None]  # business minutes left when it was paused
    stopped_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]


class Reply(Base):
    """An answer of ours. It is saved as sending before anything leaves, under its own key.

    ``sent`` came back from the platform or was found there; ``uncertain`` means that the platform
    cannot be asked whether it arrived, so a person decides. ``namespace`` and ``external_id`` are
    what the platform calls it.
    """

    __tablename__ = "reply"
    __table_args__ = (
        CheckConstraint(
            "status in ('draft', 'in_review', 'approved', 'sending', 'sent', 'failed', "
            "'uncertain', 'by_hand')",
            name="status",
        ),
        Index("ix_reply_ticket", "ticket_id"),
        Index(
            "ix_reply_outgoing",
            "next_attempt_at",
            sqlite_where=text("status in ('approved', 'sending')"),
            postgresql_where=text("status in ('approved', 'sending')"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"))
    mention_id: Mapped[int] = mapped_column(
        ForeignKey("mention.id", ondelete="CASCADE"), index=True
    )
    channel: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(12), default="draft")
    idempotency_key: Mapped[str] = mapped_column(String(64), unique=True)
    platform_key: Mapped[str | None] = mapped_column(String(200))  # e.g. a Bluesky record key
    external_id: Mapped[str | None] = mapped_column(String(400))
    url: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(String(80))
    claim_expires_at: Mapped[datetime | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class CannedResponse(Base):
    """Standard wording with placeholders such as ``{customer}``, ``{ticket}``, ``{brand}``."""

    __tablename__ = "canned_response"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    brand_id: Mapped[int | None] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(120))
    category: Mapped[str | None] = mapped_column(String(12))
    language: Mapped[str] = mapped_column(String(8), default="en")
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Article(Base):
    """A piece of the knowledge base."""

    __tablename__ = "article"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    brand_id: Mapped[int | None] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(8), default="en")
    updated_at: Mapped[datetime]
