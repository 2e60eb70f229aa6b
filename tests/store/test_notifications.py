"""Targets and what is kept of their deliveries."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from store.database import Store
from store.models import Brand, Incident
from store.notifications import (
    add,
    add_target,
    claim_deliveries,
    deliveries_of,
    finish_delivery,
    targets,
)
from tests.builders import a_brand
from tests.conftest import START


def an_incident(session: Session, brand: int) -> int:
    incident = Incident(
        number="INC-2026-000001", brand_id=brand, level="red", started_at=START,
        detected_at=START, changed_at=START,
    )  # fmt: skip
    session.add(incident)
    session.flush()
    return incident.id


def test_what_was_told_of_an_incident_is_listed_with_its_outcome(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        incident = an_incident(session, brand)
        for name in ("chat", "desk"):
            add_target(session, name=name, kind="apprise", address=b"sealed", now=START)
        add(
            session, key="k", kind="incident", level="red", brand_id=brand, incident_id=incident,
            content={"brand": "Acme"}, now=START,
        )  # fmt: skip
        first, second = claim_deliveries(session, "w", START, 10)
        assert finish_delivery(session, first.id, "w", status="sent", sent_at=START)
        assert finish_delivery(session, second.id, "w", status="failed", error="HTTP 404")
        told = deliveries_of(session, incident)
        assert [(name, status, error) for _, name, status, error in told] == [
            ("chat", "sent", ""), ("desk", "failed", "HTTP 404"),
        ]  # fmt: skip
        assert [target.name for target in targets(session)] == ["chat", "desk"]


def test_removing_a_brand_takes_its_notifications_along(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        incident = an_incident(session, brand)
        add_target(session, name="desk", kind="console", address=None, now=START)
        add(
            session, key="k", kind="incident", level="red", brand_id=brand, incident_id=incident,
            content={}, now=START,
        )  # fmt: skip
        session.delete(session.get_one(Brand, brand))
        session.flush()
        assert claim_deliveries(session, "w", START, 10) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "pigeon"}, "console or apprise"),
        ({"min_level": "purple"}, "blue, yellow"),
        ({"kind": "apprise"}, "needs an address"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused(
    sqlite_store: Store, values: dict[str, str], message: str
) -> None:
    with sqlite_store.write() as session, pytest.raises(ValueError, match=message):
        add_target(
            session, **{"name": "x", "kind": "console", "address": None, "now": START, **values}
        )  # type: ignore[arg-type]
