"""The collect stage: one run of one source."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from listeners.base import ListenerError
from query.match import BrandMatcher, QueryError, compile_query
from service.wiring import Services
from store import sources
from store.brands import active_queries
from store.database import WRITE_BATCH
from store.ingest import BrandHit, Incoming, Ingested, ingest
from store.posts import Batch, Post
from store.sources import ClaimedSource, RunResult

log = structlog.get_logger()

JITTER = 0.1
FIRST_LOOK_BACK = timedelta(days=1)
"""Posts older than this when a source is added are history: counted, but no tickets."""


@dataclass(frozen=True, slots=True)
class Router:
    """Decides which brands a post concerns.

    A source that belongs to a brand gives it every post (its config says ``"route": "all"``, the
    rule for accounts and mailboxes) or only those that a query of the brand finds (``"queries"``,
    the rule for feeds). Every other brand whose query finds the post gets it too.
    """

    matcher: BrandMatcher

    @classmethod
    def open(cls, session: Session) -> Router:
        """Read the active queries. One that cannot be understood finds nothing."""
        compiled = []
        for query in active_queries(session):
            try:
                compiled.append((query.brand_id, query.query_id, compile_query(query.text)))
            except QueryError as error:
                log.warning("query is not understood", query=query.query_id, column=error.column)
        return cls(BrandMatcher(compiled))

    def brands(self, post: Post, source: ClaimedSource) -> list[BrandHit]:
        """The brands of a post; none when it concerns nobody."""
        words = f"{post.title}\n{post.text}"
        searched = [] if source.connector == "demo" else self.matcher.brands_of(words)
        found = {hit.brand_id: BrandHit(hit.brand_id, hit.query_id) for hit in searched}
        route = source.config.get("route", "queries" if source.connector == "rss" else "all")
        if source.brand_id is not None and route == "all":
            found.setdefault(source.brand_id, BrandHit(source.brand_id))
        return list(found.values())


def live_since(source: ClaimedSource) -> datetime:
    """From when on posts of a source are live; what is older is history."""
    given = source.config.get("live_since")
    return datetime.fromisoformat(given) if given else source.created_at - FIRST_LOOK_BACK


def collect(services: Services, source: ClaimedSource, worker: str) -> RunResult:
    """Run a claimed source to its end and write down how it went."""
    started = structlog.contextvars.bind_contextvars(source=source.id)
    try:
        result = _run(services, source, worker)
    finally:
        structlog.contextvars.reset_contextvars(**started)
    jitter = 1 + random.uniform(-JITTER, JITTER)
    services.store.transact(
        lambda session: sources.finish_run(
            session, source, worker, services.clock.now(), result, jitter
        )
    )
    quiet = result.outcome == "ok" and not result.added
    (log.debug if quiet else log.info)(
        "source ran",
        source=source.id,
        connector=source.connector,
        outcome=result.outcome,
        seen=result.seen,
        added=result.added,
    )
    return result


def _run(services: Services, source: ClaimedSource, worker: str) -> RunResult:
    with services.store.read() as session:
        router = Router.open(session)
        spent = sources.over_budget(session, source.id, services.clock.now())
    if spent:
        return RunResult(
            "limited",
            message="The budget of this month is spent. Raise it, or wait for the next month.",
            next_in=timedelta(hours=6),
        )
    seen, total = 0, Ingested()
    message: str | None = None
    try:
        listener = services.listener(source.connector, source.config, source.secrets)
        try:
            for batch in listener.fetch(source.cursor):
                seen += len(batch.posts)
                message = batch.message or message
                stored, go_on = _store(services, source, worker, router, batch)
                total += stored
                if not go_on:
                    break
        finally:
            listener.close()
    except ListenerError as error:
        outcome = "limited" if error.limited else "paused" if error.permanent else "failed"
        return RunResult(outcome, seen, total.added, str(error), error.retry_after)
    except Exception:
        # A connector that trips over an answer nobody foresaw must not stop the others.
        log.exception("source failed in a way its connector does not know")
        return RunResult(
            "failed",
            seen,
            total.added,
            "This source gave an answer that could not be read. It is tried again by itself; "
            "the log has the details.",
        )
    return RunResult("ok", seen, total.added, message)


def _store(
    services: Services, source: ClaimedSource, worker: str, router: Router, batch: Batch
) -> tuple[Ingested, bool]:
    """Store a batch with its cursor; a long one in parts, of which the last carries the cursor."""
    total, go_on = Ingested(), True
    since = live_since(source)
    parts = list(_parts(batch))
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        incoming = [
            Incoming(post, brands) for post in part if (brands := router.brands(post, source))
        ]
        live = [item for item in incoming if _is_live(item.post, since)]
        history = [item for item in incoming if not _is_live(item.post, since)]
        now = services.clock.now()

        def work(
            session: Session,
            last: bool = last,
            live: list[Incoming] = live,
            history: list[Incoming] = history,
            now: datetime = now,
        ) -> tuple[Ingested, bool]:
            stored = ingest(session, history, live=False, now=now, source_id=source.id)
            stored += ingest(
                session,
                live,
                live=True,
                now=now,
                source_id=source.id,
                removals=batch.removals if last else (),
            )
            return stored, sources.save_progress(
                session,
                source,
                worker,
                now,
                cursor=batch.cursor if last else None,
                covered_until=batch.covered_until if last else None,
                cost_usd=batch.cost_usd if last else 0.0,
            )

        stored, go_on = services.store.transact(work)
        total += stored
        if not go_on:
            break
    return total, go_on


def _is_live(post: Post, since: datetime) -> bool:
    """Old posts are history, and so are those fetched only to show what a reply is about."""
    return post.posted_at >= since and not post.channel_ref.get("context")


def _parts(batch: Batch) -> Iterator[Sequence[Post]]:
    for at in range(0, max(1, len(batch.posts)), WRITE_BATCH):
        yield batch.posts[at : at + WRITE_BATCH]
