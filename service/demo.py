"""Brands that are played, not heard: the demo to look at, and drills to practise on.

Both are invented streams (``listeners.scenarios``) that flow through the real pipeline on brands of
their own realm, so that they stay out of real figures and can be removed without a trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from listeners.demo import SPEED
from listeners.scenarios import scenario
from listeners.scenarios.plan import ScenarioBrand
from responder import sla
from responder.drafts import add_starter_set
from service.wiring import Services
from store import audit, brands, notifications, sources
from store.models import Brand, Source
from store.search import fold

log = structlog.get_logger()

DEMO_SCENARIO = "coffee"
DRILL_SCENARIOS = ("recall", "outage")
DRILL_PREFIX = "DRILL "
EVERY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Played:
    """A scenario that runs on this database. ``source_ids`` feed it, ``brand_ids`` are its own."""

    scenario: str
    started_at: datetime
    brand_ids: list[int]
    source_ids: list[int]


def first_things(services: Services) -> None:
    """What every installation has from its start: service levels, wording, the console target."""
    now = services.clock.now()

    def work(session: Session) -> None:
        sla.ensure_defaults(session)
        add_starter_set(session, now)
        if not notifications.targets(session):
            notifications.add_target(session, name="Console", kind="console", address=None, now=now)

    services.store.transact(work)


def seed(services: Services) -> Played | None:
    """Begin the demo on a database that has no brand yet; otherwise nothing happens."""
    with services.store.read() as session:
        if session.scalar(select(Brand.id).limit(1)) is not None:
            return None
    return play(services, DEMO_SCENARIO, realm="demo")


def play(
    services: Services,
    name: str,
    *,
    realm: str,
    speed: float = SPEED,
    prefix: str = "",
    user_id: int | None = None,
) -> Played:
    """Begin a scenario now, on brands of ``realm`` whose names begin with ``prefix``.

    Raises LookupError when it runs already.
    """
    now = services.clock.now()
    plan = scenario(name, now)

    def work(session: Session) -> Played:
        brand_ids, source_ids = [], []
        for part in plan.brands:
            title = f"{prefix}{part.name}"
            if brands.find_brand(session, title) is not None:
                raise LookupError(
                    f"{title} is there already. Remove it first: groundswell drill --remove"
                )
            brand = _brand(part, title, realm, now)
            session.add(brand)
            session.flush()
            source = Source(
                name=f"{title} ({realm})",
                connector="demo",
                brand_id=brand.id,
                config={
                    "scenario": name,
                    "brand": part.key,
                    "started_at": now.isoformat(),
                    "live_since": plan.crisis_begins_at.isoformat(),
                    "speed": speed,
                },
                interval_seconds=EVERY_SECONDS,
                next_run_at=now,
                created_at=now,
            )
            session.add(source)
            session.flush()
            brand_ids.append(brand.id)
            source_ids.append(source.id)
        audit.record(
            session,
            at=now,
            user_id=user_id,
            action=f"{realm}.started",
            object_type="brand",
            object_id=brand_ids[0],
            detail={"scenario": name},
        )
        return Played(name, now, brand_ids, source_ids)

    played = services.store.transact(work)
    log.info("scenario begins", scenario=name, realm=realm)
    return played


def _brand(part: ScenarioBrand, title: str, realm: str, now: datetime) -> Brand:
    return Brand(
        name=title,
        kind=part.kind,
        realm=realm,
        time_zone=part.time_zone,
        handles=part.handles,
        created_at=now,
    )


def remove(services: Services, realm: str, user_id: int | None = None) -> int:
    """Remove all brands of a realm (demo or drill) with everything on them; returns how many.

    Their sources are stopped first, so that nothing flows in meanwhile. What stays is one audit
    event.
    """
    if realm not in {"demo", "drill"}:
        raise ValueError(f"brands of realm {realm!r} are not removed like this")
    with services.store.read() as session:
        ids = list(session.scalars(select(Brand.id).where(Brand.realm == realm)))
        running = list(session.scalars(select(Source.id).where(Source.brand_id.in_(ids))))

    def stop(session: Session) -> None:
        for source_id in running:
            sources.pause(session, source_id)

    services.store.transact(stop)
    for brand_id in ids:
        services.store.transact(lambda session, key=brand_id: brands.remove_brand(session, key))  # type: ignore[misc]
    if ids:
        now = services.clock.now()
        services.store.transact(
            lambda session: audit.record(
                session,
                at=now,
                user_id=user_id,
                action=f"{realm}.removed",
                object_type="brand",
                detail={"brands": len(ids)},
            )
        )
    return len(ids)


def find_drill(text: str) -> str:
    """The drill scenario somebody means. Raises LookupError, which names those there are."""
    for name in DRILL_SCENARIOS:
        if fold(name) == fold(text):
            return name
    raise LookupError(f"There is no drill {text!r}. Choose one of: {', '.join(DRILL_SCENARIOS)}.")
