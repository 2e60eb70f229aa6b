"""Sources as staff see and edit them: health, spending, settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from store.models import Brand, Source


class SourceError(Exception):
    """A change that cannot be made; ``reason`` is empty or taken."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """A source and how it does. ``spent_usd`` is this calendar month's (UTC)."""

    id: int
    name: str
    connector: str
    brand_id: int | None
    brand_name: str
    realm: str
    config: Mapping[str, Any]
    has_secrets: bool
    interval_seconds: int
    enabled: bool
    state: str
    running: bool
    next_run_at: datetime | None
    covered_until: datetime | None
    last_run_at: datetime | None
    last_success_at: datetime | None
    last_error: str
    last_error_at: datetime | None
    consecutive_failures: int
    budget_usd: float | None
    spent_usd: float

    @property
    def health(self) -> str:
        """``off`` (a person paused it), ``new``, ``ok``, ``failing`` or ``paused`` (needs one)."""
        return self.state if self.enabled else "off"


def all_sources(
    session: Session, brand_ids: Collection[int], now: datetime, *, shared: bool
) -> list[SourceHealth]:
    """The sources of these brands, those in trouble first.

    ``shared`` adds sources that belong to no brand, which only people who see every brand may see.
    """
    own = Source.brand_id.in_(brand_ids)
    permitted = or_(own, Source.brand_id.is_(None)) if shared else own
    rows = session.execute(
        select(Source, Brand.name, Brand.realm)
        .outerjoin(Brand, Brand.id == Source.brand_id)
        .where(permitted)
        .order_by(Source.name)
    )
    found = [_health(source, brand or "", realm or "real", now) for source, brand, realm in rows]
    order = {"paused": 0, "failing": 1, "new": 2, "ok": 3, "off": 4}
    return sorted(found, key=lambda one: (order.get(one.health, 9), one.name.lower()))


def _health(source: Source, brand_name: str, realm: str, now: datetime) -> SourceHealth:
    this_month = source.spent_month == now.strftime("%Y-%m")
    return SourceHealth(
        id=source.id,
        name=source.name,
        connector=source.connector,
        brand_id=source.brand_id,
        brand_name=brand_name,
        realm=realm,
        config=source.config,
        has_secrets=source.secrets is not None,
        interval_seconds=source.interval_seconds,
        enabled=source.enabled,
        state=source.state,
        running=source.claim_expires_at is not None and source.claim_expires_at > now,
        next_run_at=source.next_run_at,
        covered_until=source.covered_until,
        last_run_at=source.last_run_at,
        last_success_at=source.last_success_at,
        last_error=source.last_error or "",
        last_error_at=source.last_error_at,
        consecutive_failures=source.consecutive_failures,
        budget_usd=source.budget_usd,
        spent_usd=source.spent_usd if this_month else 0.0,
    )


def in_trouble(session: Session, brand_ids: Collection[int]) -> list[tuple[str, datetime | None]]:
    """Sources of these brands whose last run failed: name and last success."""
    rows = session.execute(
        select(Source.name, Source.last_success_at)
        .where(
            Source.brand_id.in_(brand_ids), Source.enabled, Source.state.in_(("failing", "paused"))
        )
        .order_by(Source.name)
    )
    return [(name, at) for name, at in rows]


@dataclass(frozen=True, slots=True)
class SourceValues:
    """What can be set of a source. ``secrets`` None leaves what is stored as it is."""

    name: str
    connector: str
    brand_id: int | None
    config: Mapping[str, Any]
    secrets: bytes | None = None
    interval_seconds: int = 60
    budget_usd: float | None = None


def save(
    session: Session, values: SourceValues, now: datetime, source_id: int | None = None
) -> int:
    """Add a source, due at once, or change one; gives its id.

    Another connector or other settings start from the beginning again only where the connector's
    own cursor says so; the cursor stays. Raises SourceError for an empty or taken name.
    """
    name = " ".join(values.name.split())[:200]
    if not name:
        raise SourceError("empty")
    taken = session.scalar(
        select(Source.id).where(
            func.lower(Source.name) == name.lower(), Source.id != (source_id or 0)
        )
    )
    if taken is not None:
        raise SourceError("taken")
    columns: dict[str, Any] = {
        "name": name,
        "brand_id": values.brand_id,
        "config": dict(values.config),
        "interval_seconds": values.interval_seconds,
        "budget_usd": values.budget_usd,
        "next_run_at": now,
        "state": "new",
        "consecutive_failures": 0,
        "last_error": None,
        "last_error_at": None,
    }
    if values.secrets is not None:
        columns["secrets"] = values.secrets
    if source_id is not None:
        session.execute(update(Source).where(Source.id == source_id).values(**columns))
        return source_id
    source = Source(
        connector=values.connector, enabled=True, spent_usd=0.0, created_at=now, **columns
    )
    session.add(source)
    session.flush()
    return source.id


def sealed_secrets(session: Session, source_id: int) -> bytes | None:
    """A source's encrypted credentials."""
    return session.scalar(select(Source.secrets).where(Source.id == source_id))
