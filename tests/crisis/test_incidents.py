"""What people do with incidents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crisis.incidents import (
    IncidentError,
    acknowledge,
    add_note,
    change_status,
    close,
    escalate_mention,
)
from crisis.levels import Wave, assess
from crisis.lifecycle import open_incident, take_in
from store import incidents
from store.database import Store
from store.models import AuditEvent, Brand, Incident, Mention, Notification, User
from tests.builders import a_brand, a_post
from tests.builders import take_in as ingest
from tests.conftest import START

NOW = START + timedelta(hours=1)
WAVE = Wave(60, 9, 30, 2, 60, 45, 0.15, 5.0)
SUMMARY = {"metric": "negative", "finding": "surge", "since": START.isoformat()}


def a_user(session: Any) -> int:
    user = User(email="pr@acme.example", role="manager", password_hash="x", created_at=START)
    session.add(user)
    session.flush()
    return user.id


def an_incident(session: Any, brand: int) -> int:
    made = open_incident(
        session, session.get_one(Brand, brand), assess(WAVE), SUMMARY, started_at=START, now=NOW
    )
    return made.id


def test_an_incident_is_led_to_its_end_and_every_step_is_on_record(store: Store) -> None:
    with store.write() as session:
        user, brand = a_user(session), a_brand(session)
        one = an_incident(session, brand)
        acknowledge(session, one, user, NOW)
        change_status(session, one, "contained", user, NOW + timedelta(minutes=10))
        add_note(session, one, "  statement is out ", user, NOW + timedelta(minutes=11))
        change_status(session, one, "recovering", user, NOW + timedelta(hours=2))
        close(session, one, "crisis", user, NOW + timedelta(hours=3), note="well done")
    with store.read() as session:
        incident = session.get_one(Incident, one)
        assert (incident.status, incident.verdict) == ("closed", "crisis")
        assert (incident.acknowledged_at, incident.acknowledged_by) == (NOW, user)
        assert incident.closed_at == incident.changed_at == NOW + timedelta(hours=3)
        lines = incidents.timeline(session, one)
        assert [line.kind for line in lines] == [
            "opened", "acknowledged", "status", "note", "status", "note", "closed",
        ]  # fmt: skip
        assert lines[3].detail == {"text": "statement is out"}
        assert lines[0].who == ""
        assert {line.who for line in lines[1:]} == {"pr@acme.example"}
        audit = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        assert [event.action for event in audit] == [
            f"incident.{kind}"
            for kind in ("acknowledged", "status", "note", "status", "note", "closed")
        ]
        assert {event.object_id for event in audit} == {incident.number}
        assert "statement" not in str([event.detail for event in audit])


@pytest.mark.parametrize(
    ("steps", "wrong", "message"),
    [
        ([], ("status", "recovering"), "is open now; that step"),
        ([], ("status", "closed"), "with a verdict"),
        ([("acknowledge",)], ("acknowledge",), "already"),
        ([("close", "not_a_crisis")], ("acknowledge",), "is closed and stays so"),
        ([("close", "crisis")], ("close", "crisis"), "is closed and stays so"),
        ([], ("close", "maybe"), "A verdict is"),
        ([], ("note", "   "), "needs some text"),
        ([], ("note", "x" * 4001), "4000 characters"),
    ],
)
def test_a_wrong_step_is_refused_with_a_reason(
    sqlite_store: Store, steps: list[tuple[str, ...]], wrong: tuple[str, ...], message: str
) -> None:
    def do(session: Any, one: int, user: int, what: str, *how: str) -> None:
        if what == "acknowledge":
            acknowledge(session, one, user, NOW)
        elif what == "status":
            change_status(session, one, how[0], user, NOW)
        elif what == "note":
            add_note(session, one, how[0], user, NOW)
        else:
            close(session, one, how[0], user, NOW)

    with sqlite_store.write() as session:
        user, brand = a_user(session), a_brand(session)
        one = an_incident(session, brand)
        for step in steps:
            do(session, one, user, *step)
        with pytest.raises(IncidentError, match=message):
            do(session, one, user, *wrong)


def test_an_incident_that_is_gone_is_refused(sqlite_store: Store) -> None:
    with sqlite_store.write() as session, pytest.raises(IncidentError, match="not there"):
        acknowledge(session, 99, a_user(session), NOW)


def test_a_person_raises_the_alarm_over_one_mention(store: Store) -> None:
    with store.write() as session:
        user, brand = a_user(session), a_brand(session)
        ingest(session, [a_post("1", "it exploded"), a_post("2", "again", author="bob")], brand)
        first, second = session.scalars(select(Mention.id).order_by(Mention.id)).all()
        opened = escalate_mention(session, first, brand, "yellow", user, NOW, note="call them")
        joined = escalate_mention(session, second, brand, "red", user, NOW)
        lower = escalate_mention(session, first, brand, "blue", user, NOW)
        assert opened.id == joined.id == lower.id
    with store.read() as session:
        (incident,) = session.scalars(select(Incident)).all()
        assert incident.level == "red"
        assert incident.started_at == START - timedelta(minutes=1)
        assert incident.reasons[0] == {"key": "by_hand"}
        posts = incidents.top_posts(session, incident.id)
        assert [(post.mention.id, post.why) for post in posts] == [
            (first, "by_hand"), (second, "by_hand"),
        ]  # fmt: skip
        keys = session.scalars(select(Notification.key).order_by(Notification.id)).all()
        assert keys == [f"incident:{incident.id}:yellow", f"incident:{incident.id}:red"]
        assert session.scalars(select(AuditEvent.action).distinct()).all() == [
            "incident.by_hand", "incident.note",
        ]  # fmt: skip


def test_a_mention_of_another_brand_or_an_unknown_level_is_refused(sqlite_store: Store) -> None:
    with sqlite_store.write() as session:
        user, mine, other = a_user(session), a_brand(session), a_brand(session, "Other")
        ingest(session, [a_post("1")], other)
        mention = session.scalars(select(Mention.id)).one()
        with pytest.raises(IncidentError, match="does not belong"):
            escalate_mention(session, mention, mine, "red", user, NOW)
        with pytest.raises(IncidentError, match="A level is one of"):
            escalate_mention(session, mention, other, "purple", user, NOW)


def test_posts_chosen_by_hand_stay_when_the_machine_chooses_anew(store: Store) -> None:
    with store.write() as session:
        user, brand = a_user(session), a_brand(session)
        ingest(session, [a_post(str(n), f"text {n}", author=str(n)) for n in range(4)], brand)
        ids = session.scalars(select(Mention.id).order_by(Mention.id)).all()
        one = escalate_mention(session, ids[3], brand, "yellow", user, NOW).id
        for posts in ([ids[0], ids[1]], [ids[3], ids[2]]):
            incidents.set_top_posts(session, one, [(mention, "typical") for mention in posts])
        found = [(post.mention.id, post.why) for post in incidents.top_posts(session, one)]
        assert found == [(ids[3], "by_hand"), (ids[2], "typical")]


def test_a_level_rises_at_once_and_is_told_once(store: Store) -> None:
    with store.write() as session:
        brand = session.get_one(Brand, a_brand(session))
        small = assess(Wave(18, 9, 4, 1, 18, 15, 0.15, 2.0))
        large = assess(Wave(160, 9, 100, 8, 150, 120, 0.15, 30.0))
        incident = open_incident(session, brand, small, SUMMARY, started_at=START, now=NOW)
        assert incident.level == "blue"
        assert take_in(session, brand, incident, large, SUMMARY, now=NOW)
        assert not take_in(session, brand, incident, large, SUMMARY, now=NOW)
        assert not take_in(session, brand, incident, small, SUMMARY, now=NOW, fired=True)
        assert incident.level == incident.summary["level"] == "red"
        assert incident.summary["number"] == incident.number
        kinds = [line.kind for line in incidents.timeline(session, incident.id)]
        assert kinds == ["opened", "escalated", "continues"]
        keys = session.scalars(select(Notification.key).order_by(Notification.id)).all()
        assert keys == [f"incident:{incident.id}:blue", f"incident:{incident.id}:red"]
