"""The watch stage for one brand: close buckets, feed the detectors, open and follow incidents.

Buckets are closed up to a watermark and fed once. A bucket is closed when the brand's sources have
covered it and its mentions are scored; what lags behind is waited for only so long, and then the
bucket counts as incomplete. Posts that come later change figures and never refire an alert.

History teaches: what lies before ``Watermark.live_from`` is fed without firing, so that a brand
that brings two weeks of history is watched with a baseline from its first live minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from crisis import coverage, learning
from crisis.coverage import BUCKET, Reach
from crisis.detectors.base import Finding, Point, StateError, Verdict
from crisis.detectors.negative import NegativeDetector
from crisis.detectors.surge import SurgeDetector
from crisis.drivers import gravity, top_posts
from crisis.learning import NEGATIVE, UNSCORED_MOST, VOLUME
from crisis.levels import Assessed, Wave, assess
from crisis.lifecycle import calm_since, follow_calm, open_incident, settle_down, take_in
from store import detections, incidents
from store.detections import BucketCounts
from store.models import Brand, Incident, Watermark
from store.notifications import LEVELS

WAVE_WINDOW = timedelta(hours=1)
"""The span of a wave that its level is judged by."""
HEARD = "heard"
"""Key under which it is kept when live listening first began."""
_CALM, _UNCALM = 0.125, 0.35
"""Calm begins below the first score (half way between usual and unusual) and ends at the second."""


@dataclass(slots=True)
class WatchResult:
    """What a call did. ``more`` says that buckets are left to close: call again."""

    closed: int = 0
    incomplete: int = 0
    closed_until: datetime | None = None
    detections: list[int] = field(default_factory=list)
    incident_id: int | None = None
    opened: bool = False
    escalated: bool = False
    more: bool = False


def watch_brand(
    session: Session,
    brand_id: int,
    now: datetime,
    *,
    settle: timedelta = timedelta(minutes=5),
    limit: int = 2016,
) -> WatchResult:
    """Close what can be closed for a brand and act on it, all in the caller's transaction.

    ``settle`` is how long after a bucket's end posts and scores are waited for, beyond the interval
    of the brand's sources. At most ``limit`` buckets are closed. The watermark row is locked first,
    so that two processes never feed a bucket twice; a repeated call finds nothing to do.
    """
    brand = session.get(Brand, brand_id)
    result = WatchResult()
    mark = coverage.watermark(session, brand_id, now)
    if brand is None or mark is None:
        return result
    return _Watch(session, brand, mark, now, settle, result).run(limit)


@dataclass(slots=True)
class _Watch:
    """One call of ``watch_brand``."""

    session: Session
    brand: Brand
    mark: Watermark
    now: datetime
    settle: timedelta
    result: WatchResult
    volume: SurgeDetector = field(default_factory=SurgeDetector)
    negative: NegativeDetector = field(default_factory=NegativeDetector)
    counts: dict[datetime, BucketCounts] = field(default_factory=dict)
    incident: Incident | None = None
    last: tuple[Verdict, Verdict] | None = None
    scoring: bool = True
    """Whether the last bucket with mentions had them scored."""
    unread: bool = False
    """Whether history was fed before its mentions were scored."""

    def run(self, limit: int) -> WatchResult:
        """Close buckets, then look at the open incident with the newest figures."""
        learning.learn_what_is_read_now(self.session, self.mark, self.now)
        begin = self.mark.closed_until
        reach = coverage.reach(
            detections.coverages(self.session, self.brand.id), self.now, self.settle
        )
        reachable = self._until(reach)
        until = min(reachable, begin + limit * BUCKET)
        self.result.closed_until = begin
        if until > begin:
            self._load()
            self.counts = detections.counts(self.session, self.brand.id, begin - WAVE_WINDOW, until)
            incidents.hold_brand(self.session, self.brand.id)
        self.incident = incidents.open_of(self.session, self.brand.id)
        self._close(begin, until, reach)
        self.result.more = self.mark.closed_until == until < reachable
        if self.incident is not None:
            self._follow()
            self.result.incident_id = self.incident.id
        self.session.flush()
        return self.result

    def _until(self, reach: Reach) -> datetime:
        """End of the last bucket that may be closed."""
        until = max(reach.complete, reach.by_force)
        if self.mark.live_from is None:
            last = detections.last_bucket(self.session, self.brand.id, until)
            return self.mark.closed_until if last is None else min(until, last + BUCKET)
        return until

    def _load(self) -> None:
        saved = detections.detector_states(self.session, self.brand.id)
        try:
            if VOLUME in saved:
                self.volume = SurgeDetector.from_state(saved[VOLUME])
            if NEGATIVE in saved:
                self.negative = NegativeDetector.from_state(saved[NEGATIVE])
        except StateError:
            # Written by another version: what is known is learnt again from now on.
            self.volume, self.negative = SurgeDetector(), NegativeDetector()

    def _close(self, begin: datetime, until: datetime, reach: Reach) -> None:
        gap = self._unheard(begin, until)
        bucket = begin
        while bucket < until:
            end = bucket + BUCKET
            counts = self.counts.get(bucket, BucketCounts())
            scored = self._is_scored(counts)
            live = self._is_live(bucket)
            if live and not scored and end > reach.scored_by:
                break
            if bucket == self.mark.live_from:
                self.volume.untold()
                self.negative.untold()
            if not (gap and gap[0] <= bucket < gap[1]):
                self._feed(bucket, counts, not live or end <= reach.complete, scored)
            self.unread = self.unread or (not live and not scored)
            self.result.closed += 1
            bucket = end
        if bucket > begin:
            for metric, state in (
                (VOLUME, self.volume.state()),
                (NEGATIVE, self.negative.state()),
            ):
                detections.save_detector_state(self.session, self.brand.id, metric, state, self.now)
            self.mark.closed_until, self.mark.updated_at = bucket, self.now
            if self.unread:
                learning.remember_unread(self.session, self.mark, begin, self.now)
        self.result.closed_until = bucket

    def _unheard(self, begin: datetime, until: datetime) -> tuple[datetime, datetime] | None:
        """The time between the end of imported history and live listening: nobody looked."""
        if self.mark.live_from is None or begin >= self.mark.live_from:
            return None
        saved = detections.detector_states(self.session, self.brand.id).get(HEARD)
        if saved is None:
            heard = self.mark.live_from
            state = {"from": heard.isoformat()}
            detections.save_detector_state(self.session, self.brand.id, HEARD, state, self.now)
        else:
            heard = datetime.fromisoformat(saved["from"])
        last = detections.last_bucket(self.session, self.brand.id, min(heard, until))
        return None if last is None else (last + BUCKET, heard)

    def _is_scored(self, counts: BucketCounts) -> bool:
        """Whether a bucket tells of negative posts; an empty one does as the last one did."""
        if counts.mentions:
            self.scoring = counts.unscored <= UNSCORED_MOST * counts.mentions
        return self.scoring

    def _is_live(self, bucket: datetime) -> bool:
        return self.mark.live_from is not None and bucket >= self.mark.live_from

    def _feed(self, bucket: datetime, counts: BucketCounts, covered: bool, scored: bool) -> None:
        if not covered:
            self.result.incomplete += 1
        volume = self.volume.update(Point(bucket, counts.mentions, complete=covered))
        negative = self.negative.update(
            Point(bucket, counts.negative, counts.scored, complete=covered and scored)
        )
        self.last = (volume, negative)
        if not self._is_live(bucket):
            return
        if volume.alert or negative.alert:
            self._fire(bucket, volume, negative)
        elif self.incident is not None:
            self._calm(self.incident, bucket, volume, negative)

    def _calm(
        self, incident: Incident, bucket: datetime, volume: Verdict, negative: Verdict
    ) -> None:
        """Keep since when the figures are usual again; a gap counts neither way."""
        since = calm_since(incident)
        if Finding.gap in (volume.finding, negative.finding):
            since = None if since is None else since + BUCKET
        else:
            score = max(volume.score, negative.score)
            if score >= _UNCALM:
                since = None
            elif since is None and score < _CALM:
                since = bucket
        follow_calm(self.session, incident, since, bucket + BUCKET, self.now)
        if incident.status == "closed":
            self.session.flush()
            self.incident = None

    def _fire(self, bucket: datetime, volume: Verdict, negative: Verdict) -> None:
        end = bucket + BUCKET
        unsure = negative.finding is Finding.absolute and volume.alert
        leading = negative if negative.alert and not unsure else volume
        since = leading.since or bucket
        window_start = end - timedelta(seconds=leading.window)
        verdicts = {VOLUME: volume, NEGATIVE: negative}
        fresh = {metric for metric, verdict in verdicts.items() if verdict.alert}
        fresh -= detections.fired(self.session, self.brand.id, bucket)
        if not fresh or self._mostly_history(window_start, end):
            return
        wave, posts = self._wave(since, end, volume, negative)
        assessed = assess(wave)
        summary = self._summary(leading, negative is leading, since, wave)
        if self.incident is None:
            self.incident = open_incident(
                self.session,
                self.brand,
                assessed,
                summary,
                started_at=since,
                now=self.now,
                posts=posts,
            )
            self.result.opened = True
        else:
            self.result.escalated |= take_in(
                self.session, self.brand, self.incident, assessed, summary,
                now=self.now, posts=posts, fired=True,
            )  # fmt: skip
            follow_calm(self.session, self.incident, None, end, self.now)
        for metric, verdict in verdicts.items():
            if metric in fresh:
                self._write_detection(metric, bucket, verdict, assessed, self.incident)

    def _mostly_history(self, since: datetime, until: datetime) -> bool:
        total = sum(
            (counts.mentions for at, counts in self.counts.items() if since <= at < until), 0
        )
        return detections.live_posts(self.session, self.brand.id, since, until) * 2 < total

    def _wave(
        self, since: datetime, end: datetime, volume: Verdict, negative: Verdict
    ) -> tuple[Wave, list[tuple[int, str]]]:
        """The figures of the wave's last hour and its top posts."""
        start = min(max(since, end - WAVE_WINDOW), end - 3 * BUCKET)
        total = sum(
            (counts for at, counts in self.counts.items() if start <= at < end), BucketCounts()
        )
        part = (end - start) / timedelta(seconds=1)
        usual = None if volume.baseline is None else volume.baseline * part / volume.window
        share = negative.usual_share
        usual_negative = None if usual is None or share is None else usual * share
        brand = self.brand.id
        posts = detections.evidence(self.session, brand, start, end, ["negative"])
        if not posts:
            posts = detections.evidence(
                self.session, brand, start, end, [None, "neutral", "positive"]
            )
        grave = [post for post in posts if post.sentiment in {"negative", None}]
        wave = Wave(
            mentions=total.mentions,
            usual=usual,
            negative=total.negative,
            positive=total.positive,
            scored=total.scored,
            authors=detections.distinct_authors(self.session, brand, start, end),
            usual_share=share,
            negative_ratio=(
                None if usual_negative is None else (total.negative + 1) / (usual_negative + 1)
            ),
            gravity=gravity(grave),
            sure=volume.sure or negative.sure,
            competitor=self.brand.kind == "competitor",
        )
        return wave, top_posts(posts)

    def _summary(
        self, verdict: Verdict, negative: bool, since: datetime, wave: Wave
    ) -> Mapping[str, Any]:
        return {
            "metric": "negative" if negative else "volume",
            "finding": verdict.finding.value,
            "value": verdict.value,
            "baseline": None if verdict.baseline is None else round(verdict.baseline, 2),
            "upper": None if verdict.upper is None else round(verdict.upper, 2),
            "window_minutes": verdict.window // 60,
            "share": round(wave.negative / wave.scored, 3) if wave.scored else None,
            "usual_share": None if wave.usual_share is None else round(wave.usual_share, 3),
            "authors": wave.authors,
            "since": since.isoformat(),
            "sure": verdict.sure,
        }

    def _write_detection(
        self,
        metric: str,
        bucket: datetime,
        verdict: Verdict,
        assessed: Assessed,
        incident: Incident,
    ) -> None:
        written = detections.add_detection(
            self.session,
            brand_id=self.brand.id,
            metric=metric,
            bucket=bucket,
            detected_at=self.now,
            score=verdict.score,
            value=verdict.value,
            baseline=verdict.baseline,
            upper=verdict.upper,
            level=assessed.level,
            parts={
                "finding": verdict.finding.value,
                "window": verdict.window,
                "sure": verdict.sure,
                "index": assessed.index,
                "factors": assessed.parts,
                "caps": assessed.caps,
            },
            incident_id=incident.id,
        )
        if written is not None:
            self.result.detections.append(written)

    def _follow(self) -> None:
        """Judge the open incident's level by the newest figures: posts scored since raise it."""
        incident = self.incident
        if incident is None or self.last is None:
            return
        volume, negative = self.last
        end = self.mark.closed_until
        began = volume.since or negative.since
        if began is None:
            wave, posts = self._wave(end - WAVE_WINDOW, end, volume, negative)
        else:
            wave, posts = self._wave(began, end, volume, negative)
        assessed = assess(wave)
        calm = calm_since(incident) is not None
        if not calm and assessed.rank > LEVELS.index(incident.level):
            metric_negative = incident.summary.get("metric") == "negative"
            summary = {
                **incident.summary,
                "share": round(wave.negative / wave.scored, 3) if wave.scored else None,
                "authors": wave.authors,
                "metric": "negative" if metric_negative else "volume",
            }
            self.result.escalated |= take_in(
                self.session, self.brand, incident, assessed, summary, now=self.now, posts=posts
            )
        else:
            settle_down(self.session, incident, assessed, end, self.now)
