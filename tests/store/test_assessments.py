"""Readings are recorded once, by any number of workers, and the rollups follow."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta

from sqlalchemy import func, select

from store.assessments import (
    CLAIM_FOR,
    backlog,
    claim_unassessed,
    override,
    record_assessments,
)
from store.database import Store
from store.models import ALL_BRANDS, Assessment, Mention, MentionBrand, Override
from store.rollups import recount
from tests.builders import AReading, a_brand, a_post, take_in
from tests.conftest import START
from tests.store.test_ingest import counted


def test_live_mentions_come_before_history_and_new_before_old(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("old-history"), a_post("new-history")], brand, live=False)
        take_in(session, [a_post("old-live", "ol"), a_post("new-live", "nl")], brand)
    with store.write() as session:
        first = claim_unassessed(session, "w", START, limit=2)
        assert {w.text for w in first} == {"ol", "nl"}
        assert backlog(session) == 4


def test_a_claimed_mention_is_free_again_when_its_worker_died(store: Store) -> None:
    with store.write() as session:
        take_in(session, [a_post("1")], a_brand(session))
    with store.write() as session:
        assert len(claim_unassessed(session, "first", START)) == 1
    with store.write() as session:
        assert claim_unassessed(session, "second", START) == []
        assert len(claim_unassessed(session, "second", START + CLAIM_FOR * 2)) == 1


def test_a_reading_moves_the_counts_from_unscored(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1")], brand)
        waiting = claim_unassessed(session, "w", START)
        assert record_assessments(session, [(waiting[0], AReading())], START) == 1
        assert counted(session, brand, sentiment="unscored") == 0
        assert counted(session, brand, sentiment="negative", intent="complaint", language="en") == 1
        assert counted(session, ALL_BRANDS, sentiment="negative") == 1
        row = session.scalars(select(MentionBrand)).one()
        assert (row.sentiment, row.intent) == ("negative", "complaint")
        assert backlog(session) == 0
        assert not recount(session)


def test_a_mention_read_by_two_workers_is_recorded_once(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1")], brand)
        waiting = claim_unassessed(session, "slow", START)
    late = START + CLAIM_FOR * 2
    with store.write() as session:
        again = claim_unassessed(session, "fast", late)
        assert record_assessments(session, [(again[0], AReading())], late) == 1
    with store.write() as session:
        positive = AReading(sentiment="positive", intent="praise")
        assert record_assessments(session, [(waiting[0], positive)], late) == 0
        assert counted(session, brand, sentiment="negative") == 1
        assert not recount(session)


def test_an_edit_during_the_reading_is_not_overwritten(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1", "before")], brand)
        waiting = claim_unassessed(session, "w", START)
    with store.write() as session:
        edit = a_post("1", "after", edited_at=START + timedelta(minutes=1))
        take_in(session, [edit], brand)
    with store.write() as session:
        assert record_assessments(session, [(waiting[0], AReading())], START) == 0
        assert [w.text for w in claim_unassessed(session, "w", START)] == ["after"]


def test_a_persons_correction_wins_now_and_after_a_new_reading(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1", "x")], brand)
        waiting = claim_unassessed(session, "w", START)
        record_assessments(session, [(waiting[0], AReading())], START)
    correction = {
        "mention_id": waiting[0].mention_id,
        "brand_id": brand,
        "field": "sentiment",
        "value": "positive",
        "user_id": None,
        "now": START,
    }
    with store.write() as session:
        assert override(session, **correction) is True  # type: ignore[arg-type]
        assert override(session, **correction) is False  # type: ignore[arg-type]
        assert counted(session, brand, sentiment="positive") == 1
        assert counted(session, ALL_BRANDS, sentiment="positive") == 1
    with store.write() as session:
        edit = a_post("1", "y", edited_at=START + timedelta(minutes=1))
        take_in(session, [edit], brand)
        again = claim_unassessed(session, "w", START)
        record_assessments(session, [(again[0], AReading())], START)
        assert counted(session, brand, sentiment="positive") == 1
        assert session.scalars(select(Assessment.sentiment)).one() == "negative"
        assert session.scalars(select(Override.old_value)).one() == "negative"
        assert not recount(session)


def _assess_all(url: str) -> None:
    store = Store(url)
    while True:
        waiting = store.transact(lambda session: claim_unassessed(session, "racer", START, 7))
        if not waiting:
            break
        readings = [(w, AReading(sentiment="neutral", intent="other")) for w in waiting]
        store.transact(lambda session, r=readings: record_assessments(session, r, START))  # type: ignore[misc]
    store.close()


def test_two_processes_share_the_backlog_without_doubling(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post(str(i), author=f"a{i % 5}") for i in range(200)], brand)
    url = store.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    racers = [context.Process(target=_assess_all, args=(url,)) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    with store.read() as session:
        assert session.scalar(select(func.count()).where(Mention.assessed_at.is_(None))) == 0
        assert session.scalar(select(func.count()).select_from(Assessment)) == 200
        assert counted(session, brand, sentiment="neutral") == 200
        assert not recount(session)
