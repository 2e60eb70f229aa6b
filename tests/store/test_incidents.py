"""Finding, numbering and listing incidents, and the counts the watch stage reads."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store import detections, incidents
from store.database import Store
from store.models import Brand, Incident, Mention, Source
from store.posts import Removal
from store.removals import remove
from tests.builders import a_brand, a_post, take_in
from tests.conftest import START


def an_incident(session: Session, brand: int, minutes: int = 0, closed: bool = True) -> Incident:
    moment = START + timedelta(minutes=minutes)
    incident = incidents.add(
        session, session.get_one(Brand, brand), level="yellow", started_at=START, now=moment,
        summary={"finding": "surge"}, reasons=[{"key": "volume"}],
    )  # fmt: skip
    if closed:
        incident.status = "closed"
    session.flush()
    return incident


def test_numbers_go_up_within_a_year_and_drills_have_their_own(store: Store) -> None:
    with store.write() as session:
        real, drill = a_brand(session), a_brand(session, "Drill", realm="drill")
        numbers = [an_incident(session, brand).number for brand in (real, drill, real, drill)]
        assert numbers == [
            "INC-2026-000001", "DR-2026-000001", "INC-2026-000002", "DR-2026-000002",
        ]  # fmt: skip
        found = incidents.by_number(session, " inc-2026-000002 ")
        assert found is not None
        assert found.summary["number"] == "INC-2026-000002"
        assert incidents.by_number(session, "INC-2026-000009") is None


def test_a_brand_has_one_open_incident_at_most(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        an_incident(session, brand)
        one = an_incident(session, brand, closed=False)
        assert incidents.open_of(session, brand) is one
        with pytest.raises(IntegrityError), session.begin_nested():
            an_incident(session, brand, closed=False)


def test_pages_go_by_the_latest_change_and_leave_nothing_out(store: Store) -> None:
    with store.write() as session:
        brand, other = a_brand(session), a_brand(session, "Other", time_zone="Asia/Shanghai")
        made = [an_incident(session, brand, minutes=n // 2).id for n in range(7)]
        hidden = an_incident(session, other).id
        an_incident(session, other, closed=False)
    with store.read() as session:
        seen: list[int] = []
        before = None
        while page := incidents.listed(session, [brand], closed=True, before=before, limit=3):
            seen += [line.incident.id for line in page]
            before = (page[-1].incident.changed_at, page[-1].incident.id)
        assert seen == made[::-1]
        assert hidden not in seen
        (line,) = incidents.listed(session, [brand, other])
        assert (line.brand, line.realm, line.time_zone) == ("Other", "real", "Asia/Shanghai")


def test_posts_deleted_on_their_platform_are_no_longer_shown(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1", "one"), a_post("2", "two", author="bob")], brand)
        ids = sorted(session.query(Mention.id).all())
        incident = an_incident(session, brand)
        incidents.set_top_posts(session, incident.id, [(row[0], "typical") for row in ids])
        assert len(incidents.top_posts(session, incident.id)) == 2
        remove(session, Removal("demo", "1"), START)
        assert [post.mention.text for post in incidents.top_posts(session, incident.id)] == ["two"]


def test_counts_authors_and_live_posts_are_read_per_span(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        live = [
            a_post(str(n), author="ann" if n < 2 else "bob", posted_at=START + timedelta(minutes=n))
            for n in range(4)
        ]
        old = [a_post("old", author="eve", posted_at=START + timedelta(minutes=7))]
        take_in(session, live, brand)
        take_in(session, old, brand, live=False)
    end = START + timedelta(minutes=10)
    with store.read() as session:
        counts = detections.counts(session, brand, START, end)
        assert {at: found.mentions for at, found in counts.items()} == {
            START: 4, START + timedelta(minutes=5): 1,
        }  # fmt: skip
        assert counts[START].unscored == 4
        assert (counts[START] + counts[START]).mentions == 8
        assert detections.distinct_authors(session, brand, START, end) == 3
        assert detections.live_posts(session, brand, START, end) == 4
        assert detections.first_live_post(session, brand, START) == START
        assert detections.first_bucket(session, brand, START) == START
        assert detections.last_bucket(session, brand, end) == START + timedelta(minutes=5)
        posts = detections.evidence(session, brand, START, end, [None], limit=2)
        assert [post.posted_at for post in posts] == [
            START + timedelta(minutes=7), START + timedelta(minutes=3),
        ]  # fmt: skip
        assert detections.evidence(session, brand, START, end, ["negative"]) == []


def test_only_polled_enabled_sources_of_the_brand_or_of_all_count(store: Store) -> None:
    with store.write() as session:
        brand, other = a_brand(session), a_brand(session, "Other")
        for name, values in {
            "mine": {"brand_id": brand}, "shared": {"brand_id": None},
            "other": {"brand_id": other}, "off": {"brand_id": brand, "enabled": False},
            "import": {"brand_id": brand, "connector": "file"},
        }.items():  # fmt: skip
            session.add(Source(**{"name": name, "connector": "rss", "created_at": START, **values}))
        session.flush()
        assert len(detections.coverages(session, brand)) == 2


def test_a_detection_is_written_once_per_bucket(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        row = {
            "brand_id": brand, "metric": "volume", "bucket": START, "detected_at": START,
            "score": 0.7, "value": 50.0, "baseline": 5.0, "upper": 20.0, "level": "blue",
            "parts": {},
        }  # fmt: skip
        assert detections.add_detection(session, **row) is not None
        assert detections.add_detection(session, **row) is None
        assert detections.add_detection(session, **{**row, "metric": "negative"}) is not None
