"""Long work that people start, and the lease that decides who schedules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from store.bulk import upsert
from store.models import Job, Lease

LEASE_FOR = timedelta(seconds=15)
CLAIM_FOR = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that asks for the lease."""

    name: str
    host: str
    pid: int


def take_lease(
    session: Session,
    name: str,
    holder: Holder,
    now: datetime,
    alive: Callable[[int], bool],
) -> bool:
    """Take or keep a lease for 15 seconds.

    It is taken over when it has expired, or at once when its holder ran on this host and is dead
    (``alive`` tells by process id).
    """
    session.execute(
        upsert(session, Lease)
        .on_conflict_do_nothing()
        .values(name=name, holder="", host="", pid=0, expires_at=now - LEASE_FOR)
    )
    row = session.get_one(Lease, name, with_for_update=True)
    mine = row.holder == holder.name
    dead = row.host == holder.host and row.pid != holder.pid and not alive(row.pid)
    if not (mine or dead or row.expires_at <= now):
        return False
    row.holder, row.host, row.pid = holder.name, holder.host, holder.pid
    row.expires_at = now + LEASE_FOR
    return True


def give_up_lease(session: Session, name: str, holder: Holder, now: datetime) -> None:
    """Let others have the lease at once."""
    row = session.get(Lease, name, with_for_update=True)
    if row is not None and row.holder == holder.name:
        row.expires_at = now


def add_job(
    session: Session, kind: str, params: dict[str, Any], now: datetime, user_id: int | None = None
) -> Job:
    """Ask for a piece of long work."""
    job = Job(kind=kind, params=params, user_id=user_id, created_at=now)
    session.add(job)
    session.flush()
    return job


def claim_job(session: Session, worker: str, now: datetime) -> Job | None:
    """Take the oldest job that waits, or one whose worker has gone silent."""
    job = session.scalar(
        select(Job)
        .where(Job.status.in_(["waiting", "running"]))
        .where(or_(Job.claim_expires_at.is_(None), Job.claim_expires_at < now))
        .order_by(Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if job is not None:
        job.status, job.claimed_by, job.claim_expires_at = "running", worker, now + CLAIM_FOR
    return job


def job_progress(
    session: Session, job_id: int, now: datetime, done: int, total: int | None = None
) -> None:
    """Say how far a job is, which also keeps its claim."""
    job = session.get_one(Job, job_id)
    job.done, job.total, job.claim_expires_at = done, total or job.total, now + CLAIM_FOR


def finish_job(
    session: Session,
    job_id: int,
    now: datetime,
    *,
    error: str | None = None,
    result: dict[str, Any] | None = None,
) -> None:
    """Close a job as done, or as failed with the reason."""
    job = session.get_one(Job, job_id)
    job.status = "failed" if error else "done"
    job.message, job.result, job.finished_at = error, result or {}, now
    job.claimed_by = job.claim_expires_at = None
