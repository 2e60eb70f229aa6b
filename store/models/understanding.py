"""What we make of a mention: the model's assessment and people's corrections."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Json, Key


class Assessment(Base):
    """The current reading of a mention by one model version."""

    __tablename__ = "assessment"
    __table_args__ = (
        CheckConstraint("sentiment in ('negative', 'neutral', 'positive')", name="sentiment"),
        CheckConstraint("urgency between 0 and 3", name="urgency"),
    )

    mention_id: Mapped[int] = mapped_column(
        ForeignKey("mention.id", ondelete="CASCADE"), primary_key=True
    )
    model: Mapped[str] = mapped_column(String(120))
    sentiment: Mapped[str] = mapped_column(String(10))
    p_negative: Mapped[float]
    p_neutral: Mapped[float]
    p_positive: Mapped[float]
    intent: Mapped[str] = mapped_column(String(12))
    intent_probabilities: Mapped[list[float]] = mapped_column(Json)
    emotion: Mapped[str] = mapped_column(String(12))
    emotion_probabilities: Mapped[list[float]] = mapped_column(Json)
    urgency: Mapped[int]
    language: Mapped[str] = mapped_column(String(8))
    unsure: Mapped[bool]
    assessed_at: Mapped[datetime]


class Override(Base):
    """A person's correction of one field of a mention for one brand. The newest active one wins."""

    __tablename__ = "override"
    __table_args__ = (
        CheckConstraint("field in ('sentiment', 'intent')", name="field"),
        Index("ix_override_mention_brand", "mention_id", "brand_id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    mention_id: Mapped[int] = mapped_column(ForeignKey("mention.id", ondelete="CASCADE"))
    brand_id: Mapped[int] = mapped_column(ForeignKey("brand.id", ondelete="CASCADE"))
    field: Mapped[str] = mapped_column(String(12))
    old_value: Mapped[str | None] = mapped_column(String(12))
    new_value: Mapped[str] = mapped_column(String(12))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id", ondelete="SET NULL"))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
