"""Rows of canned responses (standard wording)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from store.models import CannedResponse


def canned_responses(
    session: Session,
    brand_id: int | None = None,
    language: str | None = None,
    category: str | None = None,
) -> Sequence[CannedResponse]:
    """Wording that fits a ticket: of its brand or of no brand, in its language, for its class.

    None leaves a filter out. Wording made for the brand and the class comes first.
    """
    statement = select(CannedResponse)
    order = []
    if brand_id is not None:
        own = CannedResponse.brand_id == brand_id
        statement = statement.where(or_(own, CannedResponse.brand_id.is_(None)))
        order.append(CannedResponse.brand_id.is_(None))
    if language is not None:
        statement = statement.where(CannedResponse.language == language)
    if category is not None:
        fits = or_(CannedResponse.category == category, CannedResponse.category.is_(None))
        statement = statement.where(fits)
        order.append(CannedResponse.category.is_(None))
    return session.scalars(
        statement.order_by(*order, CannedResponse.title, CannedResponse.id)
    ).all()


def all_of(session: Session, brand_ids: Sequence[int]) -> Sequence[CannedResponse]:
    """All wording of these brands and of no brand, by language and title."""
    return session.scalars(
        select(CannedResponse)
        .where(or_(CannedResponse.brand_id.in_(brand_ids), CannedResponse.brand_id.is_(None)))
        .order_by(CannedResponse.language, CannedResponse.title, CannedResponse.id)
    ).all()


def how_many(session: Session) -> int:
    """How many canned responses there are."""
    return session.scalar(select(func.count(CannedResponse.id))) or 0


def add(
    session: Session,
    title: str,
    body: str,
    language: str,
    now: datetime,
    *,
    category: str | None = None,
    brand_id: int | None = None,
) -> CannedResponse:
    """Add wording. Check it first with ``responder.drafts.check``."""
    row = CannedResponse(
        title=title,
        body=body,
        language=language,
        category=category,
        brand_id=brand_id,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def change(
    session: Session,
    canned_id: int,
    title: str,
    body: str,
    language: str,
    *,
    category: str | None = None,
    brand_id: int | None = None,
) -> bool:
    """Change wording; false when it is gone. Check it first with ``responder.drafts.check``."""
    statement = (
        update(CannedResponse)
        .where(CannedResponse.id == canned_id)
        .values(title=title, body=body, language=language, category=category, brand_id=brand_id)
        .returning(CannedResponse.id)
    )
    return session.execute(statement).first() is not None


def remove(session: Session, canned_id: int) -> bool:
    """Delete wording; false when it was gone already."""
    statement = delete(CannedResponse).where(CannedResponse.id == canned_id)
    return session.execute(statement.returning(CannedResponse.id)).first() is not None
