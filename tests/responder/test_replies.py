"""Writing a reply: what is allowed, and who was quicker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from responder import replies, tickets
from responder.channels.base import ReplyRules
from responder.errors import Collision, ReplyRefused, TicketError
from responder.lengths import length
from store.ingest import ingest
from store.models import AuditEvent, Reply
from store.posts import Removal
from tests.responder.world import World


@pytest.fixture
def ann(world: World) -> int:
    world.post("p1")
    world.triage()
    return world.person("Ann")


def compose(world: World, user_id: int | None, body: str = "Sorry!", **options: object) -> Reply:
    return world.store.transact(
        lambda session: replies.compose(
            session, world.tickets()[0].id, world.mention("p1"), body, user_id, world.now,
            options.pop("channel", "fake"),  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )
    )  # fmt: skip


def count_replies(world: World) -> int:
    with world.store.read() as session:
        return session.scalar(select(func.count(Reply.id))) or 0


def test_a_reply_is_approved_waits_for_undo_and_takes_the_ticket(world: World, ann: int) -> None:
    reply = compose(world, ann, "  Sorry!\n")
    assert (reply.body, reply.status, reply.channel) == ("Sorry!", "approved", "fake")
    assert reply.next_attempt_at == world.now + timedelta(seconds=5)
    assert world.ticket().assignee_id == ann
    assert world.events() == ["opened", "assigned", "reply_written"]
    with world.store.read() as session:
        details = session.scalars(select(AuditEvent.detail).order_by(AuditEvent.id)).all()
    assert details[-1] == {"reply_id": reply.id}


def test_a_double_click_is_one_reply(world: World, ann: int) -> None:
    first = compose(world, ann)
    assert compose(world, ann).id == first.id
    world.later(minutes=2)
    assert compose(world, ann).id != first.id


def test_a_repeated_key_gives_the_same_reply(world: World, ann: int) -> None:
    first = compose(world, ann, key="form-1")
    world.later(hours=1)
    assert compose(world, ann, "Something else", key="form-1").id == first.id
    assert count_replies(world) == 1


def test_a_key_of_a_reply_that_was_taken_back_sends_the_new_words(world: World, ann: int) -> None:
    first = compose(world, ann, key="form-1")
    world.store.transact(lambda s: replies.cancel(s, first.id, ann, world.now))
    again = compose(world, ann, "Better words", key="form-1")
    assert (again.id != first.id, again.body, again.status) == (True, "Better words", "approved")


def test_a_key_of_somebody_else_swallows_no_reply(world: World, ann: int) -> None:
    bob = world.person("Bob")
    first = compose(world, ann, key="form-1")
    other = compose(world, bob, "Mine", key="form-1")
    assert (other.id != first.id, other.user_id, other.status) == (True, bob, "approved")


def test_a_colleagues_answer_since_one_looked_is_a_collision(world: World, ann: int) -> None:
    bob = world.person("Bob")
    looked = world.now
    world.later(seconds=30)
    compose(world, ann)
    world.later(seconds=30)
    with pytest.raises(Collision, match="Ann answered this ticket meanwhile") as caught:
        compose(world, bob, "Hello", seen_at=looked)
    assert caught.value.user_id == ann
    assert count_replies(world) == 1
    assert compose(world, bob, "Hello", seen_at=world.now).status == "approved"


def test_an_undone_reply_of_a_colleague_is_no_collision(world: World, ann: int) -> None:
    bob = world.person("Bob")
    looked = world.now
    world.later(seconds=2)
    undone = compose(world, ann)
    world.store.transact(lambda s: replies.cancel(s, undone.id, ann, world.now))
    assert compose(world, bob, seen_at=looked).status == "approved"


def test_a_reply_to_a_ticket_that_was_just_resolved_is_stopped(world: World, ann: int) -> None:
    world.store.transact(lambda s: tickets.resolve(s, world.ticket().id, None, world.now))
    with pytest.raises(Collision, match="was resolved meanwhile"):
        compose(world, ann)
    assert count_replies(world) == 0
    compose(world, ann, reopen=True)
    assert world.ticket().status == "open"
    assert "reopened" in world.events()


def test_a_resolve_that_one_has_not_seen_is_a_collision_even_for_who_would_reopen(
    world: World, ann: int
) -> None:
    looked = world.now
    world.later(seconds=10)
    world.store.transact(lambda s: tickets.resolve(s, world.ticket().id, None, world.now))
    with pytest.raises(Collision, match="was resolved meanwhile") as caught:
        compose(world, ann, reopen=True, seen_at=looked)
    assert caught.value.when == world.now
    assert compose(world, ann, reopen=True, seen_at=world.now).status == "approved"


@pytest.mark.parametrize(
    ("body", "rules", "message"),
    [
        ("   ", None, "The reply is empty."),
        ("款" * 281, ReplyRules(max_length=280), "1 characters too long: bluesky takes 280"),
        ("😀" * 6, ReplyRules(max_length=10, counts="utf16"), "2 characters too long"),
        ("x" * 100_001, None, "1 characters too long"),
    ],
)
def test_words_that_do_not_fit_are_refused_before_they_are_saved(
    world: World, ann: int, body: str, rules: ReplyRules | None, message: str
) -> None:
    with pytest.raises(ReplyRefused) as caught:
        compose(world, ann, body, rules=rules)
    assert message in str(caught.value)
    assert count_replies(world) == 0


def test_families_count_as_one_where_the_platform_counts_graphemes() -> None:
    family = "👨‍👩‍👧‍👦"
    assert [length(family, how) for how in ("graphemes", "characters", "utf16")] == [1, 7, 11]


def test_a_closed_reply_window_is_said_and_opens_when_the_customer_writes(
    world: World, ann: int
) -> None:
    rules = ReplyRules(window=timedelta(hours=48))
    world.later(hours=47)
    assert compose(world, ann, "In time", rules=rules).status == "approved"
    world.later(hours=2)
    with pytest.raises(ReplyRefused, match="until 2026-03-04 09:00 UTC, which has passed"):
        compose(world, ann, "Too late", rules=rules)
    world.post("p2", thread="p1")
    assert compose(world, ann, "In time again", rules=rules).status == "approved"


@pytest.mark.parametrize(
    "options", [{"channel": None}, {"rules": ReplyRules(can_reply=False, max_length=3)}]
)
def test_without_a_way_out_the_reply_is_given_by_hand(
    world: World, ann: int, options: dict[str, object]
) -> None:
    reply = compose(world, ann, **options)
    assert (reply.status, reply.url) == ("by_hand", "https://social.example/p1")
    assert reply.next_attempt_at is None


def test_a_reply_by_hand_may_be_given_up_and_its_text_stays(world: World, ann: int) -> None:
    reply = compose(world, ann, channel=None)
    world.store.transact(lambda s: replies.discard(s, reply.id, ann, world.now))
    with world.store.read() as session:
        kept = session.get_one(Reply, reply.id)
    assert (kept.status, kept.body) == ("draft", "Sorry!")
    with pytest.raises(Collision, match="is draft now"):
        world.store.transact(lambda s: replies.mark_arrived(s, reply.id, ann, world.now))


def test_a_post_of_another_ticket_or_a_deleted_one_cannot_be_answered(
    world: World, ann: int
) -> None:
    other = world.post("q1", author="dave")
    world.triage()
    with pytest.raises(ReplyRefused, match="not part of the ticket"):
        world.store.transact(
            lambda s: replies.compose(s, world.tickets()[0].id, other, "Hi", ann, world.now, "fake")
        )
    with world.store.write() as session:
        ingest(session, [], live=True, now=world.now, removals=[Removal("bluesky", "p1")])
    with pytest.raises(ReplyRefused, match="was deleted"):
        compose(world, ann)


def test_a_ticket_or_reply_that_is_gone_says_what_to_do(world: World, ann: int) -> None:
    with pytest.raises(TicketError, match="Go back to the inbox"):
        world.store.transact(
            lambda s: replies.compose(s, 999, world.mention("p1"), "Hi", ann, world.now, "fake")
        )
    with pytest.raises(ReplyRefused, match="Reload the ticket"):
        world.store.transact(lambda s: replies.retry(s, 999, ann, world.now))


def test_only_the_right_state_can_be_decided(world: World, ann: int) -> None:
    reply = compose(world, ann)
    for decide in (replies.mark_arrived, replies.send_again, replies.retry, replies.discard):
        with pytest.raises(Collision, match="is approved now"):
            world.store.transact(lambda s, do=decide: do(s, reply.id, ann, world.now))
    with world.store.write() as session:
        session.execute(update(Reply).values(status="uncertain", attempts=3))
    again = world.store.transact(lambda s: replies.send_again(s, reply.id, ann, world.now))
    assert (again.status, again.attempts, again.next_attempt_at) == ("approved", 0, world.now)
