"""Service levels: how long a customer may wait, counted in the team's working minutes.

A ticket has two clocks. *First response* runs until our first answer, *resolution* until the ticket
is resolved. Both start when we received the post, pause while the ticket is pending or snoozed, and
go on with the working minutes that were left. Minutes and calendars are those of the policy at the
moment a clock starts; a later change of the policy holds for later tickets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog
from sqlalchemy.orm import Session

from calendars.business import Calendar, from_row, round_the_clock
from calendars.spans import CalendarError
from store import locks
from store import service_levels as rows
from store.models import Brand, BusinessCalendar, SlaClock, SlaPolicy, Ticket
from store.ticket_events import add_event

_log = structlog.get_logger(__name__)

FIRST_RESPONSE = "first_response"
RESOLUTION = "resolution"

STOCK_CALENDAR = "Weekdays 09:00-18:00"
"""Name of the calendar the default policies begin with; each time zone gets one of its own."""

_WEEK = {str(day): "09:00-18:00" for day in range(5)}
_CHINESE_WEEK = {str(day): "09:00-12:00,13:00-18:00" for day in range(5)}
_CHINESE_ZONES = {"Asia/Shanghai", "Asia/Urumqi", "Asia/Chongqing", "Asia/Harbin", "PRC"}

# Working minutes to the first response and to the resolution; a working day has 540.
_DEFAULT_MINUTES = {
    "complaint": (60, 1080),
    "enquiry": (120, 1080),
    "suggestion": (540, 2700),
    "praise": (540, 2700),
    "other": (240, 1620),
}

State = Literal["ok", "soon", "late", "stopped", "paused"]


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the desk shows of a clock.

    ``minutes_left`` are working minutes until it is due, negative once it is late; for a stopped
    clock, what was left when it stopped. ``late`` stays on a stopped clock's ``breached``.
    """

    minutes_left: float
    state: State
    breached: bool


@dataclass(frozen=True, slots=True)
class Breach:
    """A clock that passed its time just now."""

    ticket_id: int
    clock_id: int
    kind: str
    due_at: datetime


def ensure_defaults(session: Session) -> int:
    """Make the default policies that are missing, with their calendar; returns how many.

    Safe to call at every start and by several processes at once.
    """
    locks.hold(session, "sla-defaults")
    known = rows.default_policies(session)
    missing = [category for category in _DEFAULT_MINUTES if category not in known]
    if missing:
        calendar = _stock_calendar(session, "UTC")
        for category in missing:
            first, resolution = _DEFAULT_MINUTES[category]
            session.add(
                SlaPolicy(
                    brand_id=None,
                    category=category,
                    first_response_minutes=first,
                    resolution_minutes=resolution,
                    calendar_id=calendar.id,
                )
            )
        session.flush()
    return len(missing)


def start_clocks(session: Session, ticket: Ticket, received_at: datetime) -> int:
    """Start both clocks of a ticket, counted from when we received the post.

    Clocks that the ticket has already are left alone. Returns how many were started. The default
    policies use the working week of the brand's time zone until someone gives them another
    calendar.
    """
    plan = _plan_for(session, ticket.brand_id, ticket.category)
    minutes = {FIRST_RESPONSE: plan.first_response_minutes, RESOLUTION: plan.resolution_minutes}
    return rows.add_clocks(
        session,
        [
            {
                "ticket_id": ticket.id,
                "kind": kind,
                "calendar_id": plan.calendar_id,
                "limit_minutes": limit,
                "started_at": received_at,
                "due_at": plan.calendar.add_minutes(received_at, limit),
            }
            for kind, limit in minutes.items()
        ],
    )


def stop(session: Session, ticket_id: int, kind: str, at: datetime) -> bool:
    """Stop a clock that has not stopped; true when it did. A late one counts as breached."""
    clock = rows.clocks_of(session, ticket_id, lock=True).get(kind)
    if clock is None or clock.stopped_at is not None:
        return False
    clock.stopped_at = max(at, clock.started_at)
    if clock.paused_at is None:
        if clock.stopped_at > clock.due_at:
            _mark(session, clock, at)
        clock.left_minutes = _left(_calendar_of(session, clock), clock.due_at, clock.stopped_at)
    session.flush()
    return True


def pause(session: Session, ticket_id: int, at: datetime) -> int:
    """Pause the running clocks of a ticket; returns how many."""
    paused = 0
    for clock in rows.clocks_of(session, ticket_id, lock=True).values():
        if clock.stopped_at is not None or clock.paused_at is not None:
            continue
        if at > clock.due_at:
            _mark(session, clock, at)
        clock.paused_at = at
        clock.left_minutes = _left(_calendar_of(session, clock), clock.due_at, at)
        paused += 1
    session.flush()
    return paused


def resume(session: Session, ticket_id: int, at: datetime) -> int:
    """Let paused clocks go on with the working minutes they had left; returns how many.

    A clock that was late when it was paused stays late, due when it was.
    """
    resumed = 0
    for clock in rows.clocks_of(session, ticket_id, lock=True).values():
        if clock.stopped_at is not None or clock.paused_at is None:
            continue
        left = clock.left_minutes or 0.0
        if left > 0:
            clock.due_at = _calendar_of(session, clock).add_minutes(at, left)
        clock.paused_at = clock.left_minutes = None
        resumed += 1
    session.flush()
    return resumed


def restart(session: Session, ticket_id: int, kind: str, at: datetime) -> bool:
    """Give a reopened ticket its full time again. An earlier breach stays in its history."""
    clock = rows.clocks_of(session, ticket_id, lock=True).get(kind)
    if clock is None:
        return False
    clock.started_at = at
    clock.due_at = _calendar_of(session, clock).add_minutes(at, clock.limit_minutes)
    clock.stopped_at = clock.paused_at = clock.left_minutes = clock.breached_at = None
    session.flush()
    return True


def mark_breaches(session: Session, now: datetime, limit: int = 500) -> list[Breach]:
    """Mark running clocks that have passed their time; each is returned once.

    Call it again while it returns ``limit`` of them.
    """
    found = []
    for clock in rows.overdue_clocks(session, now, limit):
        _mark(session, clock, now)
        found.append(Breach(clock.ticket_id, clock.id, clock.kind, clock.due_at))
    session.flush()
    return found


def take_earliest(session: Session, kept_id: int, other_id: int, at: datetime) -> list[str]:
    """After a merge: the kept ticket has the earlier deadline of both, the other's clocks stop.

    Returns the kinds of the clocks that were stopped, for ``give_back``.
    """
    kept = rows.clocks_of(session, kept_id, lock=True)
    stopped = []
    for kind, other in rows.clocks_of(session, other_id, lock=True).items():
        if other.stopped_at is not None:
            continue
        due = other.due_at
        if other.paused_at is not None:
            left = max(0.0, other.left_minutes or 0.0)
            due = _calendar_of(session, other).add_minutes(at, left)
        mine = kept.get(kind)
        running = mine is not None and mine.stopped_at is None and mine.paused_at is None
        if mine is not None and running and due < mine.due_at:
            mine.due_at, mine.started_at = due, min(mine.started_at, other.started_at)
            mine.limit_minutes, mine.calendar_id = other.limit_minutes, other.calendar_id
        other.stopped_at = at
        stopped.append(kind)
    session.flush()
    return stopped


def give_back(
    session: Session, ticket_id: int, kinds: Sequence[str], first_replied_at: datetime | None
) -> None:
    """After a split: let the clocks run on that a merge had stopped.

    ``first_replied_at``: when the customer was answered while the tickets were one.
    """
    for kind, clock in rows.clocks_of(session, ticket_id, lock=True).items():
        if kind in kinds:
            answered = first_replied_at if kind == FIRST_RESPONSE else None
            clock.stopped_at = answered
    session.flush()


def clock_state(clock: SlaClock, now: datetime, calendar: Calendar) -> ClockState:
    """How a clock stands. It is ``soon`` due from a quarter of its limit downwards."""
    breached = clock.breached_at is not None
    if clock.stopped_at is not None:
        return ClockState(clock.left_minutes or 0.0, "stopped", breached)
    if clock.paused_at is not None:
        return ClockState(clock.left_minutes or 0.0, "paused", breached)
    left = _left(calendar, clock.due_at, now)
    if now > clock.due_at:
        return ClockState(left, "late", True)
    soon = left <= clock.limit_minutes / 4
    return ClockState(left, "soon" if soon else "ok", breached)


def calendars_by_id(session: Session) -> dict[int, Calendar]:
    """All calendars ready for ``clock_state``, by the id that clocks carry."""
    return {row.id: usable(row) for row in rows.calendars(session)}


def usable(row: BusinessCalendar) -> Calendar:
    """A stored calendar; one that is broken counts as always open, so that no deadline is lost."""
    try:
        return from_row(row)
    except CalendarError as error:
        _log.warning("calendar_unusable", calendar_id=row.id, reason=str(error))
        return round_the_clock(row.name)


def _mark(session: Session, clock: SlaClock, now: datetime) -> None:
    if clock.breached_at is None:
        clock.breached_at = clock.due_at
        add_event(
            session, clock.ticket_id, now, "breached", clock=clock.kind, limit=clock.limit_minutes
        )


def _left(calendar: Calendar, due_at: datetime, at: datetime) -> float:
    if at <= due_at:
        return calendar.minutes_between(at, due_at)
    return -calendar.minutes_between(due_at, at)


def _calendar_of(session: Session, clock: SlaClock) -> Calendar:
    return usable(session.get_one(BusinessCalendar, clock.calendar_id))


@dataclass(frozen=True, slots=True)
class _Plan:
    first_response_minutes: int
    resolution_minutes: int
    calendar_id: int
    calendar: Calendar


def _plan_for(session: Session, brand_id: int, category: str) -> _Plan:
    """A class's limits and calendar; looked up once in a transaction, which may open many."""
    known: dict[tuple[int, str], _Plan] = session.info.setdefault("sla-plans", {})
    plan = known.get((brand_id, category))
    if plan is None:
        policy = rows.policy_of(session, brand_id, category)
        if policy is None:
            ensure_defaults(session)
            policy = rows.policy_of(session, brand_id, category)
        assert policy is not None
        stored = _calendar_for(session, policy, brand_id)
        plan = known[brand_id, category] = _Plan(
            policy.first_response_minutes, policy.resolution_minutes, stored.id, usable(stored)
        )
    return plan


def _calendar_for(session: Session, policy: SlaPolicy, brand_id: int) -> BusinessCalendar:
    calendar = session.get_one(BusinessCalendar, policy.calendar_id)
    if policy.brand_id is not None or calendar.name != _stock_name("UTC"):
        return calendar
    return _stock_calendar(session, session.get_one(Brand, brand_id).time_zone)


def _stock_name(time_zone: str) -> str:
    return f"{STOCK_CALENDAR} ({time_zone})"


def _stock_calendar(session: Session, time_zone: str) -> BusinessCalendar:
    name = _stock_name(time_zone)
    known = rows.calendar_named(session, name)
    if known is not None:
        return known
    chinese = time_zone in _CHINESE_ZONES
    return rows.make_calendar(
        session,
        name,
        time_zone,
        _CHINESE_WEEK if chinese else _WEEK,
        "CN" if chinese else None,
    )
