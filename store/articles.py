"""Articles of the knowledge base."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from store.models import Article


def articles(
    session: Session, brand_ids: Sequence[int] | None = None, language: str | None = None
) -> Sequence[Article]:
    """Articles of the brands that may be seen (None: all) and of no brand, newest first."""
    statement = select(Article)
    if brand_ids is not None:
        statement = statement.where(
            or_(Article.brand_id.in_(brand_ids), Article.brand_id.is_(None))
        )
    if language is not None:
        statement = statement.where(Article.language == language)
    return session.scalars(statement.order_by(Article.updated_at.desc(), Article.id.desc())).all()


def article(session: Session, article_id: int) -> Article | None:
    """One article; None when there is none."""
    return session.get(Article, article_id)


def add(
    session: Session,
    title: str,
    body: str,
    language: str,
    now: datetime,
    brand_id: int | None = None,
) -> Article:
    """Write an article."""
    row = Article(title=title, body=body, language=language, updated_at=now, brand_id=brand_id)
    session.add(row)
    session.flush()
    return row


def change(
    session: Session, article_id: int, now: datetime, *, title: str, body: str, language: str
) -> bool:
    """Rewrite an article; false when it is gone."""
    row = session.get(Article, article_id, with_for_update=True)
    if row is None:
        return False
    row.title, row.body, row.language, row.updated_at = title, body, language, now
    session.flush()
    return True


def remove(session: Session, article_id: int) -> bool:
    """Delete an article; false when it was gone already."""
    statement = delete(Article).where(Article.id == article_id)
    return session.execute(statement.returning(Article.id)).first() is not None
