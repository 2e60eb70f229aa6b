"""Rows of service levels: policies, calendars and the clocks of tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.bulk import upsert
from store.models import BusinessCalendar, SlaClock, SlaPolicy


def default_policies(session: Session) -> dict[str, SlaPolicy]:
    """The policies that hold where a brand has none of its own, by class of ticket."""
    rows = session.scalars(
        select(SlaPolicy).where(SlaPolicy.brand_id.is_(None)).order_by(SlaPolicy.id.desc())
    )
    return {policy.category: policy for policy in rows}


def policy_of(session: Session, brand_id: int, category: str) -> SlaPolicy | None:
    """A brand's policy for a class of ticket, else the default, else None."""
    return session.scalars(
        select(SlaPolicy)
        .where(SlaPolicy.category == category)
        .where((SlaPolicy.brand_id == brand_id) | SlaPolicy.brand_id.is_(None))
        .order_by(SlaPolicy.brand_id.is_(None), SlaPolicy.id)
        .limit(1)
    ).first()


def calendar_named(session: Session, name: str) -> BusinessCalendar | None:
    """A stored calendar by its name."""
    return session.scalars(select(BusinessCalendar).where(BusinessCalendar.name == name)).first()


def make_calendar(
    session: Session,
    name: str,
    time_zone: str,
    weekly: Mapping[str, str],
    holidays: str | None = None,
) -> BusinessCalendar:
    """The calendar of that name, made when there is none; safe when two processes make it."""
    session.execute(
        upsert(session, BusinessCalendar)
        .values(
            name=name,
            time_zone=time_zone,
            weekly=dict(weekly),
            holidays=holidays,
            closed_days=[],
        )
        .on_conflict_do_nothing(index_elements=["name"])
    )
    found = calendar_named(session, name)
    assert found is not None
    return found


def calendars(session: Session) -> Sequence[BusinessCalendar]:
    """All calendars by name."""
    return session.scalars(select(BusinessCalendar).order_by(BusinessCalendar.name)).all()


def policies(session: Session) -> Sequence[SlaPolicy]:
    """All policies, the defaults first."""
    return session.scalars(
        select(SlaPolicy).order_by(
            SlaPolicy.brand_id.is_not(None), SlaPolicy.brand_id, SlaPolicy.category
        )
    ).all()


def clocks_of(session: Session, ticket_id: int, *, lock: bool = False) -> dict[str, SlaClock]:
    """A ticket's clocks by kind. ``lock`` holds them until the transaction ends."""
    statement = select(SlaClock).where(SlaClock.ticket_id == ticket_id).order_by(SlaClock.id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return {clock.kind: clock for clock in session.scalars(statement)}


def add_clocks(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Add clocks that a ticket does not have yet; returns how many were added."""
    statement = (
        upsert(session, SlaClock)
        .values([dict(row) for row in rows])
        .on_conflict_do_nothing(index_elements=["ticket_id", "kind"])
        .returning(SlaClock.id)
    )
    return len(session.execute(statement).all())


def overdue_clocks(session: Session, now: datetime, limit: int) -> Sequence[SlaClock]:
    """Running clocks that have passed their time and are not marked yet; locked, oldest first."""
    return session.scalars(
        select(SlaClock)
        .where(
            SlaClock.stopped_at.is_(None),
            SlaClock.paused_at.is_(None),
            SlaClock.due_at < now,
            SlaClock.breached_at.is_(None),
        )
        .order_by(SlaClock.due_at, SlaClock.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
