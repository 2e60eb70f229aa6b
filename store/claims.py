"""Claims of processes that died on this host, given up before they run out.

A claim carries its worker's name, ``host:pid:random`` (replies add more). A killed process leaves
its claims behind; the next one on the same host need not wait minutes for them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from store.models import Job, Mention, NotificationDelivery, Reply, Source

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_CLAIMED: tuple[tuple[type[Any], ColumnElement[bool] | None], ...] = (
    (Source, None),
    (Mention, Mention.assessed_at.is_(None)),
    (Reply, Reply.status == "sending"),
    (NotificationDelivery, NotificationDelivery.status == "sending"),
    (Job, Job.status == "running"),
)


def release_dead(session: Session, host: str, alive: Callable[[int], bool]) -> int:
    """End the claims of this host's dead processes; returns how many processes those were."""
    dead: set[str] = set()
    for model, pending in _CLAIMED:
        query = select(model.claimed_by).where(model.claimed_by.startswith(f"{host}:")).distinct()
        if pending is not None:
            query = query.where(pending)
        gone = [name for name in session.scalars(query) if not alive(_pid(name, host))]
        for name in gone:
            ending = update(model).where(model.claimed_by == name)
            if pending is not None:
                ending = ending.where(pending)
            session.execute(
                ending.values(claim_expires_at=LONG_AGO).execution_options(
                    synchronize_session=False
                )
            )
        dead.update(gone)
    return len(dead)


def _pid(name: str, host: str) -> int:
    number = name.removeprefix(f"{host}:").partition(":")[0]
    return int(number) if number.isdigit() else -1
