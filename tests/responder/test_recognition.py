"""Posts of our own: replies that the desk sent, and answers given on the platform itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from responder import replies
from store.models import Reply
from tests.responder.world import World


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
