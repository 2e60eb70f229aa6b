"""Lists of mentions for people to read: filtered by brand, newest first, page by page.

Pages go by key (posted, id), so that the thousandth page costs what the first one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from store import search
from store.models import (
    Assessment,
    Author,
    Brand,
    Mention,
    MentionBrand,
    Ticket,
    TicketConversation,
)

PAGE = 25


@dataclass(frozen=True, slots=True)
class MentionFilter:
    """Which mentions are asked for. Empty tuples mean all; ``words`` are searched in the text."""

    brand_ids: tuple[int, ...]
    start: datetime
    end: datetime
    platforms: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sentiments: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    unsure: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended; the next one starts after it."""

    posted_at: datetime
    mention_id: int


@dataclass(frozen=True, slots=True)
class MentionLine:
    """One mention as a list shows it, seen from one of the brands it concerns."""

    id: int
    brand_id: int
    brand_name: str
    conversation_id: int
    platform: str
    kind: str
    author_id: int | None
    author_name: str
    author_handle: str
    followers: int | None
    title: str
    text: str
    url: str | None
    language: str
    posted_at: datetime
    collected_at: datetime
    deleted: bool
    sentiment: str | None
    intent: str | None
    urgency: int | None
    unsure: bool
    engagement: dict[str, Any]
    ticket_id: int | None = None
    ticket_number: str | None = None

    @property
    def place(self) -> Place:
        """What the next page starts after."""
        return Place(self.posted_at, self.id)


def page(
    session: Session, asked: MentionFilter, after: Place | None = None, limit: int = PAGE
) -> tuple[list[MentionLine], bool]:
    """One page, newest first, and whether there is another.

    A mention of several of the brands comes once. Each brand is read by its own index and the
    pages are merged, which stays quick for a small brand beside a big one.
    """
    found: dict[int, MentionLine] = {}
    for brand_id in asked.brand_ids:
        for row in session.execute(_of_brand(session, asked, brand_id, after, limit + 1)):
            found.setdefault(row[0].id, _line(*row))
    lines = sorted(found.values(), key=lambda one: (one.posted_at, one.id), reverse=True)
    return _with_tickets(session, asked.brand_ids, lines[:limit]), len(lines) > limit


def one(session: Session, mention_id: int, brand_ids: Sequence[int]) -> MentionLine | None:
    """A single mention, when one of these brands is concerned."""
    row = session.execute(
        _columns().where(Mention.id == mention_id, MentionBrand.brand_id.in_(brand_ids))
    ).first()
    return _with_tickets(session, brand_ids, [_line(*row)])[0] if row is not None else None


def count(session: Session, asked: MentionFilter) -> int:
    """How many mentions the filter finds; each once. Costs time in proportion to the period."""
    wanted = (
        select(func.count(func.distinct(MentionBrand.mention_id)))
        .join(Mention, Mention.id == MentionBrand.mention_id)
        .outerjoin(Assessment, Assessment.mention_id == Mention.id)
        .where(
            MentionBrand.brand_id.in_(asked.brand_ids),
            MentionBrand.posted_at >= asked.start,
            MentionBrand.posted_at < asked.end,
        )
    )
    return session.scalar(_narrowed(session, wanted, asked)) or 0


def _columns() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Mention,
            MentionBrand.brand_id,
            MentionBrand.sentiment,
            MentionBrand.intent,
            Brand.name,
            Author.name,
            Author.handle,
            Author.followers,
            Assessment.urgency,
            Assessment.unsure,
        )
        .join(MentionBrand, MentionBrand.mention_id == Mention.id)
        .join(Brand, Brand.id == MentionBrand.brand_id)
        .outerjoin(Author, Author.id == Mention.author_id)
        .outerjoin(Assessment, Assessment.mention_id == Mention.id)
    )


def _of_brand(
    session: Session, asked: MentionFilter, brand_id: int, after: Place | None, limit: int
) -> Select[*tuple[Any, ...]]:
    wanted = _columns().where(
        MentionBrand.brand_id == brand_id,
        MentionBrand.posted_at >= asked.start,
        MentionBrand.posted_at < asked.end,
    )
    if after is not None:
        wanted = wanted.where(
            MentionBrand.posted_at <= after.posted_at,
            or_(
                MentionBrand.posted_at < after.posted_at,
                and_(
                    MentionBrand.posted_at == after.posted_at,
                    MentionBrand.mention_id < after.mention_id,
                ),
            ),
        )
    wanted = _narrowed(session, wanted, asked)
    return wanted.order_by(MentionBrand.posted_at.desc(), MentionBrand.mention_id.desc()).limit(
        limit
    )


def _narrowed(
    session: Session, wanted: Select[*tuple[Any, ...]], asked: MentionFilter
) -> Select[Any]:
    wanted = wanted.where(Mention.direction == "inbound")
    if asked.platforms:
        wanted = wanted.where(Mention.platform.in_(asked.platforms))
    if asked.languages:
        wanted = wanted.where(
            func.coalesce(MentionBrand.counted_language, Mention.language).in_(asked.languages)
        )
    if asked.sentiments:
        plain = [name for name in asked.sentiments if name != "unscored"]
        either = [MentionBrand.sentiment.in_(plain)] if plain else []
        if "unscored" in asked.sentiments:
            either.append(MentionBrand.sentiment.is_(None))
        wanted = wanted.where(or_(*either))
    if asked.intents:
        wanted = wanted.where(MentionBrand.intent.in_(asked.intents))
    if asked.unsure:
        wanted = wanted.where(Assessment.unsure)
    if asked.words.strip():
        wanted = wanted.where(search.contains(session, asked.words))
    return wanted


def _line(
    mention: Mention,
    brand_id: int,
    sentiment: str | None,
    intent: str | None,
    brand_name: str,
    author_name: str | None,
    author_handle: str | None,
    followers: int | None,
    urgency: int | None,
    unsure: bool | None,
) -> MentionLine:
    return MentionLine(
        id=mention.id,
        brand_id=brand_id,
        brand_name=brand_name,
        conversation_id=mention.conversation_id,
        platform=mention.platform,
        kind=mention.kind,
        author_id=mention.author_id,
        author_name=author_name or "",
        author_handle=author_handle or "",
        followers=followers,
        title=mention.title,
        text=mention.text,
        url=mention.url,
        language=mention.language,
        posted_at=mention.posted_at,
        collected_at=mention.collected_at,
        deleted=mention.deleted_at is not None,
        sentiment=sentiment,
        intent=intent,
        urgency=urgency,
        unsure=bool(unsure),
        engagement=mention.engagement,
    )


def _with_tickets(
    session: Session, brand_ids: Sequence[int], lines: Sequence[MentionLine]
) -> list[MentionLine]:
    rows = session.execute(
        select(TicketConversation.conversation_id, Ticket.id, Ticket.number)
        .join(Ticket, Ticket.id == TicketConversation.ticket_id)
        .where(
            TicketConversation.active,
            TicketConversation.conversation_id.in_({line.conversation_id for line in lines}),
            Ticket.brand_id.in_(brand_ids),
        )
    )
    tickets = {conversation: (ticket, number) for conversation, ticket, number in rows}
    return [
        replace(
            line,
            ticket_id=tickets.get(line.conversation_id, (None, None))[0],
            ticket_number=tickets.get(line.conversation_id, (None, None))[1],
        )
        for line in lines
    ]


def author_names(session: Session, author_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Name and handle of authors by their id."""
    rows = session.execute(
        select(Author.id, Author.name, Author.handle).where(Author.id.in_(author_ids))
    )
    return {row.id: (row.name, row.handle) for row in rows}
