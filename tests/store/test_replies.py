"""Rows of replies: which are due, and the mention that a sent one becomes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from responder import replies
from store import replies as rows
from store.clock import SetClock
from store.database import Store
from store.models import Mention, MentionBrand, Reply
from tests.responder.world import World


@pytest.fixture
def world(store: Store, clock: SetClock) -> World:
    made = World(store, clock)
    made.brand("Acme")
    made.post("p1")
    made.triage()
    return made


def write(world: World, body: str, **values: object) -> int:
    with world.store.write() as session:
        reply = replies.compose(
            session, world.ticket().id, world.mention("p1"), body, None, world.now, "fake"
        )
        for name, value in values.items():
            setattr(reply, name, value)
        return reply.id


def test_due_are_those_whose_time_has_come_the_longest_waiting_first(world: World) -> None:
    minute = timedelta(minutes=1)
    late = write(world, "late", next_attempt_at=world.now - minute)
    later = write(world, "later", next_attempt_at=world.now - 3 * minute)
    write(world, "future", next_attempt_at=world.now + minute)
    lost = write(
        world, "lost", status="sending", claim_expires_at=world.now,
        next_attempt_at=world.now - 5 * minute,
    )  # fmt: skip
    write(world, "busy", status="sending", claim_expires_at=world.now + minute)
    for status in ("draft", "in_review", "sent", "failed", "uncertain", "by_hand"):
        write(world, status, status=status, next_attempt_at=world.now - minute)
    with world.store.write() as session:
        assert [reply.id for reply in rows.due(session, world.now, 10)] == [lost, later, late]
        assert [reply.id for reply in rows.due(session, world.now, 1)] == [lost]


def test_a_reply_that_another_worker_holds_is_passed_over(
    postgres_store: Store, clock: SetClock
) -> None:
    world = World(postgres_store, clock)
    world.brand("Acme")
    world.post("p1")
    world.triage()
    first = write(world, "one", next_attempt_at=world.now)
    second = write(world, "two", next_attempt_at=world.now)
    with world.store.write() as holder:
        assert [reply.id for reply in rows.due(holder, world.now, 1)] == [first]
        with world.store.write() as other:
            assert [reply.id for reply in rows.due(other, world.now, 10)] == [second]


def test_the_mention_of_a_sent_reply_is_made_once_and_in_the_same_conversation(
    world: World,
) -> None:
    reply_id = write(world, "Sorry!")
    ids = []
    for _ in range(2):
        with world.store.write() as session:
            ids.append(
                rows.store_outbound(
                    session, session.get_one(Reply, reply_id), namespace="mail", external_id="r1",
                    url="https://x.example/r1", brand_id=world.brands["Acme"], now=world.now,
                )
            )  # fmt: skip
    assert ids[0] == ids[1]
    with world.store.read() as session:
        made = session.get_one(Mention, ids[0])
        question = session.get_one(Mention, world.mention("p1"))
        links = session.scalar(select(func.count()).where(MentionBrand.mention_id == ids[0]))
    assert (made.conversation_id, made.in_reply_to, made.namespace, made.direction) == (
        question.conversation_id, "p1", "mail", "outbound",
    )  # fmt: skip
    assert links == 1


def test_a_collected_post_becomes_the_replys_mention_and_is_triaged_no_more(
    world: World,
) -> None:
    reply_id = write(world, "Sorry!")
    collected = world.post("r1", "Sorry!", direction="outbound", author="acme", thread="p1")
    with world.store.write() as session:
        found = rows.store_outbound(
            session, session.get_one(Reply, reply_id), namespace="", external_id="r1", url=None,
            brand_id=world.brands["Acme"], now=world.now,
        )  # fmt: skip
    assert found == collected
    with world.store.read() as session:
        assert session.get_one(Mention, collected).triaged_at == world.now


def test_the_customers_last_post_opens_the_reply_window_not_a_bystanders(world: World) -> None:
    first = world.now
    world.later(hours=1)
    world.post("p2", author="dave", thread="p1")
    with world.store.read() as session:
        assert rows.last_inbound_of(session, world.mention("p1")) == first
        assert rows.last_inbound_of(session, world.mention("p2")) == world.now


def test_only_a_mention_of_a_conversation_the_ticket_has_now_belongs_to_it(world: World) -> None:
    from store.models import TicketConversation

    ticket_id, mention_id = world.ticket().id, world.mention("p1")
    with world.store.write() as session:
        assert rows.belongs_to_ticket(session, mention_id, ticket_id)
        session.execute(update(TicketConversation).values(active=False))
        assert not rows.belongs_to_ticket(session, mention_id, ticket_id)
