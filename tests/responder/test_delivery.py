"""Replies on their way out: exactly once where the platform can be asked, else a person decides."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from responder import replies, tickets
from responder.channels.base import ReplyRules, SentReply
from responder.delivery import (
    CLAIM_FOR,
    Lost,
    claim_outgoing,
    deliver_one,
    no_channel,
    record,
    save_prepared,
)
from responder.outcomes import MAX_ATTEMPTS, record_sent
from store.models import Mention, MentionBrand, Reply, SlaClock, TicketEvent
from tests.responder.platform import Channel, Crash, Platform, deliver
from tests.responder.world import World

DEAF = ReplyRules(can_be_asked=False)


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    return Channel(Platform(tmp_path / "platform.jsonl"))


def answer(world: World, body: str = "We are on it", key: str = "p1") -> int:
    """A complaint, its ticket, and a reply that is due now."""
    mention_id = world.post(key, author=key)
    world.triage()
    with world.store.write() as session:
        reply = replies.compose(
            session, world.tickets()[-1].id, mention_id, body, None, world.now, "fake",
            undo=timedelta(),
        )  # fmt: skip
        return reply.id


def reply_of(world: World, reply_id: int) -> Reply:
    with world.store.read() as session:
        return session.get_one(Reply, reply_id)


def outbound(world: World) -> list[Mention]:
    with world.store.read() as session:
        return list(session.scalars(select(Mention).where(Mention.direction == "outbound")))


def test_a_sent_reply_joins_the_thread_and_stops_the_clock(world: World, channel: Channel) -> None:
    reply_id = answer(world)
    world.later(minutes=7)
    assert deliver(world.store, channel, world.clock.now) == ["sent"]
    reply = reply_of(world, reply_id)
    assert (reply.status, reply.sent_at, reply.attempts) == ("sent", world.now, 1)
    assert (reply.claimed_by, reply.next_attempt_at, reply.error) == (None, None, None)
    (post,) = outbound(world)
    assert (post.external_id, post.text, post.in_reply_to) == (
        reply.external_id, "We are on it", "p1",
    )  # fmt: skip
    assert post.triaged_at == world.now
    with world.store.read() as session:
        question = session.get_one(Mention, reply.mention_id)
        assert post.conversation_id == question.conversation_id
        clock = session.scalars(select(SlaClock).where(SlaClock.kind == "first_response")).one()
        counted = session.scalars(
            select(MentionBrand.counted_sentiment).where(MentionBrand.mention_id == post.id)
        ).all()
    assert counted == [None]
    assert clock.stopped_at == world.now
    assert world.ticket().first_replied_at == world.now
    assert world.events() == ["opened", "reply_written", "replied"]
    assert deliver(world.store, channel, world.clock.now) == []


def test_collecting_our_own_reply_later_adds_nothing(world: World, channel: Channel) -> None:
    answer(world)
    deliver(world.store, channel, world.clock.now)
    (post,) = outbound(world)
    world.post(post.external_id, "We are on it", direction="outbound", author="acme", thread="p1")
    world.triage()
    assert len(outbound(world)) == 1
    assert world.events() == ["opened", "reply_written", "replied"]


def test_our_reply_collected_before_it_is_recorded_is_not_doubled(
    world: World, channel: Channel
) -> None:
    answer(world, "A rather long and telling answer")
    (claimed,) = world.store.transact(lambda s: claim_outgoing(s, "w1", world.now))
    outcome = deliver_one(claimed, channel, world.now, lambda _key: True)
    sent_id = channel.platform.posts()[0]["id"]
    world.post(
        sent_id, "A rather long and telling answer", direction="outbound", author="acme",
        thread="p1",
    )  # fmt: skip
    world.triage()
    world.store.transact(lambda s: record(s, claimed, outcome, channel.rules, world.now))
    assert len(outbound(world)) == 1
    assert world.events() == ["opened", "reply_written", "replied"]


def test_undo_works_until_the_delay_is_over(world: World, channel: Channel) -> None:
    mention_id = world.post("p1")
    world.triage()
    with world.store.write() as session:
        reply = replies.compose(
            session, world.ticket().id, mention_id, "Oops", None, world.now, "fake"
        )
    world.later(seconds=4)
    assert deliver(world.store, channel, world.clock.now) == []
    with world.store.write() as session:
        assert replies.cancel(session, reply.id, None, world.now).status == "draft"
    world.later(minutes=1)
    assert deliver(world.store, channel, world.clock.now) == []
    assert channel.platform.posts() == []


def test_undo_is_refused_once_a_worker_has_the_reply(world: World, channel: Channel) -> None:
    reply_id = answer(world)
    world.store.transact(lambda session: claim_outgoing(session, "w1", world.now))
    with pytest.raises(replies.Collision, match="too late"), world.store.write() as session:
        replies.cancel(session, reply_id, None, world.now)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("point", ["claimed", "held", "crash", "sent"])
def test_a_worker_may_die_anywhere_and_the_reply_arrives_once(
    world: World, channel: Channel, point: str, named: bool
) -> None:
    reply_id = answer(world)
    channel.named = named
    if point == "crash":
        channel.faults = ["crash"]

    def die(here: str) -> None:
        if here == point:
            raise Crash

    with pytest.raises(Crash):
        deliver(world.store, channel, world.clock.now, at=die)
    assert deliver(world.store, channel, world.clock.now, "w2") == []
    world.clock.advance(CLAIM_FOR)
    assert deliver(world.store, channel, world.clock.now, "w2") == ["sent"]
    assert channel.platform.bodies() == ["We are on it"]
    reply = reply_of(world, reply_id)
    assert (reply.status, reply.external_id, reply.attempts) == (
        "sent", channel.platform.posts()[0]["id"], 2,
    )  # fmt: skip
    assert len(outbound(world)) == 1
    assert world.events().count("replied") == 1


@pytest.mark.parametrize("point", ["claimed", "held", "crash", "sent"])
def test_where_the_platform_cannot_be_asked_a_person_decides_after_a_crash(
    world: World, channel: Channel, point: str
) -> None:
    reply_id = answer(world)
    channel.rules = DEAF
    if point == "crash":
        channel.faults = ["crash"]

    def die(here: str) -> None:
        if here == point:
            raise Crash

    with pytest.raises(Crash):
        deliver(world.store, channel, world.clock.now, at=die)
    world.clock.advance(CLAIM_FOR)
    before = len(channel.platform.posts())
    assert deliver(world.store, channel, world.clock.now, "w2") == ["uncertain"]
    world.later(days=1)
    assert deliver(world.store, channel, world.clock.now, "w2") == []
    assert len(channel.platform.posts()) == before
    assert reply_of(world, reply_id).status == "uncertain"
    assert world.events()[-1] == "reply_uncertain"


def test_after_a_timeout_the_platform_is_asked_before_anything_is_sent(
    world: World, channel: Channel
) -> None:
    answer(world)
    channel.faults = ["timeout"]
    assert deliver(world.store, channel, world.clock.now) == ["sending"]
    assert deliver(world.store, channel, world.clock.now) == []
    world.later(minutes=1)
    assert deliver(world.store, channel, world.clock.now) == ["sent"]
    assert channel.calls == ["prepare", "send", "prepare", "find"]
    assert channel.platform.bodies() == ["We are on it"]


def test_a_timeout_whose_request_never_arrived_is_sent_again(
    world: World, channel: Channel
) -> None:
    answer(world)
    channel.faults = ["lost"]
    deliver(world.store, channel, world.clock.now)
    world.later(minutes=1)
    assert deliver(world.store, channel, world.clock.now) == ["sent"]
    assert channel.platform.bodies() == ["We are on it"]


def test_while_the_platform_cannot_answer_nothing_is_sent(world: World, channel: Channel) -> None:
    answer(world)
    channel.faults, channel.blind = ["timeout"], 2
    outcomes = []
    for _ in range(4):
        outcomes += deliver(world.store, channel, world.clock.now)
        world.later(minutes=10)
    assert outcomes == ["sending", "sending", "sending", "sent"]
    assert channel.platform.bodies() == ["We are on it"]


def test_a_timeout_on_a_deaf_platform_is_never_resent_by_the_machine(
    world: World, channel: Channel
) -> None:
    reply_id = answer(world)
    channel.rules, channel.faults = DEAF, ["timeout"]
    assert deliver(world.store, channel, world.clock.now) == ["uncertain"]
    world.later(days=2)
    assert deliver(world.store, channel, world.clock.now) == []
    with world.store.write() as session:
        replies.mark_arrived(session, reply_id, None, world.now)
    assert reply_of(world, reply_id).status == "sent"
    assert world.ticket().first_replied_at == world.now
    assert world.events()[-1] == "replied"
    with pytest.raises(replies.Collision, match="sent now"), world.store.write() as session:
        replies.send_again(session, reply_id, None, world.now)


def test_a_person_may_send_a_reply_of_unknown_fate_again(world: World, channel: Channel) -> None:
    reply_id = answer(world)
    channel.rules, channel.faults = DEAF, ["lost"]
    deliver(world.store, channel, world.clock.now)
    with world.store.write() as session:
        replies.send_again(session, reply_id, None, world.now)
    assert deliver(world.store, channel, world.clock.now) == ["sent"]
    assert channel.platform.bodies() == ["We are on it"]


def test_a_fault_of_the_channel_after_the_post_doubles_nothing(
    world: World, channel: Channel
) -> None:
    answer(world)
    channel.faults = ["fault"]
    assert deliver(world.store, channel, world.clock.now) == ["sending"]
    world.later(minutes=1)
    assert deliver(world.store, channel, world.clock.now) == ["sent"]
    assert channel.platform.bodies() == ["We are on it"]


@pytest.mark.parametrize("call", ["prepare", "find"])
def test_a_fault_of_the_channel_before_the_post_is_tried_again(
    world: World, channel: Channel, call: str
) -> None:
    answer(world)
    channel.broken = call
    if call == "find":
        channel.faults = ["timeout"]
        assert deliver(world.store, channel, world.clock.now) == ["sending"]
        world.later(minutes=1)
    with capture_logs() as logs:
        outcome = deliver(world.store, channel, world.clock.now)
    assert outcome == (["approved"] if call == "prepare" else ["sending"])
    assert [(line["event"], line["fault"]) for line in logs] == [
        ("channel_fault", "ZeroDivisionError")
    ]
    channel.broken = ""
    world.later(minutes=5)
    assert deliver(world.store, channel, world.clock.now) == ["sent"]
    assert channel.platform.bodies() == ["We are on it"]


def test_the_platforms_pause_is_kept_and_others_grow(world: World, channel: Channel) -> None:
    reply_id = answer(world)
    channel.faults = ["limited", "down", "down"]
    pauses = []
    for _ in range(3):
        assert deliver(world.store, channel, world.clock.now) == ["approved"]
        due = reply_of(world, reply_id).next_attempt_at
        assert due is not None
        pauses.append((due - world.now).total_seconds())
        world.clock.set(due)
    assert pauses == [600, 30, 60]
    assert deliver(world.store, channel, world.clock.now) == ["sent"]


def test_what_cannot_work_fails_with_its_reason_and_a_person_may_retry(
    world: World, channel: Channel
) -> None:
    reply_id = answer(world)
    channel.faults = ["refused"]
    assert deliver(world.store, channel, world.clock.now) == ["failed"]
    assert reply_of(world, reply_id).error == "The post was deleted."
    assert world.events()[-1] == "reply_failed"
    with world.store.write() as session:
        replies.retry(session, reply_id, None, world.now)
    assert deliver(world.store, channel, world.clock.now) == ["sent"]
    assert reply_of(world, reply_id).error is None


def test_a_platform_that_stays_down_fails_after_eight_attempts(
    small_world: World, channel: Channel
) -> None:
    answer(small_world)
    channel.faults = ["down"] * 20
    outcomes: list[str] = []
    while not outcomes or outcomes[-1] == "approved":
        outcomes += deliver(small_world.store, channel, small_world.clock.now)
        small_world.later(hours=2)
    assert outcomes == ["approved"] * (MAX_ATTEMPTS - 1) + ["failed"]


def test_a_worker_whose_claim_ran_out_sends_nothing(world: World, channel: Channel) -> None:
    answer(world)
    (slow,) = world.store.transact(lambda s: claim_outgoing(s, "w1", world.now))
    world.clock.advance(CLAIM_FOR)
    assert deliver(world.store, channel, world.clock.now, "w2") == ["sent"]
    late = deliver_one(
        slow, channel, world.now,
        lambda key: world.store.transact(lambda s: save_prepared(s, slow, key, world.now)),
    )  # fmt: skip
    assert isinstance(late, Lost)
    assert world.store.transact(lambda s: record(s, slow, late, channel.rules, world.now)) == "lost"
    assert channel.platform.bodies() == ["We are on it"]


def test_a_late_failure_does_not_undo_what_another_worker_sent(
    world: World, channel: Channel
) -> None:
    reply_id = answer(world)
    (slow,) = world.store.transact(lambda s: claim_outgoing(s, "w1", world.now))
    world.clock.advance(CLAIM_FOR)
    deliver(world.store, channel, world.clock.now, "w2")
    status = world.store.transact(
        lambda s: record(s, slow, no_channel(slow), channel.rules, world.now)
    )
    assert (status, reply_of(world, reply_id).status) == ("sent", "sent")


def test_a_second_post_of_the_same_reply_is_shown_to_people(world: World, channel: Channel) -> None:
    reply_id = answer(world)
    deliver(world.store, channel, world.clock.now)
    world.store.transact(lambda s: record_sent(s, reply_id, SentReply("twin"), world.now))
    assert world.events()[-1] == "reply_doubled"
    assert len(outbound(world)) == 2


def test_an_account_that_is_gone_fails_with_what_to_do(world: World, channel: Channel) -> None:
    reply_id = answer(world)
    (claimed,) = world.store.transact(lambda s: claim_outgoing(s, "w1", world.now))
    world.store.transact(lambda s: record(s, claimed, no_channel(claimed), ReplyRules(), world.now))
    reply = reply_of(world, reply_id)
    assert reply.status == "failed"
    assert reply.error is not None
    assert "Connect one under Sources" in reply.error


def test_a_reply_of_a_merged_ticket_counts_for_the_ticket_that_was_kept(
    world: World, channel: Channel
) -> None:
    from responder.merging import merge

    world.post("older", author="carol")
    world.triage()
    world.later(minutes=1)
    answer(world, key="newer")
    kept, gone = world.tickets()
    with world.store.write() as session:
        merge(session, gone.id, kept.id, None, world.now)
    deliver(world.store, channel, world.clock.now)
    assert world.tickets()[0].first_replied_at == world.now
    assert world.events(kept.id)[-1] == "replied"


def test_a_reply_by_hand_is_never_claimed_and_counts_when_a_person_says_so(
    world: World, channel: Channel
) -> None:
    mention_id = world.post("p1", channel_ref={"answer_by_hand": True})
    world.triage()
    with world.store.write() as session:
        reply = replies.compose(
            session, world.ticket().id, mention_id, "Answer", None, world.now, "fake"
        )
    assert (reply.status, reply.url) == ("by_hand", "https://social.example/p1")
    world.later(minutes=3)
    assert deliver(world.store, channel, world.clock.now) == []
    with world.store.write() as session:
        replies.mark_arrived(session, reply.id, None, world.now)
    assert world.ticket().first_replied_at == world.now
    assert world.events()[-1] == "replied_by_hand"


def test_resolving_before_the_reply_left_lets_it_go_out(world: World, channel: Channel) -> None:
    answer(world)
    with world.store.write() as session:
        tickets.resolve(session, world.ticket().id, None, world.now)
    assert deliver(world.store, channel, world.clock.now) == ["sent"]
    with world.store.read() as session:
        assert session.scalar(select(func.count()).where(TicketEvent.kind == "replied")) == 1
