"""What people do with a ticket. Each action checks, changes, and writes history and audit log.

A ticket is *open* (ours to do), *pending* (waits for the customer), *snoozed* (comes back at a
time), or *resolved*. Every action raises TicketError where it is not possible and Collision where
somebody else was quicker; then nothing is changed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from responder.errors import Collision, TicketError, in_words
from responder.priority import (
    SET_BY_PERSON,
    WAITING_STEPS,
    Part,
    Priority,
    aged_parts,
    points_of,
    priority_of,
)
from responder.states import make_open, make_resolved, make_waiting
from store import ticket_events as history
from store import ticket_links as links
from store import tickets as rows
from store.models import Ticket, User

CATEGORIES = ("complaint", "enquiry", "suggestion", "praise", "other")
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high", "urgent")
NOTE_LENGTH = 20_000
_AGE_WINDOW = timedelta(hours=6)


def current(session: Session, ticket_id: int) -> Ticket:
    """The ticket, locked until the transaction ends.

    Raises TicketError when there is none, or when it was merged into another.
    """
    ticket = links.lock_ticket(session, ticket_id)
    if ticket is None:
        raise TicketError("This ticket does not exist any more. Go back to the inbox.")
    if ticket.merged_into_id is not None:
        kept = session.get_one(Ticket, links.final_id(session, ticket_id))
        raise TicketError(
            "{number} was merged into {other}. Work on that one.",
            number=ticket.number,
            other=kept.number,
        )
    return ticket


def assign(
    session: Session, ticket_id: int, user_id: int | None, now: datetime, assignee_id: int | None
) -> Ticket:
    """Give the ticket to somebody, or to nobody."""
    ticket = current(session, ticket_id)
    if assignee_id is not None:
        person = session.get(User, assignee_id)
        if person is None or not person.active:
            raise TicketError("This person cannot be given tickets: their account is not active.")
        if not rows.may_see(session, person, ticket.brand_id):
            raise TicketError(
                "{who} may not see this brand. Choose somebody else, or ask an administrator to "
                "give them the brand.",
                who=person.name or person.email,
            )
    if ticket.assignee_id == assignee_id:
        return ticket
    before, ticket.assignee_id, ticket.changed_at = ticket.assignee_id, assignee_id, now
    history.add_action(session, ticket.id, now, "assigned", user_id, to=assignee_id, before=before)
    session.flush()
    return ticket


def take(
    session: Session, ticket_id: int, user_id: int, now: datetime, *, over: bool = False
) -> Ticket:
    """Take the ticket oneself. ``over`` takes it from somebody who has it already."""
    ticket = current(session, ticket_id)
    if ticket.assignee_id not in (None, user_id) and not over:
        raise Collision(
            "{who} has this ticket already. Ask them, or take it over.",
            who=rows.name_of_user(session, ticket.assignee_id),
            user_id=ticket.assignee_id,
        )
    return assign(session, ticket_id, user_id, now, user_id)


def add_note(
    session: Session, ticket_id: int, user_id: int | None, now: datetime, text: str
) -> int:
    """Write a note that only staff see; returns the event's id."""
    words = text.strip()
    if not words:
        raise TicketError("The note is empty.")
    if len(words) > NOTE_LENGTH:
        raise TicketError("The note is too long: at most {limit} characters.", limit=NOTE_LENGTH)
    ticket = current(session, ticket_id)
    event = history.add_action(session, ticket.id, now, "note", user_id, text=words)
    session.flush()
    return event.id


def set_open(session: Session, ticket_id: int, user_id: int | None, now: datetime) -> Ticket:
    """Bring a pending or snoozed ticket back to work; its clocks go on."""
    ticket = _changing(session, ticket_id, "open", ("pending", "snoozed"))
    return _status(session, ticket, user_id, now, "opened_again")


def reopen(session: Session, ticket_id: int, user_id: int | None, now: datetime) -> Ticket:
    """Open a resolved ticket again; its time to a resolution starts anew."""
    ticket = _changing(session, ticket_id, "open", ("resolved",))
    return _status(session, ticket, user_id, now, "reopened")


def set_pending(session: Session, ticket_id: int, user_id: int | None, now: datetime) -> Ticket:
    """Wait for the customer; the clocks pause."""
    ticket = _changing(session, ticket_id, "pending", ("open", "snoozed"))
    before = ticket.status
    make_waiting(session, ticket, now, None)
    history.add_action(session, ticket.id, now, "pending", user_id, before=before)
    session.flush()
    return ticket


def snooze(
    session: Session, ticket_id: int, user_id: int | None, now: datetime, until: datetime
) -> Ticket:
    """Put the ticket away until a moment; the clocks pause. A new post wakes it earlier."""
    if until <= now:
        raise TicketError("Choose a time in the future to bring the ticket back.")
    ticket = _changing(session, ticket_id, "snoozed", ("open", "pending", "snoozed"))
    before = ticket.status
    make_waiting(session, ticket, now, until)
    history.add_action(
        session, ticket.id, now, "snoozed", user_id, before=before, until=until.isoformat()
    )
    session.flush()
    return ticket


def resolve(
    session: Session, ticket_id: int, user_id: int | None, now: datetime, *, anyway: bool = False
) -> Ticket:
    """Finish the ticket; its clocks stop.

    ``anyway`` does it although a reply failed or nobody knows whether it arrived.
    """
    ticket = _changing(session, ticket_id, "resolved", ("open", "pending", "snoozed"))
    if not anyway and rows.has_lost_reply(session, links.merged_ids(session, ticket.id)):
        raise TicketError(
            "A reply of this ticket did not go out, or nobody knows whether it did. Look at it "
            "first, or resolve the ticket anyway."
        )
    before = ticket.status
    make_resolved(session, ticket, now)
    history.add_action(session, ticket.id, now, "resolved", user_id, before=before)
    session.flush()
    return ticket


def set_category(
    session: Session, ticket_id: int, user_id: int | None, now: datetime, category: str
) -> Ticket:
    """Put the ticket into another class. Its clocks keep the limits they began with."""
    if category not in CATEGORIES:
        raise TicketError("There is no class {name}. Choose another one.", name=repr(category))
    ticket = current(session, ticket_id)
    if ticket.category != category:
        before, ticket.category, ticket.changed_at = ticket.category, category, now
        history.add_action(
            session, ticket.id, now, "category", user_id, before=before, after=category
        )
        session.flush()
    return ticket


def set_priority(
    session: Session, ticket_id: int, user_id: int | None, now: datetime, priority: Priority | None
) -> Ticket:
    """Choose a priority that later posts do not change; None gives it back to the rules."""
    if priority is not None and priority not in PRIORITIES:
        raise TicketError("There is no priority {name}. Choose another one.", name=repr(priority))
    ticket = current(session, ticket_id)
    parts = [part for part in ticket.priority_parts if part["key"] != SET_BY_PERSON]
    if priority is not None:
        detail = {"priority": priority, "user_id": user_id}
        parts.append({"key": SET_BY_PERSON, "points": 0, "detail": detail})
    before = ticket.priority
    ticket.priority_parts = parts
    ticket.priority_points = points_of(parts)
    ticket.priority = priority_of(parts)
    ticket.changed_at = now
    history.add_action(
        session, ticket.id, now, "priority", user_id, before=before, after=ticket.priority
    )
    session.flush()
    return ticket


def wake_due(session: Session, now: datetime, limit: int = 500) -> list[int]:
    """Bring back snoozed tickets whose time has come; returns their ids."""
    woken = []
    for ticket in rows.snoozed_until(session, now, limit):
        make_open(session, ticket, now, now)
        history.add_event(session, ticket.id, now, "woken", reason="time")
        woken.append(ticket.id)
    session.flush()
    return woken


def age_priorities(session: Session, now: datetime) -> int:
    """Raise the priority of open tickets that have waited past a step; returns how many changed.

    To be called every few minutes; a pause of six hours is made up for.
    """
    changed = 0
    spans = [(now - step - _AGE_WINDOW, now - step) for step in WAITING_STEPS]
    for found in rows.unanswered_between(session, spans):
        if _waiting(aged_parts(found.priority_parts, now - found.created_at)) <= _waiting(
            found.priority_parts
        ):
            continue
        ticket = links.lock_ticket(session, found.id)
        if ticket is None or ticket.status != "open" or ticket.first_replied_at is not None:
            continue
        ticket.priority_parts = aged_parts(ticket.priority_parts, now - ticket.created_at)
        ticket.priority_points = points_of(ticket.priority_parts)
        ticket.priority = priority_of(ticket.priority_parts)
        changed += 1
    session.flush()
    return changed


def _waiting(parts: list[Part]) -> int:
    return next((int(part["points"]) for part in parts if part["key"] == "waiting"), 0)


def _changing(session: Session, ticket_id: int, to: str, allowed_from: tuple[str, ...]) -> Ticket:
    ticket = current(session, ticket_id)
    if ticket.status in allowed_from:
        return ticket
    if ticket.status == to:
        raise _already(session, ticket)
    if ticket.status == "resolved":
        raise TicketError("{number} is resolved. Reopen it first.", number=ticket.number)
    raise TicketError(
        "{number} is {status}; this is not possible now.",
        number=ticket.number,
        status=ticket.status,
    )


def _already(session: Session, ticket: Ticket) -> Collision:
    kinds = {"open": "reopened", "pending": "pending", "resolved": "resolved"}
    event = history.last_event(session, ticket.id, kinds.get(ticket.status, ticket.status))
    if event is None:
        return Collision(
            "{number} is {status} already.", number=ticket.number, status=ticket.status
        )
    return Collision(
        "{number} is {status} already: {who} did it at {at}.",
        number=ticket.number,
        status=ticket.status,
        who=rows.name_of_user(session, event.user_id),
        at=in_words(event.at),
        user_id=event.user_id,
        when=event.at,
    )


def _status(
    session: Session, ticket: Ticket, user_id: int | None, now: datetime, kind: str
) -> Ticket:
    before = ticket.status
    make_open(session, ticket, now, now)
    history.add_action(session, ticket.id, now, kind, user_id, before=before)
    session.flush()
    return ticket
