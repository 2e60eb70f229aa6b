"""Brands and their queries as an administrator edits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from store.models import Brand, SearchQuery


class BrandError(Exception):
    """A change that cannot be made; ``reason`` is empty, long, or taken."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class BrandValues:
    """What can be set of a brand. ``handles`` are its own accounts, like ``@acme``."""

    name: str
    kind: str = "own"
    time_zone: str = "UTC"
    handles: tuple[str, ...] = ()
    priority: int = 100


def save(session: Session, values: BrandValues, now: datetime, brand_id: int | None = None) -> int:
    """Add a real brand, or change one; gives its id. Raises BrandError for a bad or taken name."""
    name = " ".join(values.name.split())
    if not name:
        raise BrandError("empty")
    if len(name) > 200:
        raise BrandError("long")
    taken = session.scalar(
        select(Brand.id).where(func.lower(Brand.name) == name.lower(), Brand.id != (brand_id or 0))
    )
    if taken is not None:
        raise BrandError("taken")
    columns = {
        "name": name,
        "kind": values.kind,
        "time_zone": values.time_zone,
        "handles": [handle.strip() for handle in values.handles if handle.strip()],
        "priority": values.priority,
    }
    if brand_id is not None:
        session.execute(update(Brand).where(Brand.id == brand_id).values(**columns))
        return brand_id
    brand = Brand(**columns, realm="real", created_at=now)
    session.add(brand)
    session.flush()
    return brand.id


def queries(session: Session, brand_id: int) -> Sequence[SearchQuery]:
    """All queries of a brand, those in use first."""
    return session.scalars(
        select(SearchQuery)
        .where(SearchQuery.brand_id == brand_id)
        .order_by(SearchQuery.active.desc(), SearchQuery.id)
    ).all()


def add_query(session: Session, brand_id: int, text: str, now: datetime) -> int:
    """Add a query; gives its id. Raises BrandError for an empty or over-long one."""
    if not text.strip():
        raise BrandError("empty")
    if len(text) > 2000:
        raise BrandError("long")
    query = SearchQuery(brand_id=brand_id, text=text.strip(), active=True, created_at=now)
    session.add(query)
    session.flush()
    return query.id


def set_query_active(session: Session, query_id: int, active: bool) -> None:
    """Use a query, or leave it aside. It is never deleted: mentions say which query found them."""
    session.execute(update(SearchQuery).where(SearchQuery.id == query_id).values(active=active))
