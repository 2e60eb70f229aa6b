"""Incidents: finding, writing and listing them. What may be done with one is in ``crisis``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from store.bulk import execute_many, upsert
from store.locks import hold
from store.models import Brand, Incident, IncidentEvent, IncidentMention, Mention, User
from store.numbers import next_number

PREFIXES = {"real": "INC", "demo": "INC", "drill": "DR"}


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """An incident in a list, with its brand."""

    incident: Incident
    brand: str
    realm: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """One line of an incident's timeline. ``who`` is empty when the program itself acted."""

    at: datetime
    kind: str
    who: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TopPost:
    """A post that shows what an incident is about. ``why`` is engaged, typical or by_hand."""

    mention: Mention
    why: str
    rank: int


def hold_brand(session: Session, brand_id: int) -> None:
    """Be the only one who opens incidents of a brand until the transaction ends."""
    hold(session, f"incident:{brand_id}")


def open_of(session: Session, brand_id: int) -> Incident | None:
    """The brand's incident that is not closed, locked; there is at most one."""
    return session.scalar(
        select(Incident)
        .where(Incident.brand_id == brand_id, Incident.status != "closed")
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def locked(session: Session, incident_id: int) -> Incident | None:
    """An incident, locked until the transaction ends."""
    return session.get(Incident, incident_id, with_for_update=True, populate_existing=True)


def by_number(session: Session, number: str) -> Incident | None:
    """The incident with this number, whatever the case of its letters."""
    return session.scalar(select(Incident).where(Incident.number == number.strip().upper()))


def add(
    session: Session,
    brand: Brand,
    *,
    level: str,
    started_at: datetime,
    now: datetime,
    summary: Mapping[str, Any],
    reasons: Sequence[Mapping[str, Any]],
) -> Incident:
    """Write a new open incident under the next number of its series (INC, or DR for drills)."""
    number = next_number(session, PREFIXES[brand.realm], now.year)
    incident = Incident(
        number=number,
        brand_id=brand.id,
        status="open",
        level=level,
        summary={**summary, "number": number, "level": level},
        reasons=[dict(reason) for reason in reasons],
        started_at=started_at,
        detected_at=now,
        changed_at=now,
    )
    session.add(incident)
    session.flush()
    return incident


def add_event(
    session: Session,
    incident_id: int,
    at: datetime,
    kind: str,
    detail: Mapping[str, Any] | None = None,
    user_id: int | None = None,
) -> None:
    """Add a line to an incident's timeline."""
    session.add(
        IncidentEvent(
            incident_id=incident_id, at=at, kind=kind, user_id=user_id, detail=dict(detail or {})
        )
    )
    session.flush()


def set_top_posts(session: Session, incident_id: int, posts: Sequence[tuple[int, str]]) -> None:
    """Replace an incident's top posts by (mention id, why), keeping those added by hand on top."""
    kept = list(
        session.scalars(
            select(IncidentMention.mention_id)
            .where(IncidentMention.incident_id == incident_id, IncidentMention.why == "by_hand")
            .order_by(IncidentMention.rank)
        )
    )
    session.execute(
        delete(IncidentMention).where(
            IncidentMention.incident_id == incident_id, IncidentMention.why != "by_hand"
        )
    )
    rows = [
        {"incident_id": incident_id, "mention_id": mention, "rank": rank, "why": why}
        for rank, (mention, why) in enumerate(
            (pair for pair in posts if pair[0] not in kept), start=len(kept)
        )
    ]
    execute_many(session, upsert(session, IncidentMention).on_conflict_do_nothing(), rows)


def add_post_by_hand(session: Session, incident_id: int, mention_id: int) -> None:
    """Put a post that a person chose on top of an incident's posts."""
    insert = upsert(session, IncidentMention).values(
        incident_id=incident_id, mention_id=mention_id, rank=-1, why="by_hand"
    )
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["incident_id", "mention_id"], set_={"why": "by_hand", "rank": -1}
        )
    )


def listed(
    session: Session,
    brand_ids: Collection[int],
    *,
    closed: bool = False,
    before: tuple[datetime, int] | None = None,
    limit: int = 50,
) -> list[IncidentLine]:
    """A page of incidents, the latest change first; ``closed`` chooses between open and closed.

    ``before`` is the ``(changed_at, id)`` of the last line of the page before.
    """
    wanted = (
        select(Incident, Brand.name, Brand.realm, Brand.time_zone)
        .join(Brand, Brand.id == Incident.brand_id)
        .where(Incident.brand_id.in_(brand_ids))
        .where(Incident.status == "closed" if closed else Incident.status != "closed")
        .order_by(Incident.changed_at.desc(), Incident.id.desc())
        .limit(limit)
    )
    if before is not None:
        moment, last = before
        wanted = wanted.where(
            or_(
                Incident.changed_at < moment,
                and_(Incident.changed_at == moment, Incident.id < last),
            )
        )
    return [IncidentLine(*row) for row in session.execute(wanted)]


def timeline(session: Session, incident_id: int) -> list[TimelineLine]:
    """An incident's timeline, oldest first."""
    rows = session.execute(
        select(IncidentEvent, User.name, User.email)
        .outerjoin(User, User.id == IncidentEvent.user_id)
        .where(IncidentEvent.incident_id == incident_id)
        .order_by(IncidentEvent.at, IncidentEvent.id)
    )
    return [
        TimelineLine(event.at, event.kind, name or email or "", event.detail)
        for event, name, email in rows
    ]


def top_posts(session: Session, incident_id: int) -> list[TopPost]:
    """An incident's top posts in order; posts deleted on their platform are left out."""
    rows = session.execute(
        select(Mention, IncidentMention.why, IncidentMention.rank)
        .join(IncidentMention, IncidentMention.mention_id == Mention.id)
        .where(IncidentMention.incident_id == incident_id, Mention.deleted_at.is_(None))
        .order_by(IncidentMention.rank, Mention.id)
    )
    return [TopPost(*row) for row in rows]
