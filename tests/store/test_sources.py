"""Sources are run when they are due, by one worker at a time, and say how it went."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from store import sources
from store.database import Store
from store.models import Source, SourceRun
from store.sources import RunResult
from tests.conftest import START

MINUTE = timedelta(minutes=1)


def add_source(store: Store, name: str = "feed", **values: object) -> int:
    with store.write() as session:
        row = Source(
            name=name,
            created_at=START,
            **{"connector": "rss", "interval_seconds": 60, "next_run_at": START, **values},
        )
        session.add(row)
        session.flush()
        return row.id


def finish(store: Store, result: RunResult, at: object = START, worker: str = "w") -> Source:
    with store.write() as session:
        (claimed,) = sources.claim_due(session, worker, START)
    with store.write() as session:
        sources.finish_run(session, claimed, worker, at, result, jitter=1.0)  # type: ignore[arg-type]
    with store.read() as session:
        return session.scalars(select(Source)).one()


def test_a_source_that_runs_is_not_run_by_another_worker(store: Store) -> None:
    add_source(store)
    with store.write() as session:
        assert len(sources.claim_due(session, "first", START)) == 1
    with store.write() as session:
        assert sources.claim_due(session, "second", START) == []
        late = START + sources.CLAIM_FOR + MINUTE
        assert len(sources.claim_due(session, "second", late)) == 1


def test_the_longest_waiting_source_comes_first(store: Store) -> None:
    add_source(store, "later", next_run_at=START - MINUTE)
    add_source(store, "sooner", next_run_at=START - 5 * MINUTE)
    add_source(store, "not yet", next_run_at=START + MINUTE)
    add_source(store, "switched off", enabled=False)
    add_source(store, "paused", state="paused")
    with store.write() as session:
        due = sources.claim_due(session, "w", START)
        assert [source.name for source in due] == ["sooner", "later"]


def test_a_good_run_schedules_the_next_by_its_interval(store: Store) -> None:
    add_source(store)
    row = finish(store, RunResult("ok", 5, 3))
    assert (row.state, row.next_run_at, row.claimed_by) == ("ok", START + MINUTE, None)
    assert row.last_success_at == START
    with store.read() as session:
        run = session.scalars(select(SourceRun)).one()
        assert (run.outcome, run.seen, run.added) == ("ok", 5, 3)


def test_a_failure_is_tried_again_later_and_later_up_to_an_hour(store: Store) -> None:
    key = add_source(store, consecutive_failures=2)
    row = finish(store, RunResult("failed", message="The server does not answer."))
    assert (row.state, row.consecutive_failures) == ("failing", 3)
    assert row.next_run_at == START + timedelta(seconds=120)
    assert row.last_error == "The server does not answer."
    with store.write() as session:
        session.get_one(Source, key).consecutive_failures = 50
        session.get_one(Source, key).next_run_at = START
    row = finish(store, RunResult("failed", message="x"))
    assert row.next_run_at == START + timedelta(hours=1)


def test_a_rate_limit_is_an_outcome_and_no_failure(store: Store) -> None:
    add_source(store, state="ok")
    result = RunResult("limited", message="Too many calls.", next_in=timedelta(minutes=9))
    row = finish(store, result)
    assert (row.state, row.consecutive_failures) == ("ok", 0)
    assert row.next_run_at == START + timedelta(minutes=9)


def test_a_run_that_needs_a_person_pauses_the_source_until_it_is_resumed(store: Store) -> None:
    key = add_source(store)
    row = finish(store, RunResult("paused", message="The password is wrong. Enter it again."))
    assert (row.state, row.next_run_at) == ("paused", None)
    with store.write() as session:
        assert sources.claim_due(session, "w", START + timedelta(days=1)) == []
        sources.resume(session, key, START)
        assert len(sources.claim_due(session, "w", START)) == 1


def test_progress_of_a_worker_that_lost_its_claim_moves_no_cursor(store: Store) -> None:
    key = add_source(store)
    with store.write() as session:
        (claimed,) = sources.claim_due(session, "slow", START)
    late = START + sources.CLAIM_FOR + MINUTE
    with store.write() as session:
        sources.claim_due(session, "fast", late)
    with store.write() as session:
        assert not sources.save_progress(
            session, claimed, "slow", late, cursor={"at": 9}, covered_until=late
        )
        assert sources.save_progress(
            session, claimed, "fast", late, cursor={"at": 7}, covered_until=late
        )
        assert session.get_one(Source, key).cursor == {"at": 7}
        assert session.get_one(Source, key).covered_until == late


def test_money_is_counted_by_month_and_stops_at_the_budget(store: Store) -> None:
    key = add_source(store, budget_usd=1.0, spent_month="2026-02", spent_usd=99.0)
    with store.write() as session:
        (claimed,) = sources.claim_due(session, "w", START)
        assert not sources.over_budget(session, key, START)
        for _ in range(4):
            sources.save_progress(
                session, claimed, "w", START, cursor=None, covered_until=None, cost_usd=0.25
            )
        row = session.get_one(Source, key)
        assert (row.spent_month, row.spent_usd) == ("2026-03", pytest.approx(1.0))
        assert sources.over_budget(session, key, START)
        assert not sources.over_budget(session, key, START + timedelta(days=31))


def test_coverage_never_moves_back(store: Store) -> None:
    key = add_source(store, covered_until=START)
    with store.write() as session:
        (claimed,) = sources.claim_due(session, "w", START)
        sources.save_progress(
            session, claimed, "w", START, cursor=None, covered_until=START - MINUTE
        )
        assert session.get_one(Source, key).covered_until == START
