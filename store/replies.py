"""Rows of replies: what is on its way out, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from store.bulk import upsert
from store.models import Conversation, Mention, MentionBrand, Reply, TicketConversation


@dataclass(frozen=True, slots=True)
class Answered:
    """The mention that a reply answers."""

    mention_id: int
    platform: str
    namespace: str
    external_id: str
    conversation: str
    posted_at: datetime
    channel_ref: dict[str, Any]
    url: str | None
    deleted_at: datetime | None
    source_id: int | None


def answered(session: Session, mention_id: int) -> Answered | None:
    """What a reply needs to know of the mention it answers; None when there is none."""
    row = session.execute(
        select(
            Mention.id,
            Mention.platform,
            Mention.namespace,
            Mention.external_id,
            Conversation.external_id,
            Mention.posted_at,
            Mention.channel_ref,
            Mention.url,
            Mention.deleted_at,
            Mention.source_id,
        )
        .join(Conversation, Conversation.id == Mention.conversation_id)
        .where(Mention.id == mention_id)
    ).first()
    return None if row is None else Answered(*row)


def lock_reply(session: Session, reply_id: int) -> Reply | None:
    """A reply as it stands now, held until the transaction ends; None when there is none."""
    return session.scalars(
        select(Reply)
        .where(Reply.id == reply_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).first()


def by_key(session: Session, key: str) -> Reply | None:
    """The reply with our idempotency key."""
    return session.scalars(select(Reply).where(Reply.idempotency_key == key)).first()


def due(session: Session, now: datetime, limit: int) -> Sequence[Reply]:
    """Replies that may be tried now, locked: approved ones whose time has come, and those whose
    worker has not been heard of since its claim ran out. The longest waiting first.
    """
    return session.scalars(
        select(Reply)
        .where(
            text("reply.status in ('approved', 'sending')"),  # as the index says it
            or_(
                and_(Reply.status == "approved", Reply.next_attempt_at <= now),
                and_(Reply.status == "sending", Reply.claim_expires_at <= now),
            ),
        )
        .order_by(Reply.next_attempt_at, Reply.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    ).all()


def of_ticket(session: Session, ticket_id: int) -> Sequence[Reply]:
    """All replies of a ticket, oldest first."""
    return session.scalars(
        select(Reply).where(Reply.ticket_id == ticket_id).order_by(Reply.created_at, Reply.id)
    ).all()


def same_words(
    session: Session,
    ticket_id: int,
    mention_id: int,
    user_id: int | None,
    body: str,
    since: datetime,
) -> Reply | None:
    """A reply that this person gave to this mention in these words since a moment."""
    return session.scalars(
        select(Reply)
        .where(
            Reply.ticket_id == ticket_id,
            Reply.mention_id == mention_id,
            Reply.user_id.is_not_distinct_from(user_id),
            Reply.body == body,
            Reply.created_at >= since,
            Reply.status.in_(("approved", "sending", "sent", "by_hand", "uncertain")),
        )
        .order_by(Reply.id)
        .limit(1)
    ).first()


def others_since(
    session: Session, ticket_id: int, user_id: int | None, since: datetime
) -> Reply | None:
    """The newest reply that somebody else gave on a ticket since a moment."""
    return session.scalars(
        select(Reply)
        .where(
            Reply.ticket_id == ticket_id,
            Reply.user_id.is_distinct_from(user_id),
            Reply.created_at > since,
            Reply.status.in_(("approved", "sending", "sent", "by_hand", "uncertain")),
        )
        .order_by(Reply.id.desc())
        .limit(1)
    ).first()


def mention_of_reply(
    session: Session, platform: str, namespace: str, external_id: str
) -> int | None:
    """The stored mention that is a reply of ours on its platform."""
    return session.scalar(
        select(Mention.id).where(
            Mention.platform == platform,
            Mention.namespace == namespace,
            Mention.external_id == external_id,
        )
    )


def store_outbound(
    session: Session,
    reply: Reply,
    *,
    namespace: str,
    external_id: str,
    url: str | None,
    brand_id: int,
    now: datetime,
) -> int:
    """The mention that is this reply on its platform; made once, whoever comes first.

    A collector that meets our post later adds nothing, and one that met it earlier made the row
    that is returned. Outbound mentions are in no rollup. The row is marked as triaged.
    """
    to = session.get_one(Mention, reply.mention_id)
    row = {
        "platform": to.platform,
        "namespace": namespace,
        "external_id": external_id,
        "conversation_id": to.conversation_id,
        "in_reply_to": to.external_id,
        "direction": "outbound",
        "kind": "reply",
        "live": True,
        "text": reply.body,
        "title": "",
        "language": "und",
        "url": url,
        "posted_at": now,
        "collected_at": now,
        "engagement": {},
        "channel_ref": {},
        "triaged_at": now,
    }
    mention_id = session.execute(
        upsert(session, Mention)
        .values(**row)
        .on_conflict_do_nothing(index_elements=["platform", "namespace", "external_id"])
        .returning(Mention.id)
    ).scalar()
    if mention_id is None:
        known = mention_of_reply(session, to.platform, namespace, external_id)
        assert known is not None
        session.execute(
            update(Mention)
            .where(Mention.id == known, Mention.triaged_at.is_(None))
            .values(triaged_at=now)
        )
        return known
    session.execute(
        upsert(session, MentionBrand)
        .values(brand_id=brand_id, mention_id=mention_id, posted_at=now, leads=False)
        .on_conflict_do_nothing()
    )
    return int(mention_id)


def belongs_to_ticket(session: Session, mention_id: int, ticket_id: int) -> bool:
    """Whether a mention stands in a conversation that the ticket covers now."""
    return (
        session.scalar(
            select(Mention.id)
            .join(TicketConversation, TicketConversation.conversation_id == Mention.conversation_id)
            .where(
                Mention.id == mention_id,
                TicketConversation.ticket_id == ticket_id,
                TicketConversation.active,
            )
        )
        is not None
    )


def last_inbound_of(session: Session, mention_id: int) -> datetime | None:
    """When the author of a mention last wrote in its conversation."""
    this = aliased(Mention)
    return session.scalar(
        select(func.max(Mention.posted_at))
        .join(this, this.conversation_id == Mention.conversation_id)
        .where(
            this.id == mention_id,
            Mention.direction == "inbound",
            Mention.author_id.is_not_distinct_from(this.author_id),
        )
    )
