"""The present warning level of each brand, which the desk shows at all times."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import Incident, Watermark


@dataclass(frozen=True, slots=True)
class BrandLevel:
    """``level`` is None while no incident is open; ``watched`` is false before a first watch."""

    level: str | None
    watched: bool


def current(session: Session, brand_ids: Collection[int]) -> dict[int, BrandLevel]:
    """The level of each of these brands: that of its open incident, if there is one."""
    rows = session.execute(
        select(Incident.brand_id, Incident.level).where(
            Incident.brand_id.in_(brand_ids), Incident.status != "closed"
        )
    )
    levels = {row.brand_id: row.level for row in rows}
    watched = set(
        session.scalars(select(Watermark.brand_id).where(Watermark.brand_id.in_(brand_ids)))
    )
    return {brand: BrandLevel(levels.get(brand), brand in watched) for brand in brand_ids}
