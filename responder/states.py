"""What a change of a ticket's status brings with it: its clocks and its times.

The actions of people (``responder.tickets``) and of the triage stage share these; they write no
history.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from responder import sla
from store.models import Ticket


def make_open(session: Session, ticket: Ticket, now: datetime, counted_from: datetime) -> None:
    """Open a pending, snoozed or resolved ticket.

    ``counted_from``: when we received what opened it. Paused clocks go on; a resolved ticket gets
    its full time to a resolution again, and to a first response if it never had one.
    """
    if ticket.status == "resolved":
        sla.restart(session, ticket.id, sla.RESOLUTION, counted_from)
        if ticket.first_replied_at is None:
            sla.restart(session, ticket.id, sla.FIRST_RESPONSE, counted_from)
    else:
        sla.resume(session, ticket.id, counted_from)
    ticket.status = "open"
    ticket.resolved_at = ticket.snoozed_until = None
    ticket.changed_at = now
    session.flush()


def make_waiting(
    session: Session, ticket: Ticket, now: datetime, snoozed_until: datetime | None
) -> None:
    """Let a ticket wait for the customer (pending), or until a moment (snoozed)."""
    sla.pause(session, ticket.id, now)
    ticket.status = "pending" if snoozed_until is None else "snoozed"
    ticket.snoozed_until = snoozed_until
    ticket.changed_at = now
    session.flush()


def make_resolved(session: Session, ticket: Ticket, now: datetime) -> None:
    """Resolve a ticket; both its clocks stop."""
    for kind in (sla.FIRST_RESPONSE, sla.RESOLUTION):
        sla.stop(session, ticket.id, kind, now)
    ticket.status = "resolved"
    ticket.resolved_at = ticket.changed_at = now
    ticket.snoozed_until = None
    session.flush()


def note_answer(session: Session, ticket: Ticket, answered_at: datetime, now: datetime) -> None:
    """The customer has an answer: the first one is kept and stops its clock."""
    if ticket.first_replied_at is None or answered_at < ticket.first_replied_at:
        ticket.first_replied_at = answered_at
    ticket.changed_at = now
    sla.stop(session, ticket.id, sla.FIRST_RESPONSE, answered_at)
    session.flush()
