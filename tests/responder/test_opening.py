"""Tickets that a person opens, and two who open one at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from responder import replies, sla
from responder.errors import Collision, TicketError
from responder.opening import open_for
from store import ticket_links as links
from store.models import AuditEvent, Reply, SlaClock, Ticket
from tests.responder.world import Said, World


def open_it(world: World, mention_id: int, brand: str = "Acme", **more: object) -> Ticket:
    return world.store.transact(
        lambda session: open_for(
            session,
            mention_id,
            world.brands[brand],
            None,
            world.now,
            **more,  # type: ignore[arg-type]
        )
    )


def test_a_person_opens_a_ticket_for_what_triage_let_pass(world: World) -> None:
    ann = world.person("Ann")
    mention_id = world.post("p1", "Nice  weather", Said("praise", 0, 0.0), followers=5000)
    world.triage()
    world.later(hours=2)
    ticket = world.store.transact(
        lambda s: open_for(s, mention_id, world.brands["Acme"], ann, world.now, "suggestion")
    )
    assert (ticket.number, ticket.category, ticket.subject) == (
        "GS-2026-000001", "suggestion", "Nice weather",
    )  # fmt: skip
    assert {part["key"] for part in ticket.priority_parts} == {"intent", "followers"}
    with world.store.read() as session:
        clock = session.scalars(select(SlaClock).where(SlaClock.kind == sla.FIRST_RESPONSE)).one()
        audit = session.scalars(select(AuditEvent)).one()
    assert clock.started_at == world.now
    assert (audit.action, audit.user_id, audit.detail["reason"]) == ("ticket.opened", ann, "person")


def test_history_may_be_opened_by_a_person(world: World) -> None:
    mention_id = world.post("old", live=False)
    assert open_it(world, mention_id).category == "complaint"


def test_a_person_cannot_open_what_is_no_case(world: World) -> None:
    world.brand("Rival", kind="competitor")
    ours = world.post("r1", direction="outbound", author="acme")
    theirs = world.post("p1", brands=("Rival",))
    with pytest.raises(TicketError, match="post of our own"):
        open_it(world, ours)
    with pytest.raises(TicketError, match="about a competitor"):
        open_it(world, theirs, "Rival")
    with pytest.raises(TicketError, match="does not belong to this brand"):
        open_it(world, theirs, "Acme")
    mine = world.post("p2", author="dave")
    with pytest.raises(TicketError, match="no class 'gossip'"):
        open_it(world, mine, category="gossip")
    assert world.tickets() == []


def test_a_conversation_that_has_a_ticket_gets_no_second_one(world: World) -> None:
    mention_id = world.post("p1")
    world.triage()
    with pytest.raises(Collision, match=world.ticket().number):
        open_it(world, mention_id)


def test_of_two_who_link_a_conversation_the_second_keeps_nothing(world: World) -> None:
    world.post("p1")
    world.triage()
    first = world.ticket()
    with world.store.write() as session:
        conversation = links.active_conversations(session, first.id)[0]
        second = Ticket(
            number="GS-2026-999999", brand_id=first.brand_id, category="other",
            created_at=world.now, changed_at=world.now, last_inbound_at=world.now,
        )  # fmt: skip
        assert not links.open_ticket(session, second, conversation, world.now)
    with world.store.read() as session:
        assert session.scalar(select(func.count(Ticket.id))) == 1


def test_a_post_without_author_has_no_customer_until_somebody_writes(world: World) -> None:
    world.post("p1", author=None)
    world.triage()
    assert world.ticket().customer_id is None
    world.post("p2", author="carol", thread="p1")
    world.triage()
    customer = world.customer_of("carol")
    assert customer is not None
    assert world.ticket().customer_id == customer.id
    assert world.events() == ["opened", "mention"]


@pytest.mark.parametrize(
    ("status", "values", "text", "counted"),
    [
        ("uncertain", {"platform_key": "3kabc"}, "Quite another text", 1),
        ("sent", {}, "We are on it, promised", 0),
        ("by_hand", {}, "We are on it, promised", 1),
        ("approved", {}, "We are on it, promised", 1),
    ],
)
def test_a_post_of_ours_is_known_as_the_reply_it_is(
    world: World, status: str, values: dict[str, str], text: str, counted: int
) -> None:
    mention_id = world.post("p1")
    world.triage()
    with world.store.write() as session:
        reply = replies.compose(
            session, world.ticket().id, mention_id, "We are on it, promised", None, world.now, "x"
        )
        reply.status, reply.attempts = status, 1
        for name, value in values.items():
            setattr(reply, name, value)
    world.later(minutes=1)
    world.post("at://3kabc", text, direction="outbound", author="acme", thread="p1")
    assert world.triage().answered_by_hand == 0
    with world.store.read() as session:
        kept = session.scalars(select(Reply)).one()
    assert (kept.status, kept.external_id) == ("sent", "at://3kabc")
    assert world.events().count("replied") == counted


def test_two_short_texts_are_not_taken_for_the_same(world: World) -> None:
    mention_id = world.post("p1")
    world.triage()
    with world.store.write() as session:
        reply = replies.compose(session, world.ticket().id, mention_id, "Hi", None, world.now, "x")
        reply.status, reply.attempts = "failed", 1
    world.post("r1", "This is not what we said", direction="outbound", author="acme", thread="p1")
    assert world.triage().answered_by_hand == 1


def test_an_old_post_of_ours_is_no_later_reply(world: World) -> None:
    mention_id = world.post("p1", ago=timedelta(hours=2))
    world.triage()
    with world.store.write() as session:
        reply = replies.compose(
            session, world.ticket().id, mention_id, "We are on it, promised", None, world.now, "x"
        )
        reply.status = "uncertain"
    world.post(
        "r1", "We are on it, promised", direction="outbound", author="acme", thread="p1",
        ago=timedelta(hours=1),
    )  # fmt: skip
    assert world.triage().answered_by_hand == 1
    assert world.ticket().first_replied_at == world.now - timedelta(hours=1)
