"""One ticket as the desk shows it: its thread from oldest to newest, and its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from store.models import (
    Assessment,
    Author,
    Mention,
    MentionBrand,
    MentionEdit,
    Reply,
    Ticket,
    TicketEvent,
    User,
)
from store.ticket_links import active_conversations, merged_ids
from store.tickets import TicketRow, row_of

THREAD_LENGTH = 200
EVENTS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote a post. ``customer_id`` is None for somebody who never had a ticket."""

    author_id: int
    handle: str
    name: str
    url: str | None
    followers: int | None
    customer_id: int | None


@dataclass(frozen=True, slots=True)
class Read:
    """How a post is understood for the ticket's brand (a person's correction wins)."""

    sentiment: str
    intent: str
    p_negative: float
    p_neutral: float
    p_positive: float
    emotion: str
    urgency: int
    unsure: bool
    model: str


@dataclass(frozen=True, slots=True)
class Posted:
    """A post of the thread as its platform has it. ``edits``: how often it was changed."""

    id: int
    platform: str
    external_id: str
    direction: str
    kind: str
    title: str
    text: str
    language: str
    url: str | None
    posted_at: datetime
    collected_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    engagement: Mapping[str, Any]
    channel_ref: Mapping[str, Any]
    source_id: int | None
    edits: int
    writer: Writer | None
    read: Read | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply of the desk in whatever state it is."""

    id: int
    mention_id: int
    channel: str
    body: str
    status: str
    external_id: str | None
    url: str | None
    error: str | None
    attempts: int
    next_attempt_at: datetime | None
    user_id: int | None
    user_name: str | None
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class ThreadEntry:
    """One entry of the thread. A reply that its platform shows has both; one that is on its way,
    failed, or cannot be seen there has only ``answer``.
    """

    at: datetime
    post: Posted | None
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of the ticket's history; ``detail`` depends on ``kind`` (docs/tickets.md)."""

    at: datetime
    kind: str
    user_id: int | None
    user_name: str | None
    detail: Mapping[str, Any]
    ticket_id: int


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket with its thread (the newest posts, oldest first), drafts, history and the numbers
    that were merged into it. ``has_earlier``: the thread has older posts than those shown.
    """

    ticket: TicketRow
    thread: Sequence[ThreadEntry]
    has_earlier: bool
    drafts: Sequence[Answer]
    history: Sequence[HistoryLine]
    merged: Sequence[tuple[int, str]]


def ticket_view(
    session: Session,
    ticket_id: int,
    brand_ids: Sequence[int] | None = None,
    *,
    before: datetime | None = None,
    length: int = THREAD_LENGTH,
) -> TicketView | None:
    """A ticket that may be seen, else None. ``before`` shows the part of the thread before it."""
    row = row_of(session, ticket_id, brand_ids)
    if row is None:
        return None
    ids = merged_ids(session, ticket_id)
    posts = _posts(session, active_conversations(session, ticket_id), row.brand_id, before, length)
    has_earlier, posts = len(posts) > length, posts[:length][::-1]
    answers = _answers(session, ids)
    since = posts[0].posted_at if has_earlier and posts else None
    return TicketView(
        ticket=row,
        thread=_thread(posts, answers, since, before),
        has_earlier=has_earlier,
        drafts=[one for one in answers if one.status in ("draft", "in_review")],
        history=_history(session, ids),
        merged=_numbers(session, ids[1:]),
    )


def _thread(
    posts: Sequence[Posted],
    answers: Sequence[Answer],
    since: datetime | None,
    before: datetime | None,
) -> list[ThreadEntry]:
    of_post = {one.external_id: one for one in answers if one.external_id is not None}
    shown = {post.external_id for post in posts}
    entries = [
        ThreadEntry(
            post.posted_at,
            post,
            of_post.get(post.external_id) if post.direction == "outbound" else None,
        )
        for post in posts
    ]
    for one in answers:
        at = one.sent_at or one.created_at
        in_view = (since is None or at >= since) and (before is None or at < before)
        if one.external_id not in shown and one.status not in ("draft", "in_review") and in_view:
            entries.append(ThreadEntry(at, None, one))
    return sorted(entries, key=lambda entry: entry.at)


def _posts(
    session: Session,
    conversations: Sequence[int],
    brand_id: int,
    before: datetime | None,
    length: int,
) -> list[Posted]:
    edits = (
        select(func.count(MentionEdit.id))
        .where(MentionEdit.mention_id == Mention.id)
        .correlate(Mention)
        .scalar_subquery()
    )
    statement = (
        select(
            Mention.id,
            Mention.platform,
            Mention.external_id,
            Mention.direction,
            Mention.kind,
            Mention.title,
            Mention.text,
            Mention.language,
            Mention.url,
            Mention.posted_at,
            Mention.collected_at,
            Mention.edited_at,
            Mention.deleted_at,
            Mention.engagement,
            Mention.channel_ref,
            Mention.source_id,
            edits,
            Author.id,
            Author.handle,
            Author.name,
            Author.url,
            Author.followers,
            Author.customer_id,
            func.coalesce(MentionBrand.sentiment, Assessment.sentiment),
            func.coalesce(MentionBrand.intent, Assessment.intent),
            Assessment.p_negative,
            Assessment.p_neutral,
            Assessment.p_positive,
            Assessment.emotion,
            Assessment.urgency,
            Assessment.unsure,
            Assessment.model,
        )
        .outerjoin(Author, Author.id == Mention.author_id)
        .outerjoin(Assessment, Assessment.mention_id == Mention.id)
        .outerjoin(
            MentionBrand,
            and_(MentionBrand.mention_id == Mention.id, MentionBrand.brand_id == brand_id),
        )
        .where(Mention.conversation_id.in_(conversations))
        .order_by(Mention.posted_at.desc(), Mention.id.desc())
        .limit(length + 1)
    )
    if before is not None:
        statement = statement.where(Mention.posted_at < before)
    found = []
    for row in session.execute(statement):
        values: tuple[Any, ...] = tuple(row)
        writer = Writer(*values[17:23]) if values[17] is not None else None
        read = Read(*values[23:]) if values[31] is not None else None
        found.append(Posted(*(*values[:17], writer, read)))
    return found


def _answers(session: Session, ticket_ids: Sequence[int]) -> list[Answer]:
    rows = session.execute(
        select(
            Reply.id,
            Reply.mention_id,
            Reply.channel,
            Reply.body,
            Reply.status,
            Reply.external_id,
            Reply.url,
            Reply.error,
            Reply.attempts,
            Reply.next_attempt_at,
            Reply.user_id,
            func.coalesce(func.nullif(User.name, ""), User.email),
            Reply.created_at,
            Reply.sent_at,
        )
        .outerjoin(User, User.id == Reply.user_id)
        .where(Reply.ticket_id.in_(ticket_ids))
        .order_by(Reply.created_at, Reply.id)
    )
    return [Answer(*tuple(row)) for row in rows]


def _history(session: Session, ticket_ids: Sequence[int]) -> list[HistoryLine]:
    rows = session.execute(
        select(
            TicketEvent.at,
            TicketEvent.kind,
            TicketEvent.user_id,
            func.coalesce(func.nullif(User.name, ""), User.email),
            TicketEvent.detail,
            TicketEvent.ticket_id,
        )
        .outerjoin(User, User.id == TicketEvent.user_id)
        .where(TicketEvent.ticket_id.in_(ticket_ids))
        .order_by(TicketEvent.id.desc())
        .limit(EVENTS_SHOWN)
    ).all()
    return [HistoryLine(*tuple(row)) for row in reversed(rows)]


def _numbers(session: Session, ticket_ids: Sequence[int]) -> list[tuple[int, str]]:
    if not ticket_ids:
        return []
    rows = session.execute(
        select(Ticket.id, Ticket.number).where(Ticket.id.in_(ticket_ids)).order_by(Ticket.id)
    )
    return [(row.id, row.number) for row in rows]
