"""Customers: one person or organisation behind one or more authors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.models import Author, Brand, Customer, Mention, MentionBrand, Ticket

RECENT_TICKETS = 20


def customer_of_author(session: Session, author_id: int, now: datetime) -> Customer:
    """The author's customer; made from the author when there is none yet.

    The author's row stays locked until the transaction ends, so that one author never gets two.
    """
    author = session.scalars(
        select(Author)
        .where(Author.id == author_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    if author.customer_id is not None:
        return session.get_one(Customer, author.customer_id)
    customer = Customer(name=(author.name or author.handle)[:400], created_at=now)
    session.add(customer)
    session.flush()
    author.customer_id = customer.id
    return customer


def set_vip(session: Session, customer_id: int, vip: bool) -> None:
    """Mark a customer as one who is answered first, or take the mark away."""
    session.get_one(Customer, customer_id, with_for_update=True).vip = vip
    session.flush()


@dataclass(frozen=True, slots=True)
class Identity:
    """A customer's account on one platform."""

    author_id: int
    platform: str
    handle: str
    name: str
    url: str | None
    followers: int | None
    mentions: int
    """Posts of theirs about the brands that may be seen."""


@dataclass(frozen=True, slots=True)
class EarlierTicket:
    """One line of a customer's history with us."""

    id: int
    number: str
    brand_name: str
    platform: str
    category: str
    status: str
    subject: str
    created_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class CustomerContext:
    """What the desk shows beside a ticket. ``tickets`` are newest first, at most twenty."""

    id: int
    name: str
    note: str
    vip: bool
    created_at: datetime
    identities: Sequence[Identity]
    tickets: Sequence[EarlierTicket]
    ticket_count: int


def customer_context(
    session: Session, customer_id: int, brand_ids: Sequence[int] | None = None
) -> CustomerContext | None:
    """A customer over all platforms, as far as the brands may be seen (None: all of them)."""
    customer = session.get(Customer, customer_id)
    if customer is None:
        return None
    mine = [Ticket.customer_id == customer_id, Ticket.merged_into_id.is_(None)]
    if brand_ids is not None:
        mine.append(Ticket.brand_id.in_(brand_ids))
    tickets = session.execute(
        select(
            Ticket.id,
            Ticket.number,
            Brand.name,
            Ticket.platform,
            Ticket.category,
            Ticket.status,
            Ticket.subject,
            Ticket.created_at,
            Ticket.resolved_at,
        )
        .join(Brand, Brand.id == Ticket.brand_id)
        .where(*mine)
        .order_by(Ticket.created_at.desc(), Ticket.id.desc())
        .limit(RECENT_TICKETS)
    ).all()
    count = session.scalar(select(func.count(Ticket.id)).where(*mine)) or 0
    return CustomerContext(
        id=customer.id,
        name=customer.name,
        note=customer.note,
        vip=customer.vip,
        created_at=customer.created_at,
        identities=_identities(session, customer_id, brand_ids),
        tickets=[EarlierTicket(*row) for row in tickets],
        ticket_count=count,
    )


def _identities(
    session: Session, customer_id: int, brand_ids: Sequence[int] | None
) -> list[Identity]:
    seen = select(func.count(Mention.id)).where(Mention.author_id == Author.id)
    if brand_ids is not None:
        concerns = select(MentionBrand.mention_id).where(
            MentionBrand.mention_id == Mention.id, MentionBrand.brand_id.in_(brand_ids)
        )
        seen = seen.where(concerns.exists())
    rows = session.execute(
        select(
            Author.id,
            Author.platform,
            Author.handle,
            Author.name,
            Author.url,
            Author.followers,
            seen.correlate(Author).scalar_subquery(),
        )
        .where(Author.customer_id == customer_id)
        .order_by(Author.first_seen_at, Author.id)
    )
    return [Identity(*row) for row in rows]
