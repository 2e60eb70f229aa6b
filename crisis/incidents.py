"""What people do with incidents. Every act is a line of the timeline and of the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crisis.levels import Assessed
from crisis.lifecycle import open_incident, set_level, tell
from store import audit, incidents
from store.models import Brand, Incident, Mention, MentionBrand
from store.notifications import LEVELS

VERDICTS = ("crisis", "not_a_crisis")
NEXT = {
    "open": ("acknowledged", "contained"),
    "acknowledged": ("contained", "recovering"),
    "contained": ("acknowledged", "recovering"),
    "recovering": ("acknowledged", "contained"),
}
"""Where a person may move an incident from each status; closing it needs a verdict besides."""
LONGEST_NOTE = 4000


class IncidentError(ValueError):
    """What was asked cannot be done with this incident; the text says why and what to do.

    ``text`` is the English sentence with its ``{names}`` still open and ``values`` what they stand
    for, so that the interface can say it in another language.
    """

    def __init__(self, text: str, /, **values: object) -> None:
        super().__init__(text.format(**values) if values else text)
        self.text = text
        self.values = values


def acknowledge(session: Session, incident_id: int, user_id: int, now: datetime) -> Incident:
    """A person takes the lead. Raises IncidentError when somebody has, or it is closed."""
    incident = _open(session, incident_id)
    if incident.acknowledged_at is not None:
        raise IncidentError("{number} has been acknowledged already.", number=incident.number)
    incident.acknowledged_at, incident.acknowledged_by = now, user_id
    if incident.status == "open":
        incident.status = "acknowledged"
    return _done(session, incident, "acknowledged", user_id, now)


def change_status(
    session: Session, incident_id: int, status: str, user_id: int, now: datetime
) -> Incident:
    """Move an incident to acknowledged, contained or recovering.

    Raises IncidentError when the step does not lead there; ``close`` is the only way to an end.
    """
    incident = _open(session, incident_id)
    allowed = NEXT[incident.status]
    if status == "closed":
        raise IncidentError("An incident is closed with a verdict: crisis or not a crisis.")
    if status not in allowed:
        raise IncidentError(
            "{number} is {incident_status} now; that step does not lead from there. Reload the "
            "page and choose again.",
            number=incident.number,
            incident_status=incident.status,
        )
    before, incident.status = incident.status, status
    if incident.acknowledged_at is None:
        incident.acknowledged_at, incident.acknowledged_by = now, user_id
    detail = {"from": before, "to": status}
    return _done(session, incident, "status", user_id, now, detail)


def close(
    session: Session, incident_id: int, verdict: str, user_id: int, now: datetime, note: str = ""
) -> Incident:
    """End an incident with the verdict crisis or not_a_crisis, and perhaps a note.

    Raises IncidentError when it is closed already, or for another verdict.
    """
    if verdict not in VERDICTS:
        raise IncidentError("A verdict is crisis or not a crisis, nothing else.")
    incident = _open(session, incident_id)
    if note.strip():
        add_note(session, incident_id, note, user_id, now)
    incident.status, incident.closed_at, incident.verdict = "closed", now, verdict
    return _done(session, incident, "closed", user_id, now, {"verdict": verdict})


def add_note(
    session: Session, incident_id: int, text: str, user_id: int, now: datetime
) -> Incident:
    """Add a note to the timeline, also of a closed incident. Raises IncidentError when empty."""
    words = text.strip()
    if not words:
        raise IncidentError("A note needs some text.")
    if len(words) > LONGEST_NOTE:
        raise IncidentError(
            "A note has {most} characters at most; this has {length}.",
            most=LONGEST_NOTE,
            length=len(words),
        )
    incident = _found(session, incident_id)
    incidents.add_event(session, incident.id, now, "note", {"text": words}, user_id)
    incident.changed_at = now
    _audit(session, incident, "note", user_id, now, {"length": len(words)})
    return incident


def escalate_mention(
    session: Session,
    mention_id: int,
    brand_id: int,
    level: str,
    user_id: int,
    now: datetime,
    note: str = "",
) -> Incident:
    """A person raises the alarm over one mention.

    It joins the brand's open incident, whose level rises to ``level`` where it is lower, or opens a
    new one that started when the mention was posted. Raises IncidentError for an unknown level or a
    mention that is not the brand's.
    """
    if level not in LEVELS:
        raise IncidentError("A level is one of blue, yellow, orange and red.")
    posted_at = session.scalar(
        select(Mention.posted_at)
        .join(MentionBrand, MentionBrand.mention_id == Mention.id)
        .where(Mention.id == mention_id, MentionBrand.brand_id == brand_id)
    )
    brand = session.get(Brand, brand_id)
    if posted_at is None or brand is None:
        raise IncidentError("This mention does not belong to the brand (any more).")
    incidents.hold_brand(session, brand_id)
    incident = incidents.open_of(session, brand_id)
    reported = Assessed(
        level, 0.0, [{"key": "by_hand"}, {"key": "severity", "categories": [], "factor": 1.0}]
    )
    if incident is None:
        incident = open_incident(
            session,
            brand,
            reported,
            {"since": posted_at.isoformat(), "finding": None, "metric": None},
            started_at=posted_at,
            now=now,
        )
    elif LEVELS.index(level) > LEVELS.index(incident.level):
        set_level(incident, level)
        incident.reasons = [{"key": "by_hand"}, *incident.reasons]
        session.flush()
        tell(session, brand, incident, "by_hand", now)
    incidents.add_post_by_hand(session, incident.id, mention_id)
    detail = {"mention_id": mention_id, "level": level}
    _done(session, incident, "by_hand", user_id, now, detail)
    if note.strip():
        add_note(session, incident.id, note, user_id, now)
    return incident


def _found(session: Session, incident_id: int) -> Incident:
    incident = incidents.locked(session, incident_id)
    if incident is None:
        raise IncidentError("This incident is not there any more.")
    return incident


def _open(session: Session, incident_id: int) -> Incident:
    incident = _found(session, incident_id)
    if incident.status == "closed":
        raise IncidentError(
            "{number} is closed and stays so; a new wave opens a new incident.",
            number=incident.number,
        )
    return incident


def _done(
    session: Session,
    incident: Incident,
    kind: str,
    user_id: int,
    now: datetime,
    detail: dict[str, Any] | None = None,
) -> Incident:
    incident.changed_at = now
    session.flush()
    incidents.add_event(session, incident.id, now, kind, detail, user_id)
    _audit(session, incident, kind, user_id, now, detail)
    return incident


def _audit(
    session: Session,
    incident: Incident,
    kind: str,
    user_id: int,
    now: datetime,
    detail: dict[str, Any] | None,
) -> None:
    audit.record(
        session,
        at=now,
        user_id=user_id,
        action=f"incident.{kind}",
        object_type="incident",
        object_id=incident.number,
        detail=detail,
    )
