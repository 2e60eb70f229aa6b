"""The history of a ticket, and the audit log of what people did to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from store.models import AuditEvent, TicketEvent


def add_event(
    session: Session,
    ticket_id: int,
    now: datetime,
    kind: str,
    user_id: int | None = None,
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
