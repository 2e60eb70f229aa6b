"""Sources: which are due, who runs them, and what came of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from store.models import Source, SourceRun

CLAIM_FOR = timedelta(minutes=5)
RETRY_FIRST = timedelta(seconds=30)
RETRY_LONGEST = timedelta(hours=1)
RUNS_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ClaimedSource:
    """A source that this worker runs now, as it was when it was claimed."""

    id: int
    name: str
    connector: str
    brand_id: int | None
    config: Mapping[str, Any]
    secrets: bytes | None
    cursor: Mapping[str, Any] | None
    interval: timedelta
    created_at: datetime
    started_at: datetime


def claim_due(
    session: Session,
    worker: str,
    now: datetime,
    limit: int = 20,
    only: int | None = None,
    leave: Collection[int] = (),
) -> list[ClaimedSource]:
    """Take sources whose time has come, the longest waiting first. A claimed one runs nowhere else.

    ``only`` takes that one source whether it is due or not, unless it runs already or is paused.
    Those in ``leave`` are not taken.
    """
    due = or_(Source.next_run_at.is_(None), Source.next_run_at <= now)
    query = (
        select(Source)
        .where(Source.enabled, Source.state != "paused", Source.connector != "file")
        .where(or_(Source.claim_expires_at.is_(None), Source.claim_expires_at < now))
        .where(Source.id.not_in(leave))
        .order_by(Source.next_run_at.nulls_first(), Source.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    query = query.where(due) if only is None else query.where(Source.id == only)
    claimed = []
    for source in session.scalars(query):
        source.claimed_by = worker
        source.claim_expires_at = now + CLAIM_FOR
        source.last_run_at = now
        claimed.append(
            ClaimedSource(
                id=source.id,
                name=source.name,
                connector=source.connector,
                brand_id=source.brand_id,
                config=source.config,
                secrets=source.secrets,
                cursor=source.cursor,
                interval=timedelta(seconds=source.interval_seconds),
                created_at=source.created_at,
                started_at=now,
            )
        )
    return claimed


def save_progress(
    session: Session,
    source: ClaimedSource,
    worker: str,
    now: datetime,
    *,
    cursor: Mapping[str, Any] | None,
    covered_until: datetime | None,
    cost_usd: float = 0.0,
) -> bool:
    """Move a source's cursor with the batch that this transaction stores.

    False when the source was paused, removed or taken over by another worker meanwhile: then the
    batch may still be stored (it is stored once anyway), but this run must end.
    """
    row = session.get(Source, source.id, with_for_update=True)
    if row is None or row.claimed_by != worker:
        return False
    if cursor is not None:
        row.cursor = dict(cursor)
    if covered_until is not None and (
        row.covered_until is None or covered_until > row.covered_until
    ):
        row.covered_until = covered_until
    if cost_usd:
        _spend(row, cost_usd, now)
    row.claim_expires_at = now + CLAIM_FOR
    session.flush()
    return row.enabled


def _spend(row: Source, cost_usd: float, now: datetime) -> None:
    month = now.strftime("%Y-%m")
    if row.spent_month != month:
        row.spent_month, row.spent_usd = month, 0.0
    row.spent_usd += cost_usd


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run of a source ended. ``next_in`` is the platform's own wish, if it had one."""

    outcome: str  # ok, limited, failed, paused
    seen: int = 0
    added: int = 0
    message: str | None = None
    next_in: timedelta | None = None


def finish_run(
    session: Session,
    source: ClaimedSource,
    worker: str,
    now: datetime,
    result: RunResult,
    jitter: float,
) -> None:
    """Write down how a run ended and when the next one is. ``jitter`` is a factor near 1."""
    session.add(
        SourceRun(
            source_id=source.id,
            started_at=source.started_at,
            finished_at=now,
            outcome=result.outcome,
            seen=result.seen,
            added=result.added,
            message=result.message,
        )
    )
    row = session.get(Source, source.id, with_for_update=True)
    if row is None or row.claimed_by != worker:
        return
    row.claimed_by = row.claim_expires_at = None
    if result.outcome == "ok":
        row.state, row.last_success_at, row.consecutive_failures = "ok", now, 0
        row.last_error = row.last_error_at = None
        row.next_run_at = now + source.interval * jitter
        return
    row.last_error, row.last_error_at = result.message, now
    if result.outcome == "limited":
        row.state = "ok" if row.state in {"new", "ok"} else row.state
        row.next_run_at = now + (result.next_in or source.interval * 2)
        return
    row.consecutive_failures += 1
    if result.outcome == "paused":
        row.state, row.next_run_at = "paused", None
        return
    row.state = "failing"
    wait = min(RETRY_FIRST * 2 ** min(row.consecutive_failures - 1, 12), RETRY_LONGEST)
    row.next_run_at = now + (result.next_in or wait * jitter)


def over_budget(session: Session, source_id: int, now: datetime) -> bool:
    """Whether a source has spent what it may spend this month."""
    row = session.get_one(Source, source_id)
    if row.budget_usd is None or row.spent_month != now.strftime("%Y-%m"):
        return False
    return row.spent_usd >= row.budget_usd


def resume(session: Session, source_id: int, now: datetime) -> None:
    """Let a paused or failing source run again at once, or a due one now."""
    session.execute(
        update(Source)
        .where(Source.id == source_id)
        .values(
            enabled=True,
            state="new",
            next_run_at=now,
            consecutive_failures=0,
            last_error=None,
            last_error_at=None,
        )
    )


def pause(session: Session, source_id: int) -> None:
    """Stop a source until it is resumed; a run that is under way ends after its batch."""
    session.execute(update(Source).where(Source.id == source_id).values(enabled=False))


def recent_runs(session: Session, source_id: int, limit: int = 20) -> Sequence[SourceRun]:
    """The newest runs of a source."""
    return session.scalars(
        select(SourceRun)
        .where(SourceRun.source_id == source_id)
        .order_by(SourceRun.started_at.desc(), SourceRun.id.desc())
        .limit(limit)
    ).all()


def forget_old_runs(session: Session, now: datetime) -> None:
    """Drop runs that are older than anybody looks at."""
    session.execute(delete(SourceRun).where(SourceRun.started_at < now - RUNS_KEPT))
