"""The log of who changed what. Details hold ids and names of fields, no texts and no secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import AuditEvent, User


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of the log. ``who`` is empty when the program itself acted."""

    at: datetime
    who: str
    action: str
    object_type: str
    object_id: str
    detail: Mapping[str, Any]


def record(
    session: Session,
    *,
    at: datetime,
    user_id: int | None,
    action: str,
    object_type: str,
    object_id: object = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add a line, in the same transaction as the change it tells of."""
    session.add(
        AuditEvent(
            at=at,
            user_id=user_id,
            action=action,
            object_type=object_type,
            object_id=None if object_id is None else str(object_id),
            detail=dict(detail or {}),
        )
    )
    session.flush()


def latest(session: Session, limit: int = 50) -> list[AuditLine]:
    """The newest lines first."""
    rows = session.execute(
        select(AuditEvent, User.name, User.email)
        .outerjoin(User, User.id == AuditEvent.user_id)
        .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
        .limit(limit)
    )
    return [
        AuditLine(
            event.at,
            name or email or "",
            event.action,
            event.object_type,
            event.object_id or "",
            event.detail,
        )
        for event, name, email in rows
    ]
