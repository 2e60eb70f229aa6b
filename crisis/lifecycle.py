"""What the program itself does with incidents: opens, raises, lowers, and lets them end.

A level rises at once and falls one step at a time. Every change is a line of the timeline, and what
gets worse is told to staff, once for each level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from crisis.levels import BLUE, Assessed
from notify import ledger
from store import incidents
from store.models import Brand, Incident
from store.notifications import LEVELS

FALL_AFTER = timedelta(hours=2)
"""How long a lower level must have been enough before the level falls by one step."""
RECOVER_AFTER = timedelta(hours=2)
"""How long the figures must be back in the usual band before an incident is recovering."""
CLOSE_AFTER = {"watched": timedelta(hours=6), "open": timedelta(hours=24)}
"""How long calm closes an incident that nobody leads: one that was always blue, and others."""
CLOSE_LED_AFTER = timedelta(hours=72)
"""The same for an incident that somebody leads, in case they forget."""


def open_incident(
    session: Session,
    brand: Brand,
    assessed: Assessed,
    summary: Mapping[str, Any],
    *,
    started_at: datetime,
    now: datetime,
    posts: Sequence[tuple[int, str]] = (),
) -> Incident:
    """Write a new incident with its timeline, posts and notification."""
    incident = incidents.add(
        session,
        brand,
        level=assessed.level,
        started_at=started_at,
        now=now,
        summary=_summary(brand, assessed, summary),
        reasons=assessed.parts,
    )
    set_level(incident, assessed.level)
    detail = {"level": assessed.level, "index": assessed.index, "finding": summary.get("finding")}
    incidents.add_event(session, incident.id, now, "opened", detail)
    incidents.set_top_posts(session, incident.id, posts)
    tell(session, brand, incident, "opened", now)
    return incident


def take_in(
    session: Session,
    brand: Brand,
    incident: Incident,
    assessed: Assessed,
    summary: Mapping[str, Any],
    *,
    now: datetime,
    posts: Sequence[tuple[int, str]] | None = None,
    fired: bool = False,
) -> bool:
    """Bring fresh figures into an open incident; True when its level rose or it flared up.

    ``fired`` says that a detector fired again, so that a recovering incident is open again.
    """
    flared = fired and incident.status == "recovering"
    risen = assessed.rank > LEVELS.index(incident.level)
    if not (flared or risen or fired):
        return False
    before = incident.level
    if risen or flared or assessed.index > incident.summary.get("index", 0.0):
        # A wave that merely goes on keeps the reasons for which its level was reached.
        incident.reasons = assessed.parts
        kept = {name: incident.summary.get(name) for name in ("number", "peak")}
        fresh = {**_summary(brand, assessed, summary), "since": incident.started_at.isoformat()}
        incident.summary = {**fresh, **kept}
        set_level(incident, assessed.level if risen else before)
    if flared:
        incident.status = "open" if incident.acknowledged_at is None else "acknowledged"
    incident.changed_at = now
    if posts is not None:
        incidents.set_top_posts(session, incident.id, posts)
    kind = "escalated" if risen else "flared_up" if flared else "continues"
    detail = {"from": before, "to": incident.level, "index": assessed.index}
    incidents.add_event(session, incident.id, now, kind, detail)
    if risen or flared:
        tell(session, brand, incident, kind, now)
    session.flush()
    return risen or flared


def settle_down(
    session: Session, incident: Incident, assessed: Assessed, moment: datetime, now: datetime
) -> None:
    """Let an incident's level fall after a while of lower figures. ``moment`` is stream time."""
    lower = assessed.rank < LEVELS.index(incident.level)
    since = _time(incident.summary.get("lower_since"))
    if not lower:
        _remember(incident, "lower_since", None)
        return
    if since is None:
        _remember(incident, "lower_since", moment)
    elif moment - since >= FALL_AFTER:
        before = incident.level
        set_level(incident, LEVELS[LEVELS.index(before) - 1])
        incident.changed_at = now
        _remember(incident, "lower_since", moment)
        detail = {"from": before, "to": incident.level, "index": assessed.index}
        incidents.add_event(session, incident.id, now, "lowered", detail)


def follow_calm(
    session: Session,
    incident: Incident,
    calm_since: datetime | None,
    moment: datetime,
    now: datetime,
) -> None:
    """Let an incident recover, and end, once its figures have been usual since ``calm_since``."""
    _remember(incident, "calm_since", calm_since)
    if calm_since is None:
        return
    calm = moment - calm_since
    if calm >= RECOVER_AFTER and incident.status != "recovering":
        incident.status, incident.changed_at = "recovering", now
        incidents.add_event(
            session, incident.id, now, "recovering", {"since": calm_since.isoformat()}
        )
    led = incident.acknowledged_at is not None
    quiet = CLOSE_AFTER["watched" if incident.summary.get("peak", BLUE) == BLUE else "open"]
    if calm >= (CLOSE_LED_AFTER if led else quiet):
        incident.status, incident.closed_at, incident.changed_at = "closed", now, now
        incidents.add_event(session, incident.id, now, "closed", {"by_itself": True})


def set_level(incident: Incident, level: str) -> None:
    """Change an incident's level, and keep the highest it ever had."""
    peak = max(LEVELS.index(incident.summary.get("peak") or BLUE), LEVELS.index(level))
    incident.level = level
    incident.summary = {**incident.summary, "level": level, "peak": LEVELS[peak]}


def calm_since(incident: Incident) -> datetime | None:
    """Since when the figures of an incident's brand have been usual again."""
    return _time(incident.summary.get("calm_since"))


def tell(session: Session, brand: Brand, incident: Incident, change: str, now: datetime) -> bool:
    """Queue the news of an incident's level, once per level; False when it was told before."""
    return ledger.queue(
        session,
        key=f"incident:{incident.id}:{incident.level}",
        kind="incident",
        level=incident.level,
        brand_id=brand.id,
        incident_id=incident.id,
        content={**incident.summary, "change": change, "incident_id": incident.id},
        now=now,
    )


def _summary(brand: Brand, assessed: Assessed, summary: Mapping[str, Any]) -> dict[str, Any]:
    severity = next(part for part in assessed.parts if part["key"] == "severity")
    return {
        **summary,
        "brand": brand.name,
        "realm": brand.realm,
        "time_zone": brand.time_zone,
        "level": assessed.level,
        "index": assessed.index,
        "good_news": assessed.good_news,
        "caps": assessed.caps,
        "severity": [one["name"] for one in severity["categories"]],
    }


def _remember(incident: Incident, name: str, moment: datetime | None) -> None:
    stamp = None if moment is None else moment.isoformat()
    if incident.summary.get(name) != stamp:
        incident.summary = {**incident.summary, name: stamp}


def _time(stamp: object) -> datetime | None:
    return datetime.fromisoformat(str(stamp)) if stamp else None
