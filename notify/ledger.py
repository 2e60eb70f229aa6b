"""The ledger of notifications: each is queued once, claimed, sent, and written down.

Between sending and writing down a process may die; then the delivery is made again when its claim
runs out, under the same key. An alert that comes twice is better than one that never comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from notify.base import Notifier, NotifyError
from notify.wording import message_of
from store import notifications
from store.clock import Clock
from store.database import Store
from store.notifications import ClaimedDelivery as Delivery
from store.secrets import SecretsError

ATTEMPTS = 8
RETRY_FIRST = timedelta(seconds=30)
RETRY_LONGEST = timedelta(hours=1)


def queue(
    session: Session,
    *,
    key: str,
    kind: str,
    level: str | None,
    brand_id: int | None,
    incident_id: int | None,
    content: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Write a notification and its deliveries into the caller's transaction.

    False when something with this ``key`` was queued before: then nothing is added. ``content`` is
    what ``notify.wording`` reads; it holds no personal data.
    """
    return (
        notifications.add(
            session,
            key=key,
            kind=kind,
            level=level,
            brand_id=brand_id,
            incident_id=incident_id,
            content=content,
            now=now,
        )
        is not None
    )


def claim(session: Session, worker: str, now: datetime, limit: int = 20) -> list[Delivery]:
    """Take due deliveries for this worker; each is taken by one worker at a time."""
    return notifications.claim_deliveries(session, worker, now, limit)


def record_sent(session: Session, delivery: Delivery, worker: str, now: datetime) -> bool:
    """Write down that a delivery was made; False when another worker has taken it over."""
    return notifications.finish_delivery(session, delivery.id, worker, status="sent", sent_at=now)


def record_failure(
    session: Session, delivery: Delivery, worker: str, now: datetime, error: NotifyError
) -> bool:
    """Write down a failed attempt: tried again later, or failed for good with its reason.

    The wait doubles from half a minute to an hour unless the other side named its own; after
    ``ATTEMPTS`` attempts, or at once when the error is permanent, a person must act. False when
    another worker has taken the delivery over.
    """
    over = error.permanent or delivery.attempts >= ATTEMPTS
    wait = min(RETRY_FIRST * 2 ** (delivery.attempts - 1), RETRY_LONGEST)
    return notifications.finish_delivery(
        session,
        delivery.id,
        worker,
        status="failed" if over else "pending",
        next_attempt_at=None if over else now + (error.retry_after or wait),
        error=str(error),
    )


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a round of deliveries came to."""

    sent: int = 0
    failed: int = 0


def deliver(
    store: Store,
    notifier: Callable[[str, bytes | None], Notifier],
    clock: Clock,
    worker: str,
    *,
    link_base: str = "",
    limit: int = 20,
) -> Delivered:
    """Claim what is due, send it outside any transaction, and write down how each went.

    ``notifier`` builds the way to a target from its kind and sealed address and may raise
    NotifyError or SecretsError. ``link_base`` is the address of the dashboard, for links.
    """
    mine = store.transact(lambda session: claim(session, worker, clock.now(), limit))
    sent = failed = 0
    for delivery in mine:
        error = _send(delivery, notifier, link_base)
        store.transact(partial(_record, delivery, worker, clock.now(), error))
        sent, failed = sent + (error is None), failed + (error is not None)
    return Delivered(sent, failed)


def _record(
    delivery: Delivery, worker: str, now: datetime, error: NotifyError | None, session: Session
) -> bool:
    if error is None:
        return record_sent(session, delivery, worker, now)
    return record_failure(session, delivery, worker, now, error)


def _send(
    delivery: Delivery, notifier: Callable[[str, bytes | None], Notifier], link_base: str
) -> NotifyError | None:
    try:
        way = notifier(delivery.target_kind, delivery.address)
        way.send(message_of(delivery, link_base))
    except NotifyError as error:
        return error
    except SecretsError as error:
        return NotifyError(str(error), permanent=True)
    return None
