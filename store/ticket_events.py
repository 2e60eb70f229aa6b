"""The history of a ticket, and the audit log of what people did to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from store.models import AuditEvent, Mention, Ticket, TicketConversation, TicketEvent

ANSWERS = ("replied", "replied_by_hand")
"""Kinds of events that mean that the customer got an answer."""


def add_event(
    session: Session,
    ticket_id: int,
    now: datetime,
    kind: str,
    user_id: int | None = None,
    /,
    **detail: Any,
) -> TicketEvent:
    """Write one line of a ticket's history. ``detail`` holds JSON values."""
    event = TicketEvent(ticket_id=ticket_id, at=now, kind=kind, user_id=user_id, detail=detail)
    session.add(event)
    return event


def add_action(
    session: Session,
    ticket_id: int,
    now: datetime,
    kind: str,
    user_id: int | None,
    /,
    **detail: Any,
) -> TicketEvent:
    """Write what a person did, into the ticket's history and into the audit log.

    The audit log gets ids, states and names of fields only: pass texts under ``text``, which stays
    out of it.
    """
    shown = {key: value for key, value in detail.items() if key != "text"}
    session.add(
        AuditEvent(
            at=now,
            user_id=user_id,
            action=f"ticket.{kind}",
            object_type="ticket",
            object_id=str(ticket_id),
            detail=shown,
        )
    )
    return add_event(session, ticket_id, now, kind, user_id, **detail)


def unanswered_messages(session: Session, ticket_id: int) -> int:
    """How often the customer wrote again since they opened the ticket or we last answered."""
    since = (
        select(func.max(TicketEvent.id))
        .where(
            TicketEvent.ticket_id == ticket_id,
            TicketEvent.kind.in_(("opened", *ANSWERS)),
        )
        .scalar_subquery()
    )
    return (
        session.scalar(
            select(func.count(TicketEvent.id)).where(
                TicketEvent.ticket_id == ticket_id,
                TicketEvent.kind == "mention",
                TicketEvent.id > func.coalesce(since, 0),
            )
        )
        or 0
    )


def last_event(session: Session, ticket_id: int, kind: str) -> TicketEvent | None:
    """The newest event of a kind in a ticket's history."""
    return session.scalars(
        select(TicketEvent)
        .where(TicketEvent.ticket_id == ticket_id, TicketEvent.kind == kind)
        .order_by(TicketEvent.id.desc())
        .limit(1)
    ).first()


def answered_since(session: Session, ticket_id: int, since: datetime) -> datetime | None:
    """When a ticket was first answered after a moment."""
    return session.scalar(
        select(func.min(TicketEvent.at)).where(
            TicketEvent.ticket_id == ticket_id,
            TicketEvent.kind.in_(ANSWERS),
            TicketEvent.at >= since,
        )
    )


def forget_subjects(session: Session, mention_ids: Sequence[int]) -> int:
    """Erase the subjects that were taken from mentions whose text must go; returns how many."""
    opened = session.execute(
        select(TicketEvent.ticket_id, TicketEvent.detail).where(
            TicketEvent.kind == "opened",
            TicketEvent.ticket_id.in_(
                select(TicketConversation.ticket_id)
                .join(Mention, Mention.conversation_id == TicketConversation.conversation_id)
                .where(Mention.id.in_(mention_ids))
            ),
        )
    )
    gone = set(mention_ids)
    tickets = [row.ticket_id for row in opened if row.detail.get("mention_id") in gone]
    if tickets:
        session.execute(update(Ticket).where(Ticket.id.in_(tickets)).values(subject=""))
    return len(tickets)
