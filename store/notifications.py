"""Notifications, the targets they go to, and the ledger of each delivery.

A notification is written once under its key, with one pending delivery for every target that wants
it, in the transaction that makes the news. Workers claim deliveries for a while; a claim that runs
out (its worker died) is taken up by another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from store.bulk import execute_many, table_of, upsert
from store.models import Brand, Incident, Notification, NotificationDelivery, NotificationTarget

LEVELS = ("blue", "yellow", "orange", "red")
"""Warning levels from least to worst."""
CLAIM_FOR = timedelta(minutes=2)
SWITCHED_OFF = "The target was switched off before this was sent."
"""Why a delivery failed that waited when its target was switched off."""
_LONGEST_NAME = 120


class TargetError(ValueError):
    """A target that cannot be kept; ``reason`` is empty or long (its name), taken, gone, kind,
    level, language or address. The text says what to do.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this worker makes now. ``address`` is sealed (``store.secrets``)."""

    id: int
    key: str
    kind: str
    level: str | None
    content: Mapping[str, Any]
    created_at: datetime
    target_id: int
    target_kind: str
    address: bytes | None
    language: str
    attempts: int


def add(
    session: Session,
    *,
    key: str,
    kind: str,
    level: str | None,
    brand_id: int | None,
    incident_id: int | None,
    content: Mapping[str, Any],
    now: datetime,
) -> int | None:
    """Write a notification with its deliveries; None when its key is there already.

    Real brands' notifications go to every active target of the brand or of all brands whose level
    is reached; a demo brand's to the console and to targets of that very brand; a drill's to the
    console alone.
    """
    table = table_of(Notification)
    written = session.execute(
        upsert(session, Notification)
        .values(
            key=key,
            kind=kind,
            level=level,
            brand_id=brand_id,
            incident_id=incident_id,
            content=dict(content),
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(table.c.id)
    ).scalar_one_or_none()
    if written is None:
        return None
    rows = [
        {
            "notification_id": written,
            "target_id": target.id,
            "status": "pending",
            "attempts": 0,
            "next_attempt_at": now,
        }
        for target in _targets(session, brand_id, level)
    ]
    execute_many(session, upsert(session, NotificationDelivery).on_conflict_do_nothing(), rows)
    return int(written)


def _targets(
    session: Session, brand_id: int | None, level: str | None
) -> Sequence[NotificationTarget]:
    realm = "real"
    if brand_id is not None:
        realm = session.scalar(select(Brand.realm).where(Brand.id == brand_id)) or "real"
    wanted = select(NotificationTarget).where(NotificationTarget.active)
    mine = NotificationTarget.brand_id == brand_id
    everyone = NotificationTarget.brand_id.is_(None)
    console = NotificationTarget.kind == "console"
    if realm == "real":
        wanted = wanted.where(or_(everyone, mine))
    elif realm == "demo":
        wanted = wanted.where(or_(and_(everyone, console), mine))
    else:
        wanted = wanted.where(console, or_(everyone, mine))
    found = session.scalars(wanted.order_by(NotificationTarget.id)).all()
    if level is None:
        return found
    return [target for target in found if _rank(level) >= _rank(target.min_level)]


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else 0


def claim_deliveries(
    session: Session, worker: str, now: datetime, limit: int
) -> list[ClaimedDelivery]:
    """Take deliveries that are due, the oldest first; each goes to one worker only."""
    due = or_(
        and_(NotificationDelivery.status == "pending", NotificationDelivery.next_attempt_at <= now),
        and_(
            NotificationDelivery.status == "sending", NotificationDelivery.claim_expires_at <= now
        ),
    )
    rows = session.scalars(
        select(NotificationDelivery)
        .where(due)
        .order_by(NotificationDelivery.next_attempt_at, NotificationDelivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.status, row.attempts = "sending", row.attempts + 1
        row.claimed_by, row.claim_expires_at = worker, now + CLAIM_FOR
    session.flush()
    if not rows:
        return []
    found = session.execute(
        select(NotificationDelivery, Notification, NotificationTarget)
        .join(Notification, Notification.id == NotificationDelivery.notification_id)
        .join(NotificationTarget, NotificationTarget.id == NotificationDelivery.target_id)
        .where(NotificationDelivery.id.in_([row.id for row in rows]))
        .order_by(NotificationDelivery.id)
    )
    return [
        ClaimedDelivery(
            id=delivery.id,
            key=f"{notification.key}:{target.id}",
            kind=notification.kind,
            level=notification.level,
            content=notification.content,
            created_at=notification.created_at,
            target_id=target.id,
            target_kind=target.kind,
            address=target.address,
            language=target.language,
            attempts=delivery.attempts,
        )
        for delivery, notification, target in found
    ]


def finish_delivery(
    session: Session,
    delivery_id: int,
    worker: str,
    *,
    status: str,
    sent_at: datetime | None = None,
    next_attempt_at: datetime | None = None,
    error: str | None = None,
) -> bool:
    """Write down how an attempt ended; False when another worker has taken it over meanwhile."""
    changed = session.execute(
        update(NotificationDelivery)
        .where(
            NotificationDelivery.id == delivery_id,
            NotificationDelivery.status == "sending",
            NotificationDelivery.claimed_by == worker,
        )
        .values(
            status=status,
            sent_at=sent_at,
            next_attempt_at=next_attempt_at,
            error=error,
            claimed_by=None,
            claim_expires_at=None,
        )
        .returning(NotificationDelivery.id)
    )
    return changed.scalar_one_or_none() is not None


def retry_failed(session: Session, target_id: int, now: datetime) -> int:
    """Give a target's failed deliveries a new start, for when a person put its address right."""
    changed = session.execute(
        update(NotificationDelivery)
        .where(NotificationDelivery.target_id == target_id, NotificationDelivery.status == "failed")
        .values(status="pending", attempts=0, next_attempt_at=now, error=None)
        .returning(NotificationDelivery.id)
    )
    return len(changed.all())


def add_target(
    session: Session,
    *,
    name: str,
    kind: str,
    address: bytes | None,
    now: datetime,
    brand_id: int | None = None,
    min_level: str = "yellow",
    language: str = "en",
) -> int:
    """Store a target; ``address`` is sealed already. Gives its id.

    Raises TargetError (a ValueError) for an unknown kind or level, an apprise target without an
    address, and a name that is empty, too long or taken.
    """
    if kind not in {"console", "apprise"}:
        raise TargetError("kind", f"A target is console or apprise, not {kind!r}.")
    if kind == "apprise" and not address:
        raise TargetError("address", "An apprise target needs an address.")
    _check_level(min_level)
    target = NotificationTarget(
        name=_free_name(session, name, 0),
        kind=kind,
        address=address,
        brand_id=brand_id,
        min_level=min_level,
        language=language,
        created_at=now,
    )
    session.add(target)
    session.flush()
    return target.id


def update_target(
    session: Session,
    target_id: int,
    *,
    name: str,
    brand_id: int | None,
    min_level: str,
    language: str,
    address: bytes | None = None,
) -> None:
    """Change a target; without an ``address`` (sealed already) it keeps the one it has.

    Raises TargetError as ``add_target`` does, and when the target is gone.
    """
    _check_level(min_level)
    target = _existing(session, target_id)
    target.name = _free_name(session, name, target_id)
    target.brand_id, target.min_level, target.language = brand_id, min_level, language
    if address is not None:
        target.address = address
    session.flush()


def set_target_active(session: Session, target_id: int, active: bool) -> None:
    """Switch a target on or off. What still waits for one that is switched off counts as failed:
    an old alarm must not go out by itself when it is switched on again.

    Raises TargetError when the target is gone.
    """
    _existing(session, target_id).active = active
    session.flush()
    if not active:
        session.execute(
            update(NotificationDelivery)
            .where(
                NotificationDelivery.target_id == target_id,
                NotificationDelivery.status == "pending",
            )
            .values(status="failed", next_attempt_at=None, error=SWITCHED_OFF)
        )


def remove_target(session: Session, target_id: int) -> bool:
    """Delete a target with its ledger; False when it was gone already."""
    statement = delete(NotificationTarget).where(NotificationTarget.id == target_id)
    return session.execute(statement.returning(NotificationTarget.id)).first() is not None


def target_named(session: Session, name: str) -> NotificationTarget | None:
    """A target by its name, whatever its letters' case."""
    same = func.lower(NotificationTarget.name) == _plain(name).lower()
    return session.scalars(select(NotificationTarget).where(same)).first()


def _existing(session: Session, target_id: int) -> NotificationTarget:
    target = session.get(NotificationTarget, target_id)
    if target is None:
        raise TargetError("gone", "This target has been removed.")
    return target


def _plain(name: str) -> str:
    return " ".join(name.split())


def _free_name(session: Session, name: str, target_id: int) -> str:
    plain = _plain(name)
    if not plain:
        raise TargetError("empty", "A target needs a name.")
    if len(plain) > _LONGEST_NAME:
        raise TargetError("long", f"A target's name has {_LONGEST_NAME} characters at most.")
    known = target_named(session, plain)
    if known is not None and known.id != target_id:
        raise TargetError("taken", f"A target named {plain} is already there. Choose another name.")
    return plain


def _check_level(level: str) -> None:
    if level not in LEVELS:
        raise TargetError("level", f"A level is one of {', '.join(LEVELS)}, not {level!r}.")


def targets(session: Session) -> Sequence[NotificationTarget]:
    """All targets by name."""
    return session.scalars(select(NotificationTarget).order_by(NotificationTarget.name)).all()


def deliveries_of(session: Session, incident_id: int) -> list[tuple[Notification, str, str, str]]:
    """What was told of an incident: notification, target's name, status and error, oldest first."""
    rows = session.execute(
        select(
            Notification,
            NotificationTarget.name,
            NotificationDelivery.status,
            NotificationDelivery.error,
        )
        .join(NotificationDelivery, NotificationDelivery.notification_id == Notification.id)
        .join(NotificationTarget, NotificationTarget.id == NotificationDelivery.target_id)
        .where(Notification.incident_id == incident_id)
        .order_by(Notification.id, NotificationDelivery.id)
    )
    return [(note, name, status, error or "") for note, name, status, error in rows]


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """A line of a target's ledger. ``incident`` is its number, ``brand`` the brand's name."""

    created_at: datetime
    level: str | None
    brand: str
    incident: str
    status: str
    attempts: int
    sent_at: datetime | None
    next_attempt_at: datetime | None
    error: str


def last_deliveries(
    session: Session, target_id: int, brand_ids: Sequence[int], limit: int = 5
) -> list[DeliveryLine]:
    """A target's newest deliveries about these brands or about none."""
    rows = session.execute(
        select(Notification, NotificationDelivery, Brand.name, Incident.number)
        .join(NotificationDelivery, NotificationDelivery.notification_id == Notification.id)
        .outerjoin(Brand, Brand.id == Notification.brand_id)
        .outerjoin(Incident, Incident.id == Notification.incident_id)
        .where(NotificationDelivery.target_id == target_id)
        .where(or_(Notification.brand_id.in_(brand_ids), Notification.brand_id.is_(None)))
        .order_by(NotificationDelivery.id.desc())
        .limit(limit)
    )
    return [
        DeliveryLine(
            note.created_at, note.level, brand or "", number or "", delivery.status,
            delivery.attempts, delivery.sent_at, delivery.next_attempt_at, delivery.error or "",
        )
        for note, delivery, brand, number in rows
    ]  # fmt: skip


def failed_counts(session: Session) -> dict[int, int]:
    """How many deliveries have failed for good, by target; targets without any are left out."""
    rows = session.execute(
        select(NotificationDelivery.target_id, func.count())
        .where(NotificationDelivery.status == "failed")
        .group_by(NotificationDelivery.target_id)
    )
    return {row[0]: row[1] for row in rows}
