"""A ticket that a person opens for a post which triage let pass."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from responder import sla
from responder.errors import Collision, TicketError
from responder.priority import Circumstances, points_of, priority_of, priority_parts
from responder.tickets import CATEGORIES
from store import ticket_links as links
from store.customers import customer_of_author
from store.models import Assessment, Author, Brand, Mention, MentionBrand, Ticket
from store.numbers import next_number
from store.ticket_events import add_action

_SUBJECT_LENGTH = 200


def open_for(
    session: Session,
    mention_id: int,
    brand_id: int,
    user_id: int | None,
    now: datetime,
    category: str | None = None,
) -> Ticket:
    """Open a ticket for a post, whatever triage thought of it; its clocks start now.

    ``category`` None takes the post's own class. Raises Collision when its conversation has a
    ticket, TicketError when the post was deleted or is not the brand's.
    """
    mention = session.get(Mention, mention_id)
    concerned = session.get(MentionBrand, (brand_id, mention_id))
    brand = session.get(Brand, brand_id)
    if mention is None or concerned is None or brand is None or mention.deleted_at is not None:
        raise TicketError("This post is gone or does not belong to this brand. Reload the page.")
    if mention.direction == "outbound":
        raise TicketError("This is a post of our own; tickets are for posts of customers.")
    existing = links.active_ticket(session, mention.conversation_id)
    if existing is not None:
        raise _has_one(existing)
    chosen = category or concerned.intent or "other"
    if chosen not in CATEGORIES:
        raise TicketError("There is no class {name}. Choose another one.", name=repr(chosen))
    said = session.get(Assessment, mention_id)
    author = session.get(Author, mention.author_id) if mention.author_id is not None else None
    customer = customer_of_author(session, author.id, now) if author is not None else None
    parts = priority_parts(
        Circumstances(
            urgency=said.urgency if said else 0,
            p_negative=said.p_negative if said else 0.0,
            intent=chosen,
            followers=author.followers if author else None,
            vip=bool(customer and customer.vip),
        )
    )
    ticket = Ticket(
        number=next_number(session, "DR" if brand.realm == "drill" else "GS", now.year),
        brand_id=brand_id,
        customer_id=customer.id if customer else None,
        category=chosen,
        subject=" ".join((mention.title.strip() or mention.text).split())[:_SUBJECT_LENGTH],
        language=mention.language,
        platform=mention.platform,
        priority=priority_of(parts),
        priority_points=points_of(parts),
        priority_parts=parts,
        created_at=now,
        changed_at=now,
        last_inbound_at=mention.posted_at,
    )
    if not links.open_ticket(session, ticket, mention.conversation_id, now):
        winner = links.active_ticket(session, mention.conversation_id)
        assert winner is not None
        raise _has_one(winner)
    add_action(
        session, ticket.id, now, "opened", user_id,
        mention_id=mention.id, reason="person", category=chosen,
        posted_at=mention.posted_at.isoformat(), follows=None,
    )  # fmt: skip
    sla.start_clocks(session, ticket, now)
    session.flush()
    return ticket


def _has_one(ticket: Ticket) -> Collision:
    return Collision("This conversation has a ticket already: {number}.", number=ticket.number)
