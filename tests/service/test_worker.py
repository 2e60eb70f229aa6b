"""A running worker: ticks, one run of a source at a time, a graceful stop, the lease."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from service import jobs
from service.jobs import EVERY, Worker
from service.settings import Settings
from service.wiring import Services
from store.clock import SystemClock
from store.database import Store
from store.models import Lease, Mention, Source, SourceRun
from store.posts import Batch
from store.secrets import SecretBox
from tests.builders import a_brand, a_post
from tests.service.conftest import Scripted, WordModel


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def living(sqlite_store: Store, tmp_path: Path) -> Services:
    """Services on the machine's own clock."""
    settings = Settings(data_dir=tmp_path, collectors=2)
    built = Services(settings, sqlite_store, SystemClock(), SecretBox.open(settings.key_file))
    built._model.append(WordModel())
    return built


def a_source(services: Services, name: str = "scripted", interval: int = 1) -> int:
    now = services.clock.now()
    with services.store.write() as session:
        brand = session.scalar(select(Source.brand_id)) or a_brand(session)
        source = Source(
            name=name,
            connector="scripted",
            brand_id=brand,
            interval_seconds=interval,
            next_run_at=now,
            created_at=now,
        )
        session.add(source)
        session.flush()
        return source.id


def count(services: Services, table: type[object]) -> int:
    with services.store.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_worker_collects_on_schedule_and_scores_what_came(
    living: Services, platform: type[Scripted]
) -> None:
    a_source(living)
    now = living.clock.now()
    platform.script = [[Batch([a_post(str(i), posted_at=now)], {"at": i})] for i in range(3)]
    worker = Worker(living)
    worker.start()
    try:

        def scored() -> bool:
            with living.store.read() as session:
                found = select(func.count()).where(Mention.assessed_at.is_not(None))
                return session.scalar(found) == 3

        wait_for(scored)
    finally:
        worker.stop()
    assert platform.asked[:3] == [None, {"at": 0}, {"at": 1}]


def test_a_slow_source_is_never_run_twice_at_once(
    living: Services, platform: type[Scripted]
) -> None:
    a_source(living)
    inside, most, release = 0, 0, threading.Event()
    lock = threading.Lock()

    def slow() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        release.wait(10)
        with lock:
            inside -= 1

    platform.between = staticmethod(slow)
    platform.script = [[Batch([], {"at": i})] for i in range(5)]
    first, second = Worker(living), Worker(living)
    first.start()
    second.start()
    try:
        wait_for(lambda: inside == 1)
        time.sleep(2.5)  # several ticks pass while it runs
        assert most == 1
        assert len(platform.asked) == 1
    finally:
        release.set()
        first.stop()
        second.stop()


def test_only_the_holder_of_the_lease_schedules_and_gives_it_back(
    living: Services, platform: type[Scripted]
) -> None:
    a_source(living)
    worker = Worker(living)
    assert worker.schedule_sources() == 1
    with living.store.read() as session:
        lease = session.get_one(Lease, jobs.LEASE)
        assert lease.holder == worker.holder.name
        assert lease.expires_at > living.clock.now()
    wait_for(lambda: count(living, SourceRun) == 1)
    worker._scheduler.start(paused=True)
    worker.stop()
    with living.store.read() as session:
        assert session.get_one(Lease, jobs.LEASE).expires_at <= living.clock.now()


def test_no_more_sources_run_at_once_than_were_set(
    living: Services, platform: type[Scripted]
) -> None:
    for i in range(5):
        a_source(living, f"s{i}", interval=3600)
    release = threading.Event()
    platform.between = staticmethod(lambda: release.wait(20))
    platform.script = [[Batch([], {"at": i})] for i in range(5)]
    worker = Worker(living)
    assert worker.schedule_sources() == 2
    assert worker.schedule_sources() == 0
    release.set()

    def next_two() -> bool:
        worker.schedule_sources()
        return count(living, SourceRun) == 5

    wait_for(next_two)
    worker._scheduler.start(paused=True)
    worker.stop()


def test_a_stage_that_fails_is_tried_again_at_its_next_tick(
    living: Services, platform: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EVERY, "triage", 1)
    calls: list[int] = []

    def fail(_self: object) -> int:
        calls.append(1)
        raise RuntimeError("odd")

    monkeypatch.setattr("service.pipeline.Pipeline.triage", fail)
    worker = Worker(living)
    worker.start()
    try:
        wait_for(lambda: len(calls) >= 2)
    finally:
        worker.stop()


def test_ticks_are_merged_jittered_and_never_overlap(living: Services) -> None:
    worker = Worker(living)
    for job in worker._scheduler.get_jobs():
        assert job.id in EVERY
    worker._scheduler.start(paused=True)
    try:
        for job in worker._scheduler.get_jobs():
            assert (job.coalesce, job.max_instances, job.misfire_grace_time) == (True, 1, 30)
            if EVERY[job.id] > 1:
                assert job.trigger.jitter == pytest.approx(EVERY[job.id] * 0.1)
    finally:
        worker.stop()


def test_a_worker_process_ends_gracefully_when_it_is_asked_to(
    sqlite_store: Store, tmp_path: Path
) -> None:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GROUNDSWELL_")},
        "GROUNDSWELL_DATA_DIR": str(tmp_path),
        "GROUNDSWELL_LOG_FORMAT": "json",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "worker"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert "worker started" in first
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "worker stopped" in rest
    assert "Traceback" not in rest
