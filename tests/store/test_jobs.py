"""One process holds the lease; long work is done once, by whoever is alive."""

from __future__ import annotations

from datetime import timedelta

from store import jobs
from store.database import Store
from store.jobs import Holder
from store.models import Job
from tests.conftest import START

FIRST = Holder("first", "here", 1)
SECOND = Holder("second", "here", 2)
ELSEWHERE = Holder("third", "there", 1)


def take(store: Store, holder: Holder, after: int = 0, *dead: int) -> bool:
    with store.write() as session:
        return jobs.take_lease(
            session, "x", holder, START + timedelta(seconds=after), lambda pid: pid not in dead
        )


def test_a_lease_is_kept_by_its_holder_and_refused_to_others(store: Store) -> None:
    assert take(store, FIRST)
    assert take(store, FIRST, 10)
    assert not take(store, SECOND, 20)
    assert take(store, SECOND, 26)
    assert not take(store, FIRST, 27)


def test_a_lease_of_a_dead_process_on_this_host_is_taken_over_at_once(store: Store) -> None:
    assert take(store, FIRST)
    assert not take(store, SECOND, 1)
    assert take(store, SECOND, 1, 1)


def test_a_process_on_another_host_waits_for_the_lease_to_expire(store: Store) -> None:
    assert take(store, FIRST)
    assert not take(store, ELSEWHERE, 1, 1)
    assert take(store, ELSEWHERE, 16)


def test_a_lease_given_up_is_free_at_once(store: Store) -> None:
    assert take(store, FIRST)
    with store.write() as session:
        jobs.give_up_lease(session, "x", FIRST, START)
    assert take(store, SECOND)


def test_a_job_is_claimed_once_and_again_when_its_worker_went_silent(store: Store) -> None:
    with store.write() as session:
        key = jobs.add_job(session, "export", {"kind": "mentions"}, START).id
    with store.write() as session:
        first = jobs.claim_job(session, "a", START)
        assert first is not None
        assert first.id == key
        assert jobs.claim_job(session, "b", START) is None
    with store.write() as session:
        jobs.job_progress(session, key, START + timedelta(minutes=1), 10, 100)
        assert jobs.claim_job(session, "b", START + timedelta(minutes=2)) is None
        assert jobs.claim_job(session, "b", START + timedelta(minutes=4)) is not None


def test_a_finished_job_keeps_its_result_or_its_reason(store: Store) -> None:
    with store.write() as session:
        good = jobs.add_job(session, "a", {}, START).id
        bad = jobs.add_job(session, "b", {}, START).id
        jobs.claim_job(session, "w", START)
        jobs.finish_job(session, good, START, result={"rows": 3})
        jobs.claim_job(session, "w", START)
        jobs.finish_job(session, bad, START, error="The file is gone.")
        assert jobs.claim_job(session, "w", START) is None
    with store.read() as session:
        assert (session.get_one(Job, good).status, session.get_one(Job, good).result) == (
            "done",
            {"rows": 3},
        )
        assert session.get_one(Job, bad).message == "The file is gone."
