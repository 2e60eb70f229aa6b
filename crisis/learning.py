"""Learning from history again: what was imported, or scored, after the detectors had passed it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from crisis.coverage import CATCH_UP, WARM_UP
from store import detections
from store.models import Watermark
from store.rollups import floor

VOLUME, NEGATIVE = "volume", "negative"
UNREAD = "unread"
"""Key under which it is kept that history was fed before it was scored."""
UNSCORED_MOST = 0.1
"""Share of mentions that may be unscored where negative posts are judged."""


def relearn(
    session: Session, brand_id: int, now: datetime, *, fire_again: timedelta = timedelta()
) -> None:
    """Let a brand's detectors learn again from what the rollups hold now.

    For history that was imported after the watch began: every bucket is fed anew. None closed
    before fires again, but for those of the last ``fire_again`` in which nothing had fired.
    """
    mark = detections.lock_watermark(session, brand_id)
    if mark is None:
        return
    first = detections.first_bucket(session, brand_id, floor(now - WARM_UP))
    detections.forget_detector_states(session, brand_id, [VOLUME, NEGATIVE])
    if first is not None and first < mark.closed_until:
        if mark.live_from is not None:
            since = min(mark.closed_until, max(mark.live_from, floor(now - fire_again)))
            mark.live_from = since if fire_again else max(mark.live_from, mark.closed_until)
        mark.closed_until, mark.updated_at = first, now
    session.flush()


def remember_unread(session: Session, mark: Watermark, begin: datetime, now: datetime) -> None:
    """Note that history from ``begin`` on was fed unscored, to be learnt from again later."""
    if UNREAD not in detections.detector_states(session, mark.brand_id):
        state = {"since": begin.isoformat(), "learnt": False}
        detections.save_detector_state(session, mark.brand_id, UNREAD, state, now)


def learn_what_is_read_now(session: Session, mark: Watermark, now: datetime) -> None:
    """Start over, once, from history that has been scored since it was fed.

    Only the last hours may fire again, and only where nothing has fired: a wave that is under way
    is then judged with a baseline.
    """
    saved = detections.detector_states(session, mark.brand_id).get(UNREAD)
    if saved is None or saved["learnt"] or mark.live_from is None:
        return
    until = min(mark.live_from, mark.closed_until)
    since = datetime.fromisoformat(saved["since"])
    found = detections.total(session, mark.brand_id, since, until)
    if found.unscored <= UNSCORED_MOST * found.mentions:
        relearn(session, mark.brand_id, now, fire_again=CATCH_UP)
        state = {**saved, "learnt": True}
        detections.save_detector_state(session, mark.brand_id, UNREAD, state, now)
