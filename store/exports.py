"""Rows for exports, a page at a time by key, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from store.models import (
    Assessment,
    Author,
    Brand,
    Incident,
    Mention,
    MentionBrand,
    Rollup,
    Ticket,
    User,
)

PAGE = 2000

Rows = Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Filter:
    """What an export holds. ``since`` is included, ``until`` is not; no brands means all real ones.

    Times are of the post (mentions, trends), of the opening (tickets) or of the detection
    (incidents).
    """

    brands: Sequence[int] = ()
    since: datetime | None = None
    until: datetime | None = None


MENTION_COLUMNS = (
    "id", "brand", "platform", "external_id", "posted_at", "collected_at", "author", "text",
    "title", "url", "direction", "language", "sentiment", "p_negative", "p_neutral", "p_positive",
    "intent", "emotion", "urgency", "unsure", "model", "live", "deleted_at",
)  # fmt: skip
TICKET_COLUMNS = (
    "number", "brand", "class", "status", "priority", "subject", "platform", "language",
    "assignee", "created_at", "first_replied_at", "resolved_at",
)  # fmt: skip
INCIDENT_COLUMNS = (
    "number", "brand", "level", "status", "started_at", "detected_at", "acknowledged_at",
    "closed_at", "verdict",
)  # fmt: skip
TREND_COLUMNS = (
    "bucket", "bucket_seconds", "brand", "platform", "language", "sentiment", "intent", "mentions",
)  # fmt: skip


def brand_ids(session: Session, names: Sequence[str]) -> list[int]:
    """The ids of brands by name. Raises LookupError, which names the brand that is not there."""
    found = []
    for name in names:
        key = session.scalar(select(Brand.id).where(func.lower(Brand.name) == name.lower()))
        if key is None:
            known = ", ".join(session.scalars(select(Brand.name).order_by(Brand.name).limit(30)))
            raise LookupError(f"There is no brand {name!r}. Brands here: {known or 'none yet'}.")
        found.append(key)
    return found


def _for_brands(query: Rows, column: Any, what: Filter) -> Rows:
    if what.brands:
        return query.where(column.in_(what.brands))
    return query.where(column.in_(select(Brand.id).where(Brand.realm == "real")))


def _between(query: Rows, column: Any, what: Filter) -> Rows:
    if what.since is not None:
        query = query.where(column >= what.since)
    if what.until is not None:
        query = query.where(column < what.until)
    return query


def mentions(session: Session, what: Filter) -> Iterator[dict[str, Any]]:
    """Mentions of brands, a row for each pair, in the order they were stored."""
    query = (
        select(
            Mention.id, Brand.name, Mention.platform, Mention.external_id, Mention.posted_at,
            Mention.collected_at, Author.handle, Mention.text, Mention.title, Mention.url,
            Mention.direction, Mention.language, MentionBrand.sentiment, Assessment.p_negative,
            Assessment.p_neutral, Assessment.p_positive, MentionBrand.intent, Assessment.emotion,
            Assessment.urgency, Assessment.unsure, Assessment.model, Mention.live,
            Mention.deleted_at, MentionBrand.brand_id,
        )
        .select_from(MentionBrand)
        .join(Mention, Mention.id == MentionBrand.mention_id)
        .join(Brand, Brand.id == MentionBrand.brand_id)
        .outerjoin(Author, Author.id == Mention.author_id)
        .outerjoin(Assessment, Assessment.mention_id == Mention.id)
        .order_by(MentionBrand.mention_id, MentionBrand.brand_id)
        .limit(PAGE)
    )  # fmt: skip
    query = _between(_for_brands(query, MentionBrand.brand_id, what), MentionBrand.posted_at, what)
    last = (0, 0)
    while True:
        after = (MentionBrand.mention_id > last[0]) | (
            (MentionBrand.mention_id == last[0]) & (MentionBrand.brand_id > last[1])
        )
        page = session.execute(query.where(after)).all()
        for row in page:
            yield dict(zip(MENTION_COLUMNS, row[:-1], strict=True))
        if len(page) < PAGE:
            return
        last = (page[-1][0], page[-1][-1])


def tickets(session: Session, what: Filter) -> Iterator[dict[str, Any]]:
    """Tickets in the order they were opened; drills only when their brand is named."""
    query = (
        select(
            Ticket.number, Brand.name, Ticket.category, Ticket.status, Ticket.priority,
            Ticket.subject, Ticket.platform, Ticket.language, User.email, Ticket.created_at,
            Ticket.first_replied_at, Ticket.resolved_at,
        )
        .join(Brand, Brand.id == Ticket.brand_id)
        .outerjoin(User, User.id == Ticket.assignee_id)
        .order_by(Ticket.id)
    )  # fmt: skip
    query = _between(_for_brands(query, Ticket.brand_id, what), Ticket.created_at, what)
    for row in session.execute(query.execution_options(yield_per=PAGE)):
        yield dict(zip(TICKET_COLUMNS, row, strict=True))


def incidents(session: Session, what: Filter) -> Iterator[dict[str, Any]]:
    """Incidents in the order they were seen."""
    query = (
        select(
            Incident.number, Brand.name, Incident.level, Incident.status, Incident.started_at,
            Incident.detected_at, Incident.acknowledged_at, Incident.closed_at, Incident.verdict,
        )
        .join(Brand, Brand.id == Incident.brand_id)
        .order_by(Incident.id)
    )  # fmt: skip
    query = _between(_for_brands(query, Incident.brand_id, what), Incident.detected_at, what)
    for row in session.execute(query.execution_options(yield_per=PAGE)):
        yield dict(zip(INCIDENT_COLUMNS, row, strict=True))


def trends(session: Session, what: Filter) -> Iterator[dict[str, Any]]:
    """The rollups themselves, in the order of time."""
    query = (
        select(
            Rollup.bucket, Rollup.width, Brand.name, Rollup.platform, Rollup.language,
            Rollup.sentiment, Rollup.intent, Rollup.mentions,
        )
        .join(Brand, Brand.id == Rollup.brand_id)
        .where(Rollup.mentions != 0)
        .order_by(Rollup.bucket, Rollup.brand_id, Rollup.platform, Rollup.language,
                  Rollup.sentiment, Rollup.intent)
    )  # fmt: skip
    query = _between(_for_brands(query, Rollup.brand_id, what), Rollup.bucket, what)
    for row in session.execute(query.execution_options(yield_per=PAGE)):
        yield dict(zip(TREND_COLUMNS, row, strict=True))


KINDS = {
    "mentions": (MENTION_COLUMNS, mentions),
    "tickets": (TICKET_COLUMNS, tickets),
    "trends": (TREND_COLUMNS, trends),
    "incidents": (INCIDENT_COLUMNS, incidents),
}
"""What can be exported: columns and rows."""
