"""Alert rules, what the detectors saw, and the incidents a team leads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Json, Key


class Rule(Base):
    """What is watched for a brand: a metric, a detector and its settings."""

    __tablename__ = "rule"
    __table_args__ = (UniqueConstraint("brand_id", "name"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    brand_id: Mapped[int] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    metric: Mapped[str] = mapped_column(String(20))  # volume, negative
    settings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class DetectorState(Base):
    """What an online detector remembers between points; saved with the watermark it belongs to."""

    __tablename__ = "detector_state"

    brand_id: Mapped[int] = mapped_column(
        ForeignKey("brand.id", ondelete="CASCADE"), primary_key=True
    )
    metric: Mapped[str] = mapped_column(String(20), primary_key=True)
    state: Mapped[dict[str, Any]] = mapped_column(Json)
    updated_at: Mapped[datetime]


class Detection(Base):
    """A bucket in which a detector fired: what it saw, against which baseline, how sure it is."""

    __tablename__ = "detection"
    __table_args__ = (UniqueConstraint("brand_id", "metric", "bucket"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    brand_id: Mapped[int] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    metric: Mapped[str] = mapped_column(String(20))
    bucket: Mapped[datetime]
    detected_at: Mapped[datetime]
    score: Mapped[float]  # 0..1
    value: Mapped[float]
    baseline: Mapped[float | None]
    upper: Mapped[float | None]
    level: Mapped[str] = mapped_column(String(10))
    parts: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    incident_id: Mapped[int | None] = mapped_column(
        ForeignKey("incident.id", ondelete="SET NULL"), index=True
    )


class Incident(Base):
    """A crisis, or what may become one. ``started_at`` is when it began, not when we saw it."""

    __tablename__ = "incident"
    __table_args__ = (
        CheckConstraint("level in ('blue', 'yellow', 'orange', 'red')", name="level"),
        CheckConstraint(
            "status in ('open', 'acknowledged', 'contained', 'recovering', 'closed')",
            name="status",
        ),
        Index(
            "uq_incident_one_open",
            "brand_id",
            unique=True,
            sqlite_where=text("status <> 'closed'"),
            postgresql_where=text("status <> 'closed'"),
        ),
        Index("ix_incident_changed", "changed_at", "id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    brand_id: Mapped[int] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(20), default="open")
    level: Mapped[str] = mapped_column(String(10))
    summary: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)  # parts of the sentence
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    started_at: Mapped[datetime]
    detected_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[int | None] = mapped_column(
        ForeignKey("app_user.id", ondelete="SET NULL")
    )
    closed_at: Mapped[datetime | None]
    verdict: Mapped[str | None] = mapped_column(String(20))  # crisis, not_a_crisis


class IncidentEvent(Base):
    """One line of an incident's timeline."""

    __tablename__ = "incident_event"
    __table_args__ = (Index("ix_incident_event_incident_at", "incident_id", "at"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(30))  # opened, escalated, acknowledged, note, closed
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id", ondelete="SET NULL"))
    detail: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class IncidentMention(Base):
    """A post that shows what an incident is about, in order of ``rank``."""

    __tablename__ = "incident_mention"

    incident_id: Mapped[int] = mapped_column(
        ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True
    )
    mention_id: Mapped[int] = mapped_column(
        ForeignKey("mention.id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(default=0)
    why: Mapped[str] = mapped_column(Text, default="")
