"""Brands and the words that find them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from store.models import (
    AuditEvent,
    Author,
    Brand,
    Conversation,
    Customer,
    Incident,
    Mention,
    MentionBrand,
    Notification,
    Rollup,
    RollupAuthor,
    SearchQuery,
    Source,
    Ticket,
    TicketConversation,
)
from store.search import forget_text

Item = TypeVar("Item")


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


def _forget_acts(session: Session, brand_id: int) -> None:
    """Drop what the audit log says of a brand and of what hangs on it."""
    owned = {
        "ticket": select(Ticket.id).where(Ticket.brand_id == brand_id),
        "incident": select(Incident.id).where(Incident.brand_id == brand_id),
        "source": select(Source.id).where(Source.brand_id == brand_id),
        "brand": select(Brand.id).where(Brand.id == brand_id),
    }
    for kind, query in owned.items():
        keys = [str(key) for key in session.scalars(query)]
        for part in _parts(keys):
            session.execute(
                delete(AuditEvent).where(
                    AuditEvent.object_type == kind, AuditEvent.object_id.in_(part)
                )
            )


def forget_customers(session: Session) -> None:
    """Drop customers who have no identity and no ticket any more."""
    session.execute(
        delete(Customer).where(
            ~select(Author.id).where(Author.customer_id == Customer.id).exists(),
            ~select(Ticket.id).where(Ticket.customer_id == Customer.id).exists(),
        )
    )


def _parts(keys: list[Item], size: int = 500) -> Iterator[list[Item]]:
    for at in range(0, len(keys), size):
        yield keys[at : at + size]


def remove_brand(session: Session, brand_id: int) -> int:
    """Remove a brand with everything that belongs to it alone; returns the mentions removed.

    Mentions that concern other brands as well stay with those. Meant for demo and drill brands, so
    it runs in one transaction whatever the size.
    """
    elsewhere = select(MentionBrand.mention_id).where(MentionBrand.brand_id != brand_id)
    here = session.execute(
        select(Mention.id, Mention.conversation_id, Mention.author_id)
        .join(MentionBrand, MentionBrand.mention_id == Mention.id)
        .where(MentionBrand.brand_id == brand_id, Mention.id.not_in(elsewhere))
    ).all()
    ids = [row.id for row in here]
    conversations = sorted({row.conversation_id for row in here})
    people = sorted({row.author_id for row in here if row.author_id is not None})
    _forget_acts(session, brand_id)
    session.execute(delete(Notification).where(Notification.brand_id == brand_id))
    session.execute(update(Ticket).where(Ticket.brand_id == brand_id).values(merged_into_id=None))
    session.execute(delete(Ticket).where(Ticket.brand_id == brand_id))
    for part in _parts(ids):
        forget_text(session, part)
        session.execute(delete(Mention).where(Mention.id.in_(part)))
    for part in _parts(conversations):
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
    for part in _parts(people):
        kept_authors = select(Mention.author_id).where(Mention.author_id.in_(part))
        session.execute(delete(Author).where(Author.id.in_(part), Author.id.not_in(kept_authors)))
    forget_customers(session)
    session.execute(delete(Brand).where(Brand.id == brand_id))
    session.flush()
    return len(ids)
