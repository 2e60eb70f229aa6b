"""Targets and what is kept of their deliveries."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from store.database import Store
from store.models import Brand, Incident
from store.notifications import (
    SWITCHED_OFF,
    TargetError,
    add,
    add_target,
    claim_deliveries,
    deliveries_of,
    failed_counts,
    finish_delivery,
    last_deliveries,
    remove_target,
    retry_failed,
    set_target_active,
    target_named,
    targets,
    update_target,
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


def told(session: Session, key: str, brand: int, incident: int | None = None) -> None:
    add(
        session, key=key, kind="incident", level="red", brand_id=brand, incident_id=incident,
        content={}, now=START,
    )  # fmt: skip


def test_a_target_is_changed_and_keeps_its_address_unless_a_new_one_is_given(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        desk = add_target(session, name="desk", kind="apprise", address=b"old", now=START)
        values = {"brand_id": brand, "min_level": "red", "language": "zh"}
        update_target(session, desk, name=" Press  desk ", **values)
        row = target_named(session, "PRESS DESK")
        assert row is not None
        assert (row.id, row.name, row.brand_id, row.min_level, row.language, row.address) == (
            desk, "Press desk", brand, "red", "zh", b"old",
        )  # fmt: skip
        update_target(session, desk, name="press desk", **values, address=b"new")
        assert (row.name, row.address) == ("press desk", b"new")
        add_target(session, name="other", kind="console", address=None, now=START)
        for name, reason in (("Other", "taken"), (" ", "empty"), ("x" * 121, "long")):
            with pytest.raises(TargetError) as refused:
                update_target(session, desk, name=name, **values)
            assert refused.value.reason == reason
        assert remove_target(session, desk)
        assert not remove_target(session, desk)
        with pytest.raises(TargetError) as refused:
            update_target(session, desk, name="x", **values)
        assert refused.value.reason == "gone"


def test_what_waits_for_a_target_that_is_switched_off_goes_out_only_on_request(
    store: Store,
) -> None:
    with store.write() as session:
        brand = a_brand(session)
        desk = add_target(session, name="desk", kind="apprise", address=b"sealed", now=START)
        told(session, "first", brand)
        set_target_active(session, desk, False)
        told(session, "second", brand)
        set_target_active(session, desk, True)
        assert claim_deliveries(session, "w", START, 10) == []
        assert failed_counts(session) == {desk: 1}
        assert retry_failed(session, desk, START) == 1
        assert [one.key for one in claim_deliveries(session, "w", START, 10)] == [f"first:{desk}"]


def test_the_last_deliveries_of_a_target_come_newest_first_and_end_at_the_brand(
    store: Store,
) -> None:
    with store.write() as session:
        brand, other = a_brand(session), a_brand(session, "Rival")
        desk = add_target(session, name="desk", kind="apprise", address=b"sealed", now=START)
        told(session, "first", brand, an_incident(session, brand))
        told(session, "theirs", other)
        told(session, "last", brand)
        set_target_active(session, desk, False)
        found = last_deliveries(session, desk, [brand])
        assert [(one.brand, one.incident, one.level, one.status, one.error) for one in found] == [
            ("Acme", "", "red", "failed", SWITCHED_OFF),
            ("Acme", "INC-2026-000001", "red", "failed", SWITCHED_OFF),
        ]
        assert len(last_deliveries(session, desk, [brand, other], limit=1)) == 1


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
