"""The inbox: lists of tickets, counts, and small facts about them.

Lists are read by keyset pages: a page costs the same wherever it lies. ``brand_ids`` is always what
the reader may see (None: every brand); rights are decided by the brand that owns a ticket.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, case, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from store.models import (
    Assessment,
    Author,
    Brand,
    Customer,
    Mention,
    Reply,
    SlaClock,
    Ticket,
    TicketConversation,
    User,
    UserBrand,
    UtcDateTime,
)
from store.ticket_links import final_id

Sort = Literal["newest", "oldest", "due", "priority"]
NOBODY: Literal["nobody"] = "nobody"
PAGE = 50
_FAR = datetime(9999, 1, 1, tzinfo=UTC)
_RANKS = {"urgent": 3, "high": 2, "normal": 1, "low": 0}


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets; empty means all. ``text`` is looked for in subject and number."""

    brand_ids: Sequence[int] | None = None
    statuses: Sequence[str] = ()
    categories: Sequence[str] = ()
    priorities: Sequence[str] = ()
    platforms: Sequence[str] = ()
    languages: Sequence[str] = ()
    assignee: int | Literal["nobody"] | None = None
    customer_id: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mood:
    """The sentiment of the newest post from the public."""

    sentiment: str
    p_negative: float
    p_neutral: float
    p_positive: float
    unsure: bool


@dataclass(frozen=True, slots=True)
class TicketRow:
    """One line of the inbox.

    ``clocks`` are rows for ``responder.sla.clock_state``; ``reply_trouble`` counts replies that
    failed or that nobody knows the fate of.
    """

    id: int
    number: str
    brand_id: int
    brand_name: str
    realm: str
    category: str
    status: str
    priority: str
    priority_points: int
    priority_parts: Sequence[Mapping[str, Any]]
    subject: str
    language: str
    platform: str
    assignee_id: int | None
    assignee_name: str | None
    customer_id: int | None
    customer_name: str | None
    vip: bool
    created_at: datetime
    last_inbound_at: datetime
    first_replied_at: datetime | None
    resolved_at: datetime | None
    snoozed_until: datetime | None
    author_handle: str | None = None
    mood: Mood | None = None
    clocks: Mapping[str, SlaClock] = field(default_factory=dict)
    reply_trouble: int = 0


@dataclass(frozen=True, slots=True)
class TicketPage:
    """A page of the inbox; ``next`` continues after it, None at the end."""

    rows: Sequence[TicketRow]
    next: str | None


@dataclass(frozen=True, slots=True)
class InboxCounts:
    """Tickets by status, and of those not resolved: mine, nobody's, and late ones."""

    by_status: Mapping[str, int]
    mine: int
    unassigned: int
    late: int


def list_tickets(
    session: Session,
    which: TicketFilter,
    sort: Sort = "newest",
    after: str | None = None,
    limit: int = PAGE,
) -> TicketPage:
    """A page of tickets. ``after`` is the ``next`` of the page before, with the same sort.

    Sorts: newest and oldest by the customer's last post, due by the nearest deadline of a running
    clock, priority by level and points. Raises ValueError for an ``after`` that is none of ours.
    """
    key, descending = _order(sort)
    statement = _rows_statement(key).where(*_conditions(which))
    if after is not None:
        value, ticket_id = _read_cursor(after, sort)
        place = tuple_(key, Ticket.id)
        limit_at = tuple_(literal(value, key.type), literal(ticket_id))
        statement = statement.where(place < limit_at if descending else place > limit_at)
    order = (key.desc(), Ticket.id.desc()) if descending else (key.asc(), Ticket.id.asc())
    found = session.execute(statement.order_by(*order).limit(limit + 1)).all()
    shown = found[:limit]
    more = _write_cursor(shown[-1][-1], shown[-1].id) if len(found) > limit else None
    return TicketPage(_with_details(session, [tuple(row)[:-1] for row in shown]), more)


def count_tickets(
    session: Session, which: TicketFilter, user_id: int | None, now: datetime
) -> InboxCounts:
    """Counts beside the list; the filter's own status and assignee are left out of them."""
    base = _conditions(which, but=("statuses", "assignee"))
    by_status = dict(
        session.execute(
            select(Ticket.status, func.count()).where(*base).group_by(Ticket.status)
        ).all()
    )
    unresolved = [*base, Ticket.status.in_(("open", "pending", "snoozed"))]
    late = (
        select(SlaClock.id)
        .where(
            SlaClock.ticket_id == Ticket.id,
            SlaClock.stopped_at.is_(None),
            SlaClock.paused_at.is_(None),
            SlaClock.due_at < now,
        )
        .exists()
    )
    mine, nobody, too_late = session.execute(
        select(
            func.coalesce(func.sum(case((Ticket.assignee_id == user_id, 1), else_=0)), 0),
            func.coalesce(func.sum(case((Ticket.assignee_id.is_(None), 1), else_=0)), 0),
            func.coalesce(func.sum(case((late, 1), else_=0)), 0),
        ).where(*unresolved)
    ).one()
    statuses = ("open", "pending", "snoozed", "resolved")
    return InboxCounts(
        {status: by_status.get(status, 0) for status in statuses}, mine, nobody, too_late
    )


def row_of(
    session: Session, ticket_id: int, brand_ids: Sequence[int] | None = None
) -> TicketRow | None:
    """One ticket as the inbox shows it; None when there is none that may be seen."""
    conditions = [Ticket.id == ticket_id]
    if brand_ids is not None:
        conditions.append(Ticket.brand_id.in_(brand_ids))
    found = session.execute(_rows_statement(Ticket.id).where(*conditions)).first()
    return None if found is None else _with_details(session, [tuple(found)[:-1]])[0]


def by_number(session: Session, number: str, brand_ids: Sequence[int] | None = None) -> int | None:
    """The id of the ticket that a number leads to now, merged ones to the one that was kept."""
    found = session.scalar(select(Ticket.id).where(Ticket.number == number.strip().upper()))
    if found is None:
        return None
    ticket = session.get_one(Ticket, final_id(session, found))
    return ticket.id if brand_ids is None or ticket.brand_id in brand_ids else None


def may_see(session: Session, user: User, brand_id: int) -> bool:
    """Whether a person has rights on a brand."""
    return user.all_brands or session.get(UserBrand, (user.id, brand_id)) is not None


def name_of_user(session: Session, user_id: int | None) -> str:
    """What to call a member of staff in a sentence."""
    user = None if user_id is None else session.get(User, user_id)
    return "Somebody" if user is None else user.name or user.email


def has_lost_reply(session: Session, ticket_ids: Sequence[int]) -> bool:
    """Whether a reply failed, or nobody knows whether it arrived."""
    found = select(Reply.id).where(
        Reply.ticket_id.in_(ticket_ids), Reply.status.in_(("failed", "uncertain"))
    )
    return session.scalar(found.limit(1)) is not None


def snoozed_until(session: Session, now: datetime, limit: int) -> Sequence[Ticket]:
    """Snoozed tickets whose time has come, locked."""
    return session.scalars(
        select(Ticket)
        .where(Ticket.status == "snoozed", Ticket.snoozed_until <= now)
        .order_by(Ticket.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    ).all()


def unanswered_between(
    session: Session, spans: Sequence[tuple[datetime, datetime]]
) -> Sequence[Ticket]:
    """Open tickets without any answer that were opened within one of the spans (from, to)."""
    within = or_(*(Ticket.created_at.between(first, last) for first, last in spans))
    return session.scalars(
        select(Ticket)
        .where(Ticket.status == "open", Ticket.first_replied_at.is_(None), within)
        .order_by(Ticket.id)
    ).all()


def _order(sort: Sort) -> tuple[ColumnElement[Any], bool]:
    if sort == "due":
        nearest = (
            select(func.min(SlaClock.due_at))
            .where(
                SlaClock.ticket_id == Ticket.id,
                SlaClock.stopped_at.is_(None),
                SlaClock.paused_at.is_(None),
            )
            .correlate(Ticket)
            .scalar_subquery()
        )
        return func.coalesce(nearest, literal(_FAR, UtcDateTime()), type_=UtcDateTime()), False
    if sort == "priority":
        rank = case(_RANKS, value=Ticket.priority, else_=0)
        return (rank * 1000 + Ticket.priority_points), True
    return Ticket.last_inbound_at.expression, sort == "newest"


def _conditions(which: TicketFilter, but: Sequence[str] = ()) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Ticket.merged_into_id.is_(None)]
    if which.brand_ids is not None:
        found.append(Ticket.brand_id.in_(which.brand_ids))
    columns = {
        "statuses": Ticket.status,
        "categories": Ticket.category,
        "priorities": Ticket.priority,
        "platforms": Ticket.platform,
        "languages": Ticket.language,
    }
    for name, column in columns.items():
        values: Sequence[str] = getattr(which, name)
        if values and name not in but:
            found.append(column == values[0] if len(values) == 1 else column.in_(values))
    if which.assignee is not None and "assignee" not in but:
        nobody = which.assignee == NOBODY
        found.append(Ticket.assignee_id.is_(None) if nobody else _has(which.assignee))
    if which.customer_id is not None:
        found.append(Ticket.customer_id == which.customer_id)
    words = which.text.strip()
    if words:
        found.append(
            or_(
                Ticket.subject.icontains(words, autoescape=True),
                Ticket.number.icontains(words, autoescape=True),
            )
        )
    return found


def _has(assignee: int | str | None) -> ColumnElement[bool]:
    return Ticket.assignee_id == assignee


def _rows_statement(key: Any) -> Any:
    return (
        select(
            Ticket.id,
            Ticket.number,
            Ticket.brand_id,
            Brand.name,
            Brand.realm,
            Ticket.category,
            Ticket.status,
            Ticket.priority,
            Ticket.priority_points,
            Ticket.priority_parts,
            Ticket.subject,
            Ticket.language,
            Ticket.platform,
            Ticket.assignee_id,
            func.coalesce(func.nullif(User.name, ""), User.email),
            Ticket.customer_id,
            Customer.name,
            func.coalesce(Customer.vip, False),
            Ticket.created_at,
            Ticket.last_inbound_at,
            Ticket.first_replied_at,
            Ticket.resolved_at,
            Ticket.snoozed_until,
            key.label("place"),
        )
        .join(Brand, Brand.id == Ticket.brand_id)
        .outerjoin(User, User.id == Ticket.assignee_id)
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
    )


def _with_details(session: Session, rows: Sequence[tuple[Any, ...]]) -> list[TicketRow]:
    ids = [row[0] for row in rows]
    if not ids:
        return []
    clocks: dict[int, dict[str, SlaClock]] = defaultdict(dict)
    for clock in session.scalars(
        select(SlaClock).where(SlaClock.ticket_id.in_(ids)).order_by(SlaClock.id)
    ):
        clocks[clock.ticket_id][clock.kind] = clock
    trouble = dict(
        session.execute(
            select(Reply.ticket_id, func.count())
            .where(Reply.ticket_id.in_(ids), Reply.status.in_(("failed", "uncertain")))
            .group_by(Reply.ticket_id)
        ).all()
    )
    newest = _newest_posts(session, ids)
    return [
        TicketRow(
            *(*row, *newest.get(row[0], (None, None)), clocks[row[0]], trouble.get(row[0], 0))
        )
        for row in rows
    ]


def _newest_posts(
    session: Session, ticket_ids: Sequence[int]
) -> dict[int, tuple[str | None, Mood | None]]:
    last = (
        select(Mention.id)
        .where(
            Mention.conversation_id == TicketConversation.conversation_id,
            Mention.direction == "inbound",
        )
        .order_by(Mention.posted_at.desc())
        .limit(1)
        .correlate(TicketConversation)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            TicketConversation.ticket_id,
            Author.handle,
            Assessment.sentiment,
            Assessment.p_negative,
            Assessment.p_neutral,
            Assessment.p_positive,
            Assessment.unsure,
        )
        .join(Mention, Mention.id == last)
        .outerjoin(Author, Author.id == Mention.author_id)
        .outerjoin(Assessment, Assessment.mention_id == Mention.id)
        .where(TicketConversation.ticket_id.in_(ticket_ids), TicketConversation.active)
        .order_by(Mention.posted_at)
    )
    found = {}
    for row in rows:
        values: tuple[Any, ...] = tuple(row)
        found[row.ticket_id] = (row.handle, Mood(*values[2:]) if row.sentiment else None)
    return found


def _write_cursor(value: object, ticket_id: int) -> str:
    plain = value.isoformat() if isinstance(value, datetime) else value
    return json.dumps([plain, ticket_id])


def _read_cursor(text: str, sort: Sort) -> tuple[Any, int]:
    try:
        value, ticket_id = json.loads(text)
        if sort != "priority":
            return datetime.fromisoformat(value), int(ticket_id)
        return int(value), int(ticket_id)
    except (TypeError, ValueError) as error:
        raise ValueError("this is not the end of a page with this sort") from error
