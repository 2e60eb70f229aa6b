"""What goes out to staff: notifications, where to, and the ledger of each delivery."""

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


class NotificationTarget(Base):
    """A place that is told about incidents of a level or worse. ``address`` is encrypted."""

    __tablename__ = "notification_target"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[str] = mapped_column(String(20))  # console, apprise
    address: Mapped[bytes | None] = mapped_column(LargeBinary)  # apprise URL, encrypted
    brand_id: Mapped[int | None] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    min_level: Mapped[str] = mapped_column(String(10), default="yellow")
    language: Mapped[str] = mapped_column(String(8), default="en")
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class Notification(Base):
    """Something staff should know. ``key`` makes it unique: the same event is announced once."""

    __tablename__ = "notification"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)  # "incident:12:orange"
    kind: Mapped[str] = mapped_column(String(30))
    level: Mapped[str | None] = mapped_column(String(10))
    brand_id: Mapped[int | None] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"))
    content: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    created_at: Mapped[datetime]


class NotificationDelivery(Base):
    """One notification on its way to one target."""

    __tablename__ = "notification_delivery"
    __table_args__ = (
        UniqueConstraint("notification_id", "target_id"),
        CheckConstraint("status in ('pending', 'sending', 'sent', 'failed')", name="status"),
        Index(
            "ix_notification_delivery_pending",
            "next_attempt_at",
            sqlite_where=text("status in ('pending', 'sending')"),
            postgresql_where=text("status in ('pending', 'sending')"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    notification_id: Mapped[int] = mapped_column(ForeignKey("notification.id", ondelete="CASCADE"))
    target_id: Mapped[int] = mapped_column(ForeignKey("notification_target.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(10), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(String(80))
    claim_expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
