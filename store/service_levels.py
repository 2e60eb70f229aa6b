"""Rows of service levels: policies, calendars and the clocks of tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store import locks
from store.bulk import upsert
from store.models import BusinessCalendar, SlaClock, SlaPolicy

LONGEST_MINUTES = 100_000
"""The longest limit that can be set, some ten months of working days."""


class LevelError(Exception):
    """A change that cannot be made; ``reason`` is empty or long (a name), taken, gone, in_use,
    minutes (not from 1 to ``LONGEST_MINUTES``) or order (resolution before the first response).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CalendarValues:
    """What can be set of a calendar; ``calendars.business.from_row`` tells whether it is usable."""

    name: str
    time_zone: str
    weekly: Mapping[str, str]
    holidays: str | None = None
    closed_days: list[str] = field(default_factory=list)


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


def save_policy(
    session: Session,
    brand_id: int | None,
    category: str,
    *,
    first_response_minutes: int,
    resolution_minutes: int,
    calendar_id: int,
) -> int:
    """Set the limits of a class for a brand, or for all brands (None); gives the policy's id.

    Clocks that run keep the limits they were started with. Raises LevelError.
    """
    if not 1 <= first_response_minutes <= LONGEST_MINUTES >= resolution_minutes >= 1:
        raise LevelError("minutes")
    if resolution_minutes < first_response_minutes:
        raise LevelError("order")
    if session.get(BusinessCalendar, calendar_id) is None:
        raise LevelError("gone")
    # Two rows without a brand are no conflict to a unique constraint, so writers take turns.
    locks.hold(session, "sla-defaults")
    policy = session.scalars(
        select(SlaPolicy)
        .where(SlaPolicy.category == category, SlaPolicy.brand_id.is_not_distinct_from(brand_id))
        .order_by(SlaPolicy.id)
        .limit(1)
    ).first()
    if policy is None:
        policy = SlaPolicy(brand_id=brand_id, category=category)
        session.add(policy)
    policy.first_response_minutes = first_response_minutes
    policy.resolution_minutes = resolution_minutes
    policy.calendar_id = calendar_id
    session.flush()
    return policy.id


def remove_policy(session: Session, brand_id: int, category: str) -> bool:
    """Let a brand go by the default limits of a class again; False when it did already."""
    statement = delete(SlaPolicy).where(
        SlaPolicy.brand_id == brand_id, SlaPolicy.category == category
    )
    return session.execute(statement.returning(SlaPolicy.id)).first() is not None


def save_calendar(session: Session, values: CalendarValues, calendar_id: int | None = None) -> int:
    """Add a calendar, or change one; gives its id. Check that it is usable first.

    A clock that runs stays due when it was; time that is left over after a pause is counted in the
    new hours. Raises LevelError.
    """
    name = " ".join(values.name.split())
    if not name:
        raise LevelError("empty")
    if len(name) > 120:
        raise LevelError("long")
    known = session.scalars(
        select(BusinessCalendar).where(func.lower(BusinessCalendar.name) == name.lower())
    ).first()
    if known is not None and known.id != calendar_id:
        raise LevelError("taken")
    row = session.get(BusinessCalendar, calendar_id) if calendar_id is not None else None
    if row is None:
        if calendar_id is not None:
            raise LevelError("gone")
        row = BusinessCalendar()
        session.add(row)
    row.name, row.time_zone = name, values.time_zone
    row.weekly, row.holidays = dict(values.weekly), values.holidays or None
    row.closed_days = list(values.closed_days)
    session.flush()
    return row.id


def remove_calendar(session: Session, calendar_id: int) -> bool:
    """Delete a calendar; False when it was gone already.

    Raises LevelError ("in_use") while limits or a ticket's clocks are counted in it.
    """
    locks.hold(session, "sla-defaults")
    for used in (SlaPolicy.calendar_id, SlaClock.calendar_id):
        if session.scalar(select(used).where(used == calendar_id).limit(1)) is not None:
            raise LevelError("in_use")
    statement = delete(BusinessCalendar).where(BusinessCalendar.id == calendar_id)
    return session.execute(statement.returning(BusinessCalendar.id)).first() is not None


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
