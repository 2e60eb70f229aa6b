"""Which ticket a conversation belongs to, which ticket a merged one became, and locking both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.bulk import upsert
from store.models import Ticket, TicketConversation


def lock_ticket(session: Session, ticket_id: int) -> Ticket | None:
    """A ticket as it stands now, held until the transaction ends; None when there is none."""
    return session.scalars(
        select(Ticket)
        .where(Ticket.id == ticket_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).first()


def active_ticket(session: Session, conversation_id: int) -> Ticket | None:
    """The ticket that a conversation belongs to now, locked."""
    ticket_id = session.scalar(
        select(TicketConversation.ticket_id).where(
            TicketConversation.conversation_id == conversation_id, TicketConversation.active
        )
    )
    return None if ticket_id is None else lock_ticket(session, ticket_id)


def open_ticket(session: Session, ticket: Ticket, conversation_id: int, now: datetime) -> bool:
    """Save a new ticket with its conversation; false when the conversation got one meanwhile.

    When it is false, nothing of the ticket is kept.
    """
    try:
        with session.begin_nested():
            session.add(ticket)
            session.flush()
            session.add(
                TicketConversation(
                    ticket_id=ticket.id, conversation_id=conversation_id, linked_at=now
                )
            )
            session.flush()
    except IntegrityError:
        return False
    return True


def retire_link(session: Session, ticket_id: int, conversation_id: int) -> None:
    """Let a conversation go from a ticket that is long done, so that a new one can have it."""
    session.execute(
        update(TicketConversation)
        .where(
            TicketConversation.ticket_id == ticket_id,
            TicketConversation.conversation_id == conversation_id,
        )
        .values(active=False)
    )


def final_id(session: Session, ticket_id: int) -> int:
    """The id of the ticket that this one became, its own where it was never merged."""
    seen = {ticket_id}
    while True:
        into = session.scalar(select(Ticket.merged_into_id).where(Ticket.id == ticket_id))
        if into is None or into in seen:
            return ticket_id
        seen.add(into)
        ticket_id = into


def merged_ids(session: Session, ticket_id: int) -> list[int]:
    """A ticket's id and those of all tickets that were merged into it, over any number of steps."""
    found = [ticket_id]
    step = [ticket_id]
    while step:
        step = [
            key
            for key in session.scalars(
                select(Ticket.id).where(Ticket.merged_into_id.in_(step)).order_by(Ticket.id)
            )
            if key not in found
        ]
        found += step
    return found


def active_conversations(session: Session, ticket_id: int) -> list[int]:
    """The conversations a ticket covers now."""
    return list(
        session.scalars(
            select(TicketConversation.conversation_id)
            .where(TicketConversation.ticket_id == ticket_id, TicketConversation.active)
            .order_by(TicketConversation.conversation_id)
        )
    )


def move_links(
    session: Session, conversations: Sequence[int], from_id: int, to_id: int, now: datetime
) -> list[int]:
    """Hand conversations from one ticket to another; returns those that the first still had."""
    moved = [key for key in active_conversations(session, from_id) if key in conversations]
    if not moved:
        return []
    session.execute(
        update(TicketConversation)
        .where(
            TicketConversation.ticket_id == from_id, TicketConversation.conversation_id.in_(moved)
        )
        .values(active=False)
    )
    for key in moved:
        session.execute(
            upsert(session, TicketConversation)
            .values(ticket_id=to_id, conversation_id=key, active=True, linked_at=now)
            .on_conflict_do_update(
                index_elements=["ticket_id", "conversation_id"],
                set_={"active": True, "linked_at": now},
            )
        )
    return moved
