"""The triage stage's side of the store: which mentions wait, and whose ticket is whose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from store.models import (
    Assessment,
    Author,
    Brand,
    Conversation,
    Mention,
    MentionBrand,
    Source,
    Ticket,
)
from store.models.mentions import TRIAGE_READY
from store.ticket_events import last_event

_DIRECTION = 8  # its place among the fields of PendingMention


@dataclass(frozen=True, slots=True)
class Understanding:
    """What the model made of a mention, as far as triage uses it."""

    p_negative: float
    intent: str
    intent_probabilities: Sequence[float]
    """Of complaint, enquiry, suggestion, praise, other, in this order."""
    urgency: int
    unsure: bool


@dataclass(frozen=True, slots=True)
class ConcernedBrand:
    """A brand that a mention concerns; ``intent`` is the effective one (a person's wins)."""

    id: int
    kind: str
    realm: str
    priority: int
    handles: Sequence[str]
    intent: str | None


@dataclass(frozen=True, slots=True)
class PendingMention:
    """A live mention that triage has not seen."""

    id: int
    platform: str
    namespace: str
    external_id: str
    url: str | None
    conversation_id: int
    author_id: int | None
    followers: int | None
    direction: str
    """``outbound`` also where the author's handle is one of an own brand's accounts."""
    kind: str
    title: str
    text: str
    language: str
    posted_at: datetime
    collected_at: datetime
    deleted_at: datetime | None
    addressed_brand_id: int | None
    """The brand of the account or query it came through."""
    understanding: Understanding | None
    brands: Sequence[ConcernedBrand]
    by_competitor: bool
    """Written by one of a competitor's accounts."""


def take_pending(session: Session, limit: int) -> list[PendingMention]:
    """Live mentions that wait for triage, as they were posted; they and their conversations stay
    locked until the transaction ends.

    Mentions of a conversation that another process is busy with are left to it.
    """
    candidates = session.execute(
        select(Mention.id, Mention.conversation_id)
        .where(Mention.live, text(TRIAGE_READY))
        .order_by(Mention.posted_at, Mention.id)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    if not candidates:
        return []
    ours = set(
        session.scalars(
            select(Conversation.id)
            .where(Conversation.id.in_({row.conversation_id for row in candidates}))
            .order_by(Conversation.id)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )
    return _read(session, [row.id for row in candidates if row.conversation_id in ours])


def later_outbound(session: Session, conversation_id: int, after: datetime) -> list[PendingMention]:
    """Posts of our own in a conversation after a moment that triage has already passed by."""
    ids = session.scalars(
        select(Mention.id)
        .where(
            Mention.conversation_id == conversation_id,
            Mention.posted_at > after,
            Mention.direction == "outbound",
            Mention.triaged_at.is_not(None),
            Mention.deleted_at.is_(None),
        )
        .order_by(Mention.posted_at, Mention.id)
        .limit(20)
    ).all()
    return _read(session, ids)


def mark_triaged(session: Session, mention_ids: Sequence[int], now: datetime) -> None:
    """Say that triage has seen these mentions."""
    if mention_ids:
        session.execute(update(Mention).where(Mention.id.in_(mention_ids)).values(triaged_at=now))


def _read(session: Session, ids: Sequence[int]) -> list[PendingMention]:
    if not ids:
        return []
    brands, accounts = _brands(session, ids), _accounts(session)
    rows = session.execute(
        select(
            Mention.id,
            Mention.platform,
            Mention.namespace,
            Mention.external_id,
            Mention.url,
            Mention.conversation_id,
            Mention.author_id,
            Author.followers,
            Mention.direction,
            Mention.kind,
            Mention.title,
            Mention.text,
            Mention.language,
            Mention.posted_at,
            Mention.collected_at,
            Mention.deleted_at,
            Source.brand_id,
            Author.handle,
            Assessment.p_negative,
            Assessment.intent,
            Assessment.intent_probabilities,
            Assessment.urgency,
            Assessment.unsure,
        )
        .outerjoin(Author, Author.id == Mention.author_id)
        .outerjoin(Source, Source.id == Mention.source_id)
        .outerjoin(Assessment, Assessment.mention_id == Mention.id)
        .where(Mention.id.in_(ids))
        .order_by(Mention.posted_at, Mention.id)
    )
    found = []
    for row in rows:
        values: list[Any] = list(row)
        account = accounts.get(_account(row.handle or ""))
        if account == "own":
            values[_DIRECTION] = "outbound"
        said = Understanding(*values[18:]) if row.intent is not None else None
        more = (said, brands[row.id], account == "competitor")
        found.append(PendingMention(*(*values[:17], *more)))
    return found


def _accounts(session: Session) -> dict[str, str]:
    """Whose accounts are whose: own or competitor, by handle."""
    rows = session.execute(select(Brand.kind, Brand.handles).order_by(Brand.kind)).all()
    found = {_account(handle): row.kind for row in rows for handle in row.handles}
    found.pop("", None)
    return found


def _account(handle: str) -> str:
    return handle.strip().removeprefix("@").casefold()


def _brands(session: Session, ids: Sequence[int]) -> dict[int, list[ConcernedBrand]]:
    found: dict[int, list[ConcernedBrand]] = defaultdict(list)
    for row in session.execute(
        select(
            MentionBrand.mention_id,
            Brand.id,
            Brand.kind,
            Brand.realm,
            Brand.priority,
            Brand.handles,
            MentionBrand.intent,
        )
        .join(Brand, Brand.id == MentionBrand.brand_id)
        .where(MentionBrand.mention_id.in_(ids))
        .order_by(Brand.priority, Brand.id)
    ):
        values: tuple[Any, ...] = tuple(row)
        found[row.mention_id].append(ConcernedBrand(*values[1:]))
    return found


def customer_of(session: Session, author_id: int | None) -> int | None:
    """The customer an author belongs to, if they are one yet."""
    if author_id is None:
        return None
    return session.scalar(select(Author.customer_id).where(Author.id == author_id))


def recent_tickets(session: Session, customer_id: int, but: int, since: datetime) -> int:
    """How many other tickets a customer has had since a moment."""
    return (
        session.scalar(
            select(func.count(Ticket.id)).where(
                Ticket.customer_id == customer_id, Ticket.id != but, Ticket.created_at >= since
            )
        )
        or 0
    )


def opened_for(session: Session, ticket_id: int) -> datetime | None:
    """When the post was posted that the ticket was opened for."""
    event = last_event(session, ticket_id, "opened")
    posted = event.detail.get("posted_at") if event is not None else None
    return datetime.fromisoformat(posted) if posted else None
