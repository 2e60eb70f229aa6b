"""Two tickets become one, and become two again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from responder import sla
from responder.errors import TicketError
from responder.priority import merged_parts, points_of, priority_of
from responder.states import make_open
from responder.tickets import current
from store import ticket_events as history
from store import ticket_links as links
from store.models import Brand, Ticket


def merge(
    session: Session, ticket_id: int, other_id: int, user_id: int | None, now: datetime
) -> Ticket:
    """Make one ticket of two, in whichever order they are given; returns the older, which is kept.

    It gets the conversations, the earlier deadlines and the stronger priority of both; it is open
    when one of them was. Both numbers lead to it from now on. Raises TicketError.
    """
    if ticket_id == other_id:
        raise TicketError("A ticket cannot be merged with itself. Choose another one.")
    pair = [current(session, key) for key in sorted((ticket_id, other_id))]
    kept, gone = sorted(pair, key=lambda ticket: (ticket.created_at, ticket.id))
    if _realm(session, kept) != _realm(session, gone):
        raise TicketError("A ticket of a drill or demo cannot be merged with a real one.")
    if kept.status != "open" and gone.status == "open":
        make_open(session, kept, now, now)
    stopped = sla.take_earliest(session, kept.id, gone.id, now)
    conversations = links.active_conversations(session, gone.id)
    links.move_links(session, conversations, gone.id, kept.id, now)
    kept.last_inbound_at = max(kept.last_inbound_at, gone.last_inbound_at)
    kept.customer_id = kept.customer_id or gone.customer_id
    kept.priority_parts = merged_parts(
        gone.priority_parts, merged_parts(kept.priority_parts, gone.priority_parts)
    )
    kept.priority_points = points_of(kept.priority_parts)
    kept.priority = priority_of(kept.priority_parts)
    kept.changed_at = gone.changed_at = now
    before = {
        "status": gone.status,
        "resolved_at": _iso(gone.resolved_at),
        "snoozed_until": _iso(gone.snoozed_until),
        "conversations": conversations,
        "stopped": stopped,
    }
    gone.merged_into_id = kept.id
    gone.status, gone.snoozed_until = "resolved", None
    gone.resolved_at = gone.resolved_at or now
    history.add_action(
        session, kept.id, now, "merged", user_id, ticket_id=gone.id, number=gone.number
    )
    history.add_event(
        session, gone.id, now, "merged_into", user_id,
        ticket_id=kept.id, number=kept.number, **before,
    )  # fmt: skip
    session.flush()
    return kept


def split(session: Session, ticket_id: int, user_id: int | None, now: datetime) -> Ticket:
    """Undo a merge: ``ticket_id`` is the ticket that was merged into another.

    It gets back its conversations, its status and its clocks; it is returned. Raises TicketError.
    """
    gone = links.lock_ticket(session, ticket_id)
    event = history.last_event(session, ticket_id, "merged_into")
    if gone is None or gone.merged_into_id is None or event is None:
        raise TicketError("This ticket is not part of another one, so it cannot be split off.")
    holder = links.lock_ticket(session, links.final_id(session, gone.id))
    assert holder is not None
    before = event.detail
    links.move_links(session, before["conversations"], holder.id, gone.id, now)
    answered_at = history.answered_since(session, holder.id, event.at)
    sla.give_back(session, gone.id, before["stopped"], answered_at)
    gone.first_replied_at = gone.first_replied_at or answered_at
    gone.merged_into_id = None
    gone.status = before["status"]
    gone.resolved_at = _moment(before["resolved_at"])
    gone.snoozed_until = _moment(before["snoozed_until"])
    gone.changed_at = holder.changed_at = now
    history.add_action(
        session, holder.id, now, "split", user_id, ticket_id=gone.id, number=gone.number
    )
    history.add_event(
        session, gone.id, now, "split_from", user_id, ticket_id=holder.id, number=holder.number
    )
    session.flush()
    return gone


def _realm(session: Session, ticket: Ticket) -> str:
    return session.get_one(Brand, ticket.brand_id).realm


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
