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


LATELY = timedelta(minutes=30)
"""How old the last good run of a source may be that is working through the past."""
CATCH_UP = timedelta(hours=2)
"""How long buckets wait for a source that runs well and is still working through the past."""


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
        live = _live_from(session, brand_id, now)
        mark.live_from = None if live is None else max(live, mark.closed_until)
    return mark


def _live_from(session: Session, brand_id: int, now: datetime) -> datetime | None:
    """When live listening began.

    With sources: where they had looked up to when the watch first saw them, or at their first live
    post within the last two hours, so that a wave that is under way is seen. What they find from
    before is history, however it came in. Without sources: the first live post.
    """
    coverages = detections.coverages(session, brand_id)
    covered = [one.covered_until for one in _recent(coverages, now) if one.covered_until]
    if covered:
        border = floor(min(covered))
        early = max(border - CATCH_UP, floor(now - CATCH_UP))
        first = detections.first_live_post(session, brand_id, early)
        return border if first is None else min(border, floor(first))
    if any(_is_new(one, now) for one in coverages):
        return None
    first = detections.first_live_post(session, brand_id, now - WARM_UP)
    return None if first is None else floor(first)


def _recent(coverages: list[Coverage], now: datetime) -> list[Coverage]:
    """The sources that still count as listening."""
    return [one for one in coverages if one.covered_until and one.covered_until > now - LOST_AFTER]


def _is_new(one: Coverage, now: datetime) -> bool:
    """Whether a source may still be in its first run."""
    return one.covered_until is None and one.created_at > now - CATCH_UP


def _is_working(one: Coverage, now: datetime, patience: timedelta) -> bool:
    """Whether a source that lags behind may be expected to bring what is missing.

    It ran well not long ago, or it would but no worker has come to it: ours is the delay then.
    """
    if not one.healthy:
        return False
    lately = one.last_success_at is not None and one.last_success_at > now - LATELY
    overdue = one.waiting and one.next_run_at is not None and one.next_run_at < now - patience
    return lately or overdue


@dataclass(frozen=True, slots=True)
class Reach:
    """Up to where buckets may be closed.

    Before ``complete`` everything has been seen; before ``by_force`` nothing is waited for any
    more; before ``scored_by`` no scores are.
    """

    complete: datetime
    by_force: datetime
    scored_by: datetime


def reach(coverages: list[Coverage], now: datetime, settle: timedelta) -> Reach:
    """How far a brand with these sources may be closed at a moment."""
    recent = _recent(coverages, now)
    waited = floor(now - settle)
    if any(_is_new(one, now) for one in coverages):
        border = floor(now - CATCH_UP)
        return Reach(border, border, waited)
    if not recent:
        # Imports alone: nobody else could say what is missing. Sources that fell silent: a gap.
        heard = [one.covered_until for one in coverages if one.covered_until]
        return Reach(min(floor(max(heard)), waited) if heard else waited, waited, waited)
    fast = [one for one in recent if one.interval <= FAST]
    fast = fast or [min(recent, key=lambda one: one.interval)]
    covered = min(one.covered_until for one in fast if one.covered_until)
    patience = settle + max(one.interval for one in fast)
    late = [one for one in fast if one.covered_until and one.covered_until < now - patience]
    working = all(_is_working(one, now, patience) for one in late)
    by_force = now - (CATCH_UP if late and working else patience)
    return Reach(min(floor(covered), floor(now)), floor(by_force), floor(now - patience))
