"""Brands and the words that find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from store.models import (
    Author,
    Brand,
    Conversation,
    Mention,
    MentionBrand,
    Notification,
    Rollup,
    RollupAuthor,
    SearchQuery,
    Ticket,
    TicketConversation,
)
from store.search import forget_text


@dataclass(frozen=True, slots=True)
class BrandQuery:
    """An active query of a brand."""

    query_id: int
    brand_id: int
    text: str


def find_brand(session: Session, name: str) -> Brand | None:
    """The brand of that name, whatever the case of its letters."""
    return session.scalar(select(Brand).where(func.lower(Brand.name) == name.strip().lower()))


def ensure_brand(session: Session, name: str, now: datetime, **values: object) -> Brand:
    """The brand of that name, made when it is not there."""
    found = find_brand(session, name)
    if found is None:
        found = Brand(name=name.strip(), created_at=now, **values)
        session.add(found)
        session.flush()
    return found


def all_brands(session: Session) -> Sequence[Brand]:
    """All brands, the real ones first, by priority."""
    order = {"real": 0, "demo": 1, "drill": 2}
    found = session.scalars(select(Brand).order_by(Brand.priority, Brand.name)).all()
    return sorted(found, key=lambda brand: order[brand.realm])


def active_queries(session: Session) -> list[BrandQuery]:
    """All active queries of real brands; demo and drill posts are addressed, never searched."""
    rows = session.execute(
        select(SearchQuery.id, SearchQuery.brand_id, SearchQuery.text)
        .join(Brand, Brand.id == SearchQuery.brand_id)
        .where(SearchQuery.active, Brand.realm == "real")
        .order_by(Brand.priority, SearchQuery.id)
    )
    return [BrandQuery(*row) for row in rows]


def remove_brand(session: Session, brand_id: int) -> int:
    """Remove a brand with everything that belongs to it alone; returns the mentions removed.

    Mentions that concern other brands as well stay with those. Meant for demo and drill brands, so
    it runs in one transaction whatever the size.
    """
    only_here = (
        select(MentionBrand.mention_id)
        .where(MentionBrand.brand_id == brand_id)
        .where(
            ~select(MentionBrand.brand_id)
            .where(MentionBrand.mention_id == Mention.id, MentionBrand.brand_id != brand_id)
            .exists()
        )
        .where(Mention.id == MentionBrand.mention_id)
    )
    ids = list(
        session.scalars(
            only_here.select_from(MentionBrand).join(Mention, Mention.id == MentionBrand.mention_id)
        )
    )
    conversations = (
        list(session.scalars(select(Mention.conversation_id).where(Mention.id.in_(ids)).distinct()))
        if ids
        else []
    )
    authors = (
        list(session.scalars(select(Mention.author_id).where(Mention.id.in_(ids)).distinct()))
        if ids
        else []
    )
    session.execute(delete(Notification).where(Notification.brand_id == brand_id))
    session.execute(update(Ticket).where(Ticket.brand_id == brand_id).values(merged_into_id=None))
    session.execute(delete(Ticket).where(Ticket.brand_id == brand_id))
    for at in range(0, len(ids), 500):
        part = ids[at : at + 500]
        forget_text(session, part)
        session.execute(delete(Mention).where(Mention.id.in_(part)))
    for at in range(0, len(conversations), 500):
        part = conversations[at : at + 500]
        kept = select(Mention.conversation_id).where(Mention.conversation_id.in_(part))
        linked = select(TicketConversation.conversation_id).where(
            TicketConversation.conversation_id.in_(part)
        )
        session.execute(
            delete(Conversation).where(
                Conversation.id.in_(part),
                Conversation.id.not_in(kept),
                Conversation.id.not_in(linked),
            )
        )
    session.execute(delete(Rollup).where(Rollup.brand_id == brand_id))
    session.execute(delete(RollupAuthor).where(RollupAuthor.brand_id == brand_id))
    people = [author for author in authors if author is not None]
    for at in range(0, len(people), 500):
        part = people[at : at + 500]
        kept_authors = select(Mention.author_id).where(Mention.author_id.in_(part))
        session.execute(delete(Author).where(Author.id.in_(part), Author.id.not_in(kept_authors)))
    session.execute(delete(Brand).where(Brand.id == brand_id))
    session.flush()
    return len(ids)
