"""How a ticket begins: by triage, or by a person for a post which triage let pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from responder import sla
from responder.errors import Collision, TicketError
from responder.priority import Circumstances, points_of, priority_of, priority_parts
from responder.tickets import CATEGORIES
from responder.triage_rules import subject_from
from store import ticket_links as links
from store.customers import customer_of_author
from store.models import Assessment, Author, Brand, Customer, Mention, MentionBrand, Ticket
from store.numbers import next_number
from store.ticket_events import add_action, add_event

BY_PERSON = "person"


@dataclass(frozen=True, slots=True)
class Case:
    """The post a ticket is opened for, and as what. ``received_at`` starts the clocks."""

    mention_id: int
    conversation_id: int
    author_id: int | None
    title: str
    text: str
    language: str
    platform: str
    posted_at: datetime
    received_at: datetime
    brand_id: int
    realm: str
    category: str
    reason: str


def open_ticket(
    session: Session,
    case: Case,
    now: datetime,
    *,
    user_id: int | None = None,
    follows: Ticket | None = None,
) -> Ticket | None:
    """Open a ticket with number, customer, clocks and its first line of history.

    ``follows`` is a ticket that is over and gives the conversation up. None when the conversation
    got a ticket meanwhile; then nothing is kept.
    """
    customer = (
        customer_of_author(session, case.author_id, now) if case.author_id is not None else None
    )
    ticket = Ticket(
        number=next_number(session, "DR" if case.realm == "drill" else "GS", now.year),
        brand_id=case.brand_id,
        customer_id=customer.id if customer else None,
        category=case.category,
        subject=subject_from(case.title, case.text),
        language=case.language,
        platform=case.platform,
        created_at=now,
        changed_at=now,
        last_inbound_at=case.posted_at,
    )
    if follows is not None:
        links.retire_link(session, follows.id, case.conversation_id)
    if not links.open_ticket(session, ticket, case.conversation_id, now):
        return None
    detail = {
        "mention_id": case.mention_id,
        "reason": case.reason,
        "category": case.category,
        "posted_at": case.posted_at.isoformat(),
        "follows": follows.number if follows else None,
    }
    write = add_action if case.reason == BY_PERSON else add_event
    write(session, ticket.id, now, "opened", user_id, **detail)
    if follows is not None:
        add_event(session, follows.id, now, "followed_by", None, number=ticket.number)
    sla.start_clocks(session, ticket, case.received_at)
    return ticket


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
    ticket, TicketError when the post was deleted, is our own, or the brand is a competitor.
    """
    mention = session.get(Mention, mention_id)
    concerned = session.get(MentionBrand, (brand_id, mention_id))
    brand = session.get(Brand, brand_id)
    if mention is None or concerned is None or brand is None or mention.deleted_at is not None:
        raise TicketError("This post is gone or does not belong to this brand. Reload the page.")
    if mention.direction == "outbound":
        raise TicketError("This is a post of our own; tickets are for posts of customers.")
    if brand.kind == "competitor":
        raise TicketError("This post is about a competitor; tickets are for our own brands.")
    existing = links.active_ticket(session, mention.conversation_id)
    if existing is not None:
        raise _has_one(existing)
    chosen = category or concerned.intent or "other"
    if chosen not in CATEGORIES:
        raise TicketError("There is no class {name}. Choose another one.", name=repr(chosen))
    case = Case(
        mention_id=mention.id,
        conversation_id=mention.conversation_id,
        author_id=mention.author_id,
        title=mention.title,
        text=mention.text,
        language=mention.language,
        platform=mention.platform,
        posted_at=mention.posted_at,
        received_at=now,
        brand_id=brand_id,
        realm=brand.realm,
        category=chosen,
        reason=BY_PERSON,
    )
    ticket = open_ticket(session, case, now, user_id=user_id)
    if ticket is None:
        winner = links.active_ticket(session, mention.conversation_id)
        assert winner is not None
        raise _has_one(winner)
    ticket.priority_parts = _parts(session, ticket, mention)
    ticket.priority_points = points_of(ticket.priority_parts)
    ticket.priority = priority_of(ticket.priority_parts)
    session.flush()
    return ticket


def _parts(session: Session, ticket: Ticket, mention: Mention) -> list[dict[str, object]]:
    said = session.get(Assessment, mention.id)
    author = session.get(Author, mention.author_id) if mention.author_id is not None else None
    customer = session.get(Customer, ticket.customer_id) if ticket.customer_id else None
    return priority_parts(
        Circumstances(
            urgency=said.urgency if said else 0,
            p_negative=said.p_negative if said else 0.0,
            intent=ticket.category,
            followers=author.followers if author else None,
            vip=bool(customer and customer.vip),
        )
    )


def _has_one(ticket: Ticket) -> Collision:
    return Collision("This conversation has a ticket already: {number}.", number=ticket.number)
