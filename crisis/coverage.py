"""Up to where a brand has been listened to, and so which buckets may be closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from store import detections
from store.detections import Coverage
from store.models import Watermark
from store.rollups import BUCKET_SECONDS, floor

BUCKET = timedelta(seconds=BUCKET_SECONDS)
WARM_UP = timedelta(days=28)
"""How much history teaches the detectors at most."""
FAST = timedelta(minutes=15)
"""Sources polled at least this often are waited for; slower ones only where there is no other."""
LOST_AFTER = timedelta(hours=24)
"""A source that has covered nothing for so long is no longer waited for."""


def watermark(session: Session, brand_id: int, now: datetime) -> Watermark | None:
    """The brand's watermark, locked; made at its first bucket, None while there is none."""
    mark = detections.lock_watermark(session, brand_id)
    if mark is None:
        first = detections.first_bucket(session, brand_id, floor(now - WARM_UP))
        live = _live_from(session, brand_id, now)
        begin = min((moment for moment in (first, live) if moment is not None), default=None)
        if begin is None:
            return None
        mark = detections.begin_watermark(session, brand_id, begin, now)
    if mark.live_from is None:
        mark.live_from = _live_from(session, brand_id, now)
    return mark


def _live_from(session: Session, brand_id: int, now: datetime) -> datetime | None:
    """When live listening began: up to where sources have looked by now, else the first live post.

    Posts that a source finds from before it was connected are history, however they came in.
    """
    covered = _recent(detections.coverages(session, brand_id), now)
    if covered:
        return floor(min(covered, key=lambda one: one[1])[1])
    first = detections.first_live_post(session, brand_id, now - WARM_UP)
    return None if first is None else floor(first)


def _recent(coverages: list[Coverage], now: datetime) -> list[tuple[timedelta, datetime]]:
    """Interval and coverage of the sources that still count as listening."""
    return [
        (one.interval, one.covered_until)
        for one in coverages
        if one.covered_until is not None and one.covered_until >= now - LOST_AFTER
    ]


@dataclass(frozen=True, slots=True)
class Reach:
    """Up to where buckets may be closed: certainly, when scored, and whatever lags behind."""

    complete: datetime
    by_force: datetime


def reach(coverages: list[Coverage], now: datetime, settle: timedelta) -> Reach:
    recent = _recent(coverages, now)
    if not recent:
        waited = floor(now - settle)
        # Imports alone: nobody else could say what is missing. Sources that all went silent: a gap.
        silent = any(one.covered_until is not None for one in coverages)
        lost = max((one.covered_until for one in coverages if one.covered_until), default=waited)
        return Reach(min(floor(lost), waited) if silent else waited, waited)
    fast = [one for one in recent if one[0] <= FAST] or [min(recent)]
    covered = min(until for _, until in fast)
    patience = settle + max(interval for interval, _ in fast)
    return Reach(min(floor(covered), floor(now)), floor(now - patience))
