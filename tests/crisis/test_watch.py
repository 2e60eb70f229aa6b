"""The watch stage on streams in a database: what opens an incident, and what does not."""

from __future__ import annotations

import multiprocessing
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from crisis.learning import relearn
from crisis.simulator import STEP, Count, Event
from crisis.watch import watch_brand
from store.database import Store
from store.models import (
    Detection,
    DetectorState,
    Incident,
    IncidentEvent,
    IncidentMention,
    Mention,
    MentionBrand,
    Notification,
    NotificationDelivery,
    NotificationTarget,
    Rollup,
    Source,
    Watermark,
)
from tests.conftest import START
from tests.crisis.streams import Listened, listened, stream

LIVE = START.replace(hour=6)
BURST = LIVE + timedelta(hours=1)


def burst(**values: object) -> Event:
    how = {"size": 14.0, "ramp": timedelta(minutes=15), "half_life": timedelta(minutes=40)}
    return Event(BURST, **{"negative_share": 0.75, **how, **values})  # type: ignore[arg-type]


def with_history(brand: Listened, days: int = 14) -> None:
    brand.history(stream(days, LIVE - timedelta(days=days)))
    brand.cover(LIVE)
    brand.watch(LIVE)


def incidents(brand: Listened) -> list[Incident]:
    return list(brand.read(lambda s: s.scalars(select(Incident).order_by(Incident.id)).all()))


def events(brand: Listened) -> list[str]:
    return list(
        brand.read(lambda s: s.scalars(select(IncidentEvent.kind).order_by(IncidentEvent.id)).all())
    )


def hours(n: float, *events: Event) -> list[Count]:
    return stream(n / 24, LIVE, *events, seed=9)


def test_a_calm_brand_opens_no_incident(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with_history(brand)
    results = brand.live(hours(3))
    assert sum(result.closed for _, result in results) == 36
    assert incidents(brand) == []
    assert brand.read(lambda s: s.scalar(select(func.count()).select_from(Detection))) == 0


def test_a_burst_opens_one_incident_with_its_beginning_reasons_and_posts(store: Store) -> None:
    brand = listened(store)
    with store.write() as session:
        session.add(
            NotificationTarget(name="desk", kind="console", min_level="yellow", created_at=START)
        )
    with_history(brand)
    brand.live(hours(2.5, burst()))
    (incident,) = incidents(brand)
    assert incident.number == "INC-2026-000001"
    assert abs(incident.started_at - BURST) <= timedelta(minutes=10)
    assert BURST < incident.detected_at <= BURST + timedelta(minutes=16)
    assert incident.level in {"orange", "red"}
    assert incident.summary["metric"] == "negative"
    assert incident.summary["baseline"] < incident.summary["upper"] <= incident.summary["value"]
    assert incident.summary["since"] == incident.started_at.isoformat()
    parts = {part["key"]: part for part in incident.reasons}
    assert set(parts) == {"volume", "negative", "spread", "severity"}
    assert parts["volume"]["ratio"] > 3
    assert parts["negative"]["share"] > 0.4
    with store.read() as session:
        shown = session.execute(
            select(Mention.author_id, MentionBrand.sentiment)
            .join(IncidentMention, IncidentMention.mention_id == Mention.id)
            .join(MentionBrand, MentionBrand.mention_id == Mention.id)
        ).all()
        assert 3 <= len(shown) <= 6
        assert len({author for author, _ in shown}) == len(shown)
        assert {sentiment for _, sentiment in shown} == {"negative"}
        detections = session.scalars(select(Detection)).all()
        assert {detection.incident_id for detection in detections} == {incident.id}
        assert {detection.metric for detection in detections} >= {"negative"}
        keys = list(session.scalars(select(Notification.key).order_by(Notification.id)))
        assert keys[-1] == f"incident:{incident.id}:{incident.level}"
        assert len(keys) == len(set(keys)) <= 4
        sent = session.scalar(select(func.count()).select_from(NotificationDelivery))
        assert sent == len([key for key in keys if not key.endswith("blue")])
    assert events(brand)[0] == "opened"


def test_a_repeated_call_does_nothing_more(store: Store) -> None:
    brand = listened(store)
    with_history(brand)
    *_, (now, last) = brand.live(hours(2, burst()))
    before = events(brand), len(incidents(brand))
    again = brand.watch(now)
    assert again.closed == 0
    assert again.closed_until == last.closed_until
    assert (events(brand), len(incidents(brand))) == before


def test_praise_is_named_as_good_news_and_stays_blue(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with_history(brand)
    brand.live(hours(2, burst(negative_share=0.01)), positive=0.9)
    (incident,) = incidents(brand)
    assert incident.level == "blue"
    assert incident.summary["good_news"] is True
    assert incident.summary["metric"] == "volume"


def test_history_teaches_and_never_fires(store: Store) -> None:
    brand = listened(store)
    past = burst()
    old = Event(past.at - timedelta(days=3), 30, past.ramp, past.half_life)
    brand.history(stream(14, LIVE - timedelta(days=14), old))
    brand.cover(LIVE)
    result = brand.watch(LIVE)
    assert result.closed_until == LIVE
    assert incidents(brand) == []
    with store.read() as session:
        mark = session.scalars(select(Watermark)).one()
        assert (mark.closed_until, mark.live_from) == (LIVE, LIVE)
        state = session.scalars(
            select(DetectorState.state).where(DetectorState.metric == "volume")
        ).one()
        assert len(state["peaks"]) >= 13


def test_history_that_is_imported_into_the_present_opens_nothing(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with_history(brand)
    brand.live(hours(2, burst()), live=False)
    assert incidents(brand) == []


def test_a_new_stream_has_no_baseline_and_opens_blue_at_most(
    sqlite_store: Store,
) -> None:
    brand = listened(sqlite_store)
    brand.cover(LIVE)
    brand.watch(LIVE)
    brand.live(stream(0.1, LIVE, mean=60))
    assert incidents(brand) == []
    angry = [Count(LIVE + timedelta(hours=3) + n * STEP, 30, 27) for n in range(6)]
    brand.live(angry)
    (incident,) = incidents(brand)
    assert incident.level == "blue"
    assert incident.summary["finding"] == "absolute"
    assert incident.summary["caps"] == ["no_baseline"]
    assert incident.summary["sure"] is False


def test_a_source_that_stops_is_neither_calm_nor_a_crisis(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with_history(brand)
    counts = hours(8)
    brand.live(counts[:24])
    known = _known(brand)
    stopped = counts[23].at + STEP
    silent = [brand.watch(stopped + n * STEP) for n in range(1, 37)]
    assert sum(result.closed for result in silent) >= 30
    assert sum(result.incomplete for result in silent) >= 30
    assert _known(brand) <= known + 300
    brand.collect(counts[24:60])  # the source comes back and brings what it missed
    brand.live(counts[60:])
    assert incidents(brand) == []
    with sqlite_store.read() as session:
        mark = session.scalars(select(Watermark.closed_until)).one()
        assert mark == counts[-1].at + STEP


def _known(brand: Listened) -> float:
    state = brand.read(
        lambda s: s.scalars(
            select(DetectorState.state).where(DetectorState.metric == "volume")
        ).one()
    )
    return float(state["known"])


def test_posts_that_come_after_their_bucket_closed_never_fire(store: Store) -> None:
    brand = listened(store)
    with_history(brand)
    counts = hours(3)
    brand.live(counts)
    late = [Count(counts[-6 + n].at, 200, 180) for n in range(4)]
    brand.collect(late)
    brand.cover(counts[-1].at + 2 * STEP)
    result = brand.watch(counts[-1].at + 2 * STEP)
    assert result.closed == 1
    assert incidents(brand) == []
    total = brand.read(
        lambda s: s.scalar(select(func.sum(Rollup.mentions)).where(Rollup.bucket == late[0].at))
    )
    assert total is not None
    assert total >= 200


def test_a_bucket_waits_for_its_scores_but_not_for_ever(store: Store) -> None:
    brand = listened(store)
    with_history(brand)
    (count,) = hours(5 / 60)
    brand.collect([count], unscored=True)
    end = count.at + STEP
    brand.cover(end)
    assert brand.watch(end + timedelta(seconds=10)).closed == 0
    assert brand.watch(end + timedelta(minutes=4)).closed == 0
    result = brand.watch(end + timedelta(minutes=11))  # one interval and five minutes later
    assert result.closed_until is not None
    assert result.closed_until >= end


def test_a_surge_of_posts_that_nobody_scores_is_seen_all_the_same(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with_history(brand)
    counts = hours(3, burst())
    brand.collect(counts, unscored=True)
    brand.cover(counts[-1].at + STEP)
    brand.watch(counts[-1].at + 4 * STEP)
    (incident,) = incidents(brand)
    assert incident.summary["metric"] == "volume"
    negative = next(part for part in incident.reasons if part["key"] == "negative")
    assert negative["known"] is False


def test_buckets_that_were_missed_are_caught_up_on_in_one_go(store: Store) -> None:
    brand = listened(store)
    with_history(brand)
    counts = hours(6, burst())
    brand.collect(counts)
    end = counts[-1].at + STEP
    brand.cover(end)
    result = brand.watch(end)
    assert result.closed == 72
    (incident,) = incidents(brand)
    assert abs(incident.started_at - BURST) <= timedelta(minutes=10)
    assert incident.detected_at == end


def test_few_buckets_at_a_time_come_to_the_same(sqlite_store: Store) -> None:
    one, two = listened(sqlite_store), listened(sqlite_store, name="Other")
    counts = hours(4, burst())
    for brand in (one, two):
        with_history(brand)
        brand.collect(counts)
        brand.cover(counts[-1].at + STEP)
    one.watch(counts[-1].at + STEP)
    calls = 0
    more = True
    while more:
        with sqlite_store.write() as session:
            more = watch_brand(session, two.brand, counts[-1].at + STEP, limit=7).more
        calls += 1
    assert calls == 7
    with sqlite_store.read() as session:
        states = session.execute(
            select(DetectorState.metric, DetectorState.brand_id, DetectorState.state)
        ).all()
        by_key = {(metric, brand): state for metric, brand, state in states}
        for metric in ("volume", "negative"):
            assert by_key[metric, one.brand] == by_key[metric, two.brand]


def test_a_brand_without_sources_is_watched_from_its_first_live_post(store: Store) -> None:
    brand = listened(store, source=False)
    brand.history(stream(14, LIVE - timedelta(days=14)))
    brand.watch(LIVE)
    assert brand.read(lambda s: s.scalars(select(Watermark.live_from)).one()) is None
    counts = hours(4, burst())
    for count in counts:
        brand.collect([count])
        brand.watch(count.at + 2 * STEP)
    (incident,) = incidents(brand)
    assert abs(incident.started_at - BURST) <= timedelta(minutes=10)
    assert brand.read(lambda s: s.scalars(select(Watermark.live_from)).one()) == counts[0].at


def test_the_time_between_an_import_and_the_first_listening_is_a_gap(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    brand.history(stream(10, LIVE - timedelta(days=13)))
    brand.cover(LIVE)
    brand.watch(LIVE)
    assert _known(brand) <= 10 * 86400
    brand.live(hours(2))
    assert incidents(brand) == []


def test_history_imported_later_is_learnt_on_request(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    brand.cover(LIVE)
    brand.watch(LIVE)
    brand.live(hours(1))
    now = LIVE + timedelta(hours=1)
    brand.history(stream(14, LIVE - timedelta(days=14)))
    with sqlite_store.write() as session:
        relearn(session, brand.brand, now)
    brand.watch(now)
    assert _known(brand) > 13 * 86400
    with sqlite_store.read() as session:
        mark = session.scalars(select(Watermark)).one()
        assert mark.closed_until == mark.live_from == now


def test_a_drill_is_numbered_apart_and_told_of_on_the_console_only(store: Store) -> None:
    brand = listened(store, realm="drill")
    with store.write() as session:
        for name, kind in (("console", "console"), ("chat", "apprise")):
            session.add(
                NotificationTarget(name=name, kind=kind, min_level="blue", created_at=START)
            )
    with_history(brand)
    brand.live(hours(2, burst()))
    (incident,) = incidents(brand)
    assert incident.number == "DR-2026-000001"
    kinds = brand.read(
        lambda s: s.scalars(
            select(NotificationTarget.kind).join(
                NotificationDelivery, NotificationDelivery.target_id == NotificationTarget.id
            )
        ).all()
    )
    assert set(kinds) == {"console"}


def test_a_competitors_wave_is_a_sign_to_watch(sqlite_store: Store) -> None:
    brand = listened(sqlite_store, kind="competitor")
    with_history(brand)
    brand.live(hours(2, burst()))
    (incident,) = incidents(brand)
    assert incident.level == "blue"
    assert "competitor" in incident.summary["caps"]


def test_grave_words_raise_the_level_and_are_named(sqlite_store: Store) -> None:
    plain, grave = listened(sqlite_store), listened(sqlite_store, name="Grave")
    wave = hours(2, burst(size=6.0, negative_share=0.6))
    for brand, text in ((plain, None), (grave, "手机充电时起火，家人受伤")):
        with_history(brand)
        brand.live(wave, text=text, authors=60)
    one, two = incidents(plain)
    index = {"plain": one.summary["index"], "grave": two.summary["index"]}
    assert index["grave"] > 1.1 * index["plain"]
    assert {"fire", "injury"} <= set(two.summary["severity"])
    assert one.summary["severity"] == []


def test_an_incident_recovers_falls_and_ends_by_itself(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with_history(brand)
    counts = stream(2.0, LIVE, burst(size=10.0), seed=9)
    brand.live(counts[:30])
    (incident,) = incidents(brand)
    assert incident.level in {"yellow", "orange", "red"}
    for part in range(30, len(counts), 12):
        brand.collect(counts[part : part + 12])
        end = counts[min(part + 11, len(counts) - 1)].at + STEP
        brand.cover(end)
        brand.watch(end)
    (incident,) = incidents(brand)
    assert incident.status == "closed"
    assert incident.verdict is None
    assert incident.level == "blue"
    seen = events(brand)
    assert seen.count("recovering") == 1
    assert seen.count("lowered") >= 1
    assert seen[-1] == "closed"
    times = brand.read(
        lambda s: dict(
            s.execute(
                select(IncidentEvent.kind, func.min(IncidentEvent.at)).group_by(IncidentEvent.kind)
            ).all()
        )
    )
    assert times["recovering"] - BURST > timedelta(hours=2)
    assert times["closed"] - times["recovering"] >= timedelta(hours=21)


def test_a_second_wave_flares_the_same_incident_up(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with_history(brand)
    second = Event(BURST + timedelta(hours=6), 40, timedelta(minutes=10), timedelta(hours=1))
    brand.live(hours(8, burst(size=8.0, half_life=timedelta(minutes=20)), second))
    (incident,) = incidents(brand)
    seen = events(brand)
    assert "recovering" in seen
    after = seen[seen.index("recovering") + 1 :]
    assert "flared_up" in after or "escalated" in after
    assert incident.status == "open"


def _race(url: str, brand: int, now: datetime) -> int:
    store = Store(url)
    closed = 0
    for _ in range(12):
        closed += store.transact(lambda session: watch_brand(session, brand, now, limit=9)).closed
    store.close()
    return closed


def test_two_processes_at_once_feed_every_bucket_once(store: Store) -> None:
    brand, alone = listened(store), listened(store, name="Alone")
    counts = hours(6, burst())
    now = counts[-1].at + STEP
    for one in (brand, alone):
        with_history(one)
        one.collect(counts)
        one.cover(now)
    alone.watch(now)
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        url = store.url.render_as_string(hide_password=False)
        closed = pool.starmap(_race, [(url, brand.brand, now)] * 3)
    assert sum(closed) == 72
    with store.read() as session:
        states = session.execute(
            select(DetectorState.metric, DetectorState.brand_id, DetectorState.state)
        ).all()
        by_key = {(metric, owner): state for metric, owner, state in states}
        for metric in ("volume", "negative"):
            assert by_key[metric, brand.brand] == by_key[metric, alone.brand]
        numbers = session.scalars(select(Incident.number)).all()
        assert sorted(numbers) == ["INC-2026-000001", "INC-2026-000002"]
        detected = session.execute(
            select(Detection.brand_id, func.count()).group_by(Detection.brand_id)
        )
        assert len({count for _, count in detected}) == 1


def test_a_paused_source_is_waited_for_only_for_a_day(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with sqlite_store.write() as session:
        session.add(
            Source(
                name="lost", connector="rss", brand_id=brand.brand, state="paused",
                covered_until=LIVE - timedelta(hours=30), created_at=START,
            )
        )  # fmt: skip
    with_history(brand)
    results = brand.live(hours(1))
    assert sum(result.incomplete for _, result in results) == 0
    with sqlite_store.write() as session:
        session.execute(update(Source).where(Source.name == "lost").values(covered_until=LIVE))
    later = [brand.watch(LIVE + timedelta(hours=1) + n * STEP) for n in range(1, 7)]
    assert sum(result.incomplete for result in later) == sum(r.closed for r in later) > 0


def test_a_wave_under_way_when_listening_begins_is_seen(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    brand.history(stream(14, LIVE - timedelta(days=14)))
    wave = Event(LIVE - timedelta(minutes=30), 14, timedelta(minutes=10), timedelta(hours=2), 0.8)
    counts = stream(2 / 24, LIVE - timedelta(hours=1), wave, seed=9)
    brand.collect(counts[:12])
    brand.cover(LIVE)
    brand.watch(LIVE)
    brand.live(counts[12:])
    (incident,) = incidents(brand)
    assert abs(incident.started_at - wave.at) <= timedelta(minutes=10)


def test_history_that_is_scored_later_still_gives_a_baseline(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    history = stream(10, LIVE - timedelta(days=10), mean=2)
    brand.collect(history, live=False, unscored=True)
    brand.cover(LIVE)
    brand.watch(LIVE)
    counts = hours(1.5, burst())
    brand.live(counts)
    opened = brand.read(lambda s: s.scalars(select(IncidentEvent.detail)).first())
    assert opened is not None
    assert opened["finding"] == "surge"
    with sqlite_store.read() as session:
        states = dict(session.execute(select(DetectorState.metric, DetectorState.state)).all())
        assert states["negative"]["peaks"] == []
        assert states["unread"]["learnt"] is False
    _score_all(sqlite_store)
    now = counts[-1].at + STEP + timedelta(minutes=1)
    brand.watch(now)
    with sqlite_store.read() as session:
        states = dict(session.execute(select(DetectorState.metric, DetectorState.state)).all())
        assert len(states["negative"]["peaks"]) >= 9
        assert states["unread"]["learnt"] is True
        before = session.scalars(select(Detection.id)).all()
        metrics = set(session.scalars(select(Detection.metric)))
    assert metrics == {"volume", "negative"}
    assert len(incidents(brand)) == 1
    brand.watch(now)
    with sqlite_store.read() as session:
        assert session.scalars(select(Detection.id)).all() == before


def _score_all(store: Store) -> None:
    """Score every unscored mention: one in seven is negative."""
    with store.write() as session:
        session.execute(
            update(MentionBrand)
            .where(MentionBrand.sentiment.is_(None))
            .values(sentiment="neutral", counted_sentiment="neutral")
        )
        session.execute(
            update(Rollup).where(Rollup.sentiment == "unscored").values(sentiment="neutral")
        )


def test_a_source_that_works_through_the_past_is_waited_for(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with_history(brand)
    counts = hours(2, burst())
    now = counts[-1].at + STEP
    for part in range(0, 24, 4):
        brand.collect(counts[part : part + 4])
        with sqlite_store.write() as session:
            session.execute(update(Source).values(last_success_at=now, state="ok"))
        until = counts[part + 3].at + STEP
        brand.cover(until)
        result = brand.watch(now)
        assert result.closed_until == until
        assert result.incomplete == 0
    (incident,) = incidents(brand)
    assert abs(incident.started_at - BURST) <= timedelta(minutes=10)


def test_a_source_that_no_worker_came_to_is_waited_for(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with_history(brand)
    counts = hours(1.5, burst())
    brand.collect(counts[:6])
    with sqlite_store.write() as session:
        long_ago = LIVE - timedelta(hours=1)
        session.execute(
            update(Source).values(last_success_at=long_ago, next_run_at=LIVE, state="ok")
        )
    now = counts[-1].at + STEP
    assert brand.watch(now).incomplete == 0
    brand.collect(counts[6:])
    brand.cover(now)
    brand.watch(now)
    assert len(incidents(brand)) == 1


def test_a_first_run_is_waited_for(sqlite_store: Store) -> None:
    brand = listened(sqlite_store)
    with sqlite_store.write() as session:
        session.execute(update(Source).values(created_at=LIVE))
    brand.collect(hours(1))
    now = LIVE + timedelta(hours=1)
    assert brand.watch(now).closed == 0
    brand.cover(now)
    brand.watch(now)
    mark = brand.read(lambda s: s.scalars(select(Watermark)).one())
    assert mark.live_from == LIVE
    assert mark.closed_until == now
