"""A few figures of how the service is doing, for monitoring. Each is one cheap query."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.models import Incident, Job, Mention, Reply, Source, Ticket


@dataclass(frozen=True, slots=True)
class Counter:
    """One figure and what it means."""

    name: str
    help: str
    value: int


def waiting_and_working(session: Session) -> list[Counter]:
    """What waits, what fails and what is open; each has a partial index or a small table."""
    wanted = [
        (
            "mentions_unassessed",
            "Mentions that wait to be scored.",
            select(func.count()).select_from(Mention).where(Mention.assessed_at.is_(None)),
        ),
        (
            "mentions_untriaged",
            "Mentions that wait for triage.",
            select(func.count()).select_from(Mention).where(Mention.triaged_at.is_(None)),
        ),
        (
            "tickets_open",
            "Tickets that are not resolved.",
            select(func.count()).select_from(Ticket).where(Ticket.status != "resolved"),
        ),
        (
            "replies_waiting",
            "Replies on their way out.",
            select(func.count())
            .select_from(Reply)
            .where(Reply.status.in_(("approved", "sending"))),
        ),
        (
            "incidents_open",
            "Incidents that are not closed.",
            select(func.count()).select_from(Incident).where(Incident.status != "closed"),
        ),
        (
            "sources_failing",
            "Sources whose last run failed or that are paused.",
            select(func.count())
            .select_from(Source)
            .where(Source.enabled, Source.state.in_(("failing", "paused"))),
        ),
        (
            "jobs_waiting",
            "Jobs that wait for a worker.",
            select(func.count()).select_from(Job).where(Job.status == "waiting"),
        ),
    ]
    return [Counter(name, said, session.scalar(query) or 0) for name, said, query in wanted]
