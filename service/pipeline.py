"""The flow of a mention: collect → assess → watch → triage → deliver.

Each stage takes what is pending from the store and may be run twice, by any number of processes:
slow work (platforms, the model) happens on claimed rows outside any transaction, and what comes of
it is written in one. A stage returns how much it did; 0 means that nothing was pending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import structlog
from sqlalchemy.orm import Session

from crisis.watch import watch_brand
from responder import sla, tickets, triage
from sentiment.base import Assessment
from service import deliver
from service.collect import collect
from service.processes import alive, host_name, worker_name
from service.wiring import Services
from store import claims, rollups, sessions, sources
from store.assessments import Unassessed, claim_unassessed, record_assessments
from store.brands import all_brands

log = structlog.get_logger()


class Pipeline:
    """The stages of one process. Setting ``stopping`` ends every stage after its current batch."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.worker = worker_name()
        self.stopping = threading.Event()

    def collect(self, only: int | None = None) -> int:
        """Run the sources whose time has come, one after the other; returns how many ran."""
        ran = 0
        for source in self._due(only):
            collect(self.services, source, self.worker)
            ran += 1
        return ran

    def assess(self) -> int:
        """Let the model read what waits, live mentions first; returns how many were read."""
        done = 0
        while waiting := self._claim_mentions():
            readings = self.services.model().assess([mention.text for mention in waiting])
            done += self._record(list(zip(waiting, readings, strict=True)))
        return done

    def watch(self) -> int:
        """Close buckets and feed them to the detectors; returns the detections."""
        with self.services.store.read() as session:
            brands = [brand.id for brand in all_brands(session)]
        return sum(self._watch(brand) for brand in brands if not self.stopping.is_set())

    def triage(self) -> int:
        """Open tickets, attach what belongs to them."""
        return self._repeat(
            lambda session: triage.triage_pending(session, self.services.clock.now()).taken
        )

    def deliver(self) -> int:
        """Send replies and notifications."""
        return deliver.replies(self.services, self.worker, self.stopping) + deliver.notifications(
            self.services, self.worker, self.stopping
        )

    def release_dead(self) -> None:
        """Free at once what processes of this host held when they were killed."""
        freed = self.services.store.transact(
            lambda session: claims.release_dead(session, host_name(), alive)
        )
        if freed:
            log.warning("claims of dead processes released", processes=freed)

    def upkeep(self) -> int:
        """What time itself brings: breached clocks, woken tickets, compaction, ended sessions."""
        self.release_dead()
        store, clock = self.services.store, self.services.clock
        done = self._repeat(lambda session: len(tickets.wake_due(session, clock.now())))
        done += self._repeat(lambda session: len(sla.mark_breaches(session, clock.now())))
        done += self._repeat(lambda session: tickets.age_priorities(session, clock.now()))
        done += self._repeat(lambda session: rollups.compact(session, clock.now()))
        store.transact(lambda session: sources.forget_old_runs(session, clock.now()))
        store.transact(lambda session: sessions.forget_old(session, clock.now()))
        return done

    def run_until_idle(self) -> None:
        """Every stage until nothing is pending."""
        self.release_dead()
        self.collect()
        while not self.stopping.is_set():
            done = self.assess() + self.watch() + self.triage() + self.deliver() + self.upkeep()
            if not done:
                break

    def _claim_mentions(self) -> list[Unassessed]:
        if self.stopping.is_set():
            return []
        now, batch = self.services.clock.now(), self.services.settings.scoring_batch
        return self.services.store.transact(
            lambda session: claim_unassessed(session, self.worker, now, batch)
        )

    def _record(self, readings: list[tuple[Unassessed, Assessment]]) -> int:
        return self.services.store.transact(
            lambda session: record_assessments(session, readings, self.services.clock.now())
        )

    def _watch(self, brand: int) -> int:
        found = 0
        while not self.stopping.is_set():
            now, settle = self.services.clock.now(), self.services.settings.settle
            result = self.services.store.transact(
                lambda session, now=now, settle=settle: watch_brand(  # type: ignore[misc]
                    session, brand, now, settle=settle
                )
            )
            found += len(result.detections)
            if not result.more:
                break
        return found

    def _due(self, only: int | None) -> Iterator[sources.ClaimedSource]:
        """Each due source once, claimed right before it runs."""
        seen: list[int] = []
        while not self.stopping.is_set():
            due = self.services.store.transact(
                lambda session: sources.claim_due(
                    session,
                    self.worker,
                    self.services.clock.now(),
                    limit=1,
                    only=only,
                    leave=seen,
                )
            )
            if not due:
                break
            seen.append(due[0].id)
            yield due[0]

    def _repeat(self, work: Callable[[Session], int]) -> int:
        total = 0
        while not self.stopping.is_set():
            done = self.services.store.transact(work)
            total += done
            if not done:
                break
        return total
