"""What runs when: APScheduler ticks the stages; the truth about sources is in the database.

A tick that comes while the last one still works is left out, late ticks are merged into one. Only
the holder of the lease looks for due sources; every process assesses, triages and delivers.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor as SchedulerPool
from apscheduler.schedulers.background import BackgroundScheduler

from service.collect import collect
from service.pipeline import Pipeline
from service.processes import alive, host_name
from service.wiring import Services
from store import jobs, sources
from store.errors import StoreError

log = structlog.get_logger()

LEASE = "scheduling"
EVERY = {"collect": 1, "assess": 1, "watch": 10, "triage": 2, "deliver": 1, "upkeep": 60}
"""Seconds between the ticks of each stage."""


class Worker:
    """A process that runs the stages until it is stopped."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.pipeline = Pipeline(services)
        self.holder = jobs.Holder(self.pipeline.worker, host_name(), os.getpid())
        self._pool = ThreadPoolExecutor(services.settings.collectors, "collect")
        self._running: set[Future[object]] = set()
        self._lock = threading.Lock()
        self._scheduler = BackgroundScheduler(
            executors={"default": SchedulerPool(len(EVERY))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 30},
            timezone=UTC,
        )
        for stage, seconds in EVERY.items():
            work = self.schedule_sources if stage == "collect" else getattr(self.pipeline, stage)
            self._scheduler.add_job(
                self._guarded(stage, work),
                "interval",
                seconds=seconds,
                jitter=seconds * 0.1 if seconds > 1 else None,
                id=stage,
            )

    def start(self) -> None:
        """Begin to tick; returns at once."""
        self.pipeline.release_dead()
        self._scheduler.start()
        log.info("worker started", worker=self.pipeline.worker)

    def stop(self) -> None:
        """Let what is under way end after its current batch, then return."""
        self.pipeline.stopping.set()
        self._scheduler.shutdown(wait=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        try:
            self.services.store.transact(
                lambda session: jobs.give_up_lease(
                    session, LEASE, self.holder, self.services.clock.now()
                )
            )
        except StoreError:
            log.warning("the lease was not given back; it expires by itself")
        self.services.store.close()
        log.info("worker stopped", worker=self.pipeline.worker)

    def schedule_sources(self) -> int:
        """Claim due sources, as many as there are free threads, and run each in its own."""
        store, clock = self.services.store, self.services.clock
        with self._lock:
            self._running = {run for run in self._running if not run.done()}
            free = self.services.settings.collectors - len(self._running)
        if free <= 0 or not store.transact(
            lambda session: jobs.take_lease(session, LEASE, self.holder, clock.now(), alive)
        ):
            return 0
        due = store.transact(
            lambda session: sources.claim_due(
                session, self.pipeline.worker, clock.now(), limit=free
            )
        )
        with self._lock:
            for source in due:
                self._running.add(
                    self._pool.submit(
                        self._guarded("collect", collect),
                        self.services,
                        source,
                        self.pipeline.worker,
                    )
                )
        return len(due)

    def _guarded(self, stage: str, work: Callable[..., object]) -> Callable[..., object]:
        """A stage that fails once is tried again at its next tick."""

        def run(*arguments: object) -> object:
            if self.pipeline.stopping.is_set():
                return None
            try:
                return work(*arguments)
            except StoreError as error:
                log.error("the database cannot be used", stage=stage, reason=str(error))
            except Exception:
                log.exception("stage failed", stage=stage)
            return None

        return run
