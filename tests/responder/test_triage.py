"""Triage: which posts become tickets, and what later posts do to them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from responder import replies, tickets
from responder.triage_rules import TriageRules
from store.ingest import ingest
from store.models import Author, Customer, Mention, SlaClock, Ticket, TicketEvent
from store.posts import Removal
from tests.responder.world import Said, World

DAY = timedelta(days=1)


def test_a_complaint_opens_a_numbered_ticket_with_customer_clocks_and_history(
    world: World,
) -> None:
    mention_id = world.post("p1", "My parcel\nis   broken", author="carol", followers=1200)
    result = world.triage()
    ticket = world.ticket()
    assert result.opened == [ticket.id]
    assert (ticket.number, ticket.category, ticket.status) == (
        "GS-2026-000001", "complaint", "open",
    )  # fmt: skip
    assert (ticket.subject, ticket.language, ticket.platform) == (
        "My parcel is broken", "en", "bluesky",
    )  # fmt: skip
    customer = world.customer_of("carol")
    assert customer is not None
    assert (customer.name, ticket.customer_id) == ("Carol", customer.id)
    with world.store.read() as session:
        event = session.scalars(select(TicketEvent)).one()
        assert event.kind == "opened"
        assert event.detail["mention_id"] == mention_id
        clocks = {clock.kind: clock for clock in session.scalars(select(SlaClock))}
        assert session.scalars(select(Mention.triaged_at)).one() == world.now
    assert set(clocks) == {"first_response", "resolution"}
    # 60 working minutes from Monday 09:00 UTC
    assert clocks["first_response"].due_at == world.now + timedelta(minutes=60)


@pytest.mark.parametrize(
    ("said", "category", "reason"),
    [
        (Said("complaint"), "complaint", "intent"),
        (Said("enquiry"), "enquiry", "intent"),
        (Said("other", urgency=2), "other", "urgency"),
        (Said("praise", urgency=3), "praise", "urgency"),
        (Said("other", probabilities=(0.3, 0.25, 0.0, 0.0, 0.45)), "complaint", "unsure"),
        (Said("other", unsure=True, probabilities=(0.1, 0.3, 0, 0, 0.6)), "enquiry", "unsure"),
    ],
)
def test_what_needs_an_answer_opens_a_ticket(
    small_world: World, said: Said, category: str, reason: str
) -> None:
    small_world.post("p1", said=said)
    small_world.triage()
    assert small_world.ticket().category == category
    with small_world.store.read() as session:
        assert session.scalars(select(TicketEvent)).one().detail["reason"] == reason


@pytest.mark.parametrize(
    "said",
    [
        Said("praise"),
        Said("other", urgency=1),
        Said("suggestion"),
        Said("other", probabilities=(0.2, 0.2, 0.0, 0.0, 0.6)),
        Said("other", unsure=True, probabilities=(0.1, 0.1, 0.0, 0.2, 0.6)),
    ],
)
def test_what_needs_no_answer_opens_none(small_world: World, said: Said) -> None:
    small_world.post("p1", said=said)
    result = small_world.triage()
    assert (result.taken, result.passed, small_world.tickets()) == (1, 1, [])
    assert small_world.triage().taken == 0


def test_suggestions_open_tickets_where_the_rules_say_so(small_world: World) -> None:
    small_world.post("p1", said=Said("suggestion"))
    small_world.triage(TriageRules(suggestions=True))
    assert small_world.ticket().category == "suggestion"


def test_a_persons_correction_decides_instead_of_the_model(small_world: World) -> None:
    from store.assessments import override

    mention_id = small_world.post("p1", said=Said("complaint"))
    with small_world.store.write() as session:
        override(
            session, mention_id=mention_id, brand_id=small_world.brands["Acme"], field="intent",
            value="other", user_id=None, now=small_world.now,
        )  # fmt: skip
    small_world.triage()
    assert small_world.tickets() == []


def test_history_our_own_posts_competitors_reposts_and_deleted_posts_open_none(
    world: World,
) -> None:
    world.brand("Rival", kind="competitor")
    world.post("old", live=False)
    world.post("ours", direction="outbound", author="acme")
    world.post("theirs", brands=("Rival",))
    world.post("again", kind="repost")
    world.post("gone", said=None)
    with world.store.write() as session:
        ingest(session, [], live=True, now=world.now, removals=[Removal("bluesky", "gone")])
    result = world.triage()
    assert (result.taken, world.tickets()) == (4, [])
    with world.store.read() as session:
        waiting = session.scalars(
            select(Mention.external_id).where(Mention.triaged_at.is_(None))
        ).all()
    assert waiting == ["old"]


def test_a_post_is_left_alone_until_it_is_assessed(small_world: World) -> None:
    small_world.post("p1", said=None)
    assert small_world.triage().taken == 0
    small_world.assess(Said())
    assert len(small_world.triage().opened) == 1


def test_it_opens_no_second_ticket_for_the_same_thread(world: World) -> None:
    world.post("p1")
    world.triage()
    world.later(minutes=5)
    world.post("p2", "Hello? Anyone?", thread="p1")
    world.post("p3", "Same here!", author="dave", thread="p1")
    result = world.triage()
    assert (result.opened, result.attached) == ([], 2)
    assert world.ticket().last_inbound_at == world.now
    assert world.events() == ["opened", "mention", "comment"]
    assert world.triage().taken == 0


def test_two_posts_of_one_thread_in_one_round_open_one_ticket(world: World) -> None:
    world.post("p1", ago=timedelta(minutes=9))
    world.post("p2", thread="p1", ago=timedelta(minutes=3))
    world.post("q1", author="dave")
    result = world.triage()
    assert (len(result.opened), result.attached, result.taken) == (2, 1, 3)
    assert [ticket.number for ticket in world.tickets()] == ["GS-2026-000001", "GS-2026-000002"]


def test_one_author_is_one_customer_over_several_tickets(world: World) -> None:
    world.post("p1", author="carol")
    world.post("q1", author="carol")
    world.triage()
    first, second = world.tickets()
    assert first.customer_id == second.customer_id
    with world.store.read() as session:
        assert session.scalars(select(Customer.name)).all() == ["Carol"]
        assert session.scalars(select(Author.customer_id)).all() == [first.customer_id]


def test_a_new_post_reopens_a_ticket_resolved_days_ago_and_restarts_its_clock(
    world: World,
) -> None:
    world.post("p1")
    world.triage()
    ticket = world.ticket()
    with world.store.write() as session:
        tickets.resolve(session, ticket.id, None, world.now)
    world.later(days=3)
    world.post("p2", "It broke again", thread="p1")
    result = world.triage()
    assert result.reopened == [ticket.id]
    again = world.ticket()
    assert (again.status, again.resolved_at) == ("open", None)
    with world.store.read() as session:
        clock = session.scalars(select(SlaClock).where(SlaClock.kind == "resolution")).one()
    assert (clock.started_at, clock.stopped_at) == (world.now, None)
    assert world.events() == ["opened", "resolved", "mention", "reopened"]


def test_thanks_and_bystanders_do_not_reopen_a_ticket(world: World) -> None:
    world.post("p1")
    world.triage()
    with world.store.write() as session:
        tickets.resolve(session, world.ticket().id, None, world.now)
    world.post("p2", "Thank you!", Said("praise", 0, 0.01), thread="p1")
    world.post("p3", "lol", Said("other", 0, 0.1), author="dave", thread="p1")
    result = world.triage()
    assert (result.reopened, result.attached, world.ticket().status) == ([], 2, "resolved")


def test_a_post_long_after_the_resolution_is_a_new_case(world: World) -> None:
    world.post("p1")
    world.triage()
    first = world.ticket()
    with world.store.write() as session:
        tickets.resolve(session, first.id, None, world.now)
    world.later(days=8)
    world.post("p2", "Broken again", thread="p1")
    world.triage()
    old, new = world.tickets()
    assert (old.status, new.status, new.customer_id) == ("resolved", "open", old.customer_id)
    assert world.links() == {(old.id, False), (new.id, True)}
    assert world.events(old.id)[-1] == "followed_by"


def test_a_post_wakes_a_snoozed_or_pending_ticket_and_its_clocks_go_on(world: World) -> None:
    world.post("p1")
    world.triage()
    ticket = world.ticket()
    world.later(minutes=20)
    with world.store.write() as session:
        tickets.snooze(session, ticket.id, None, world.now, world.now + DAY)
    world.later(hours=2)
    world.post("p2", "Any news?", Said("other", 0, 0.2), thread="p1")
    assert world.triage().woken == [ticket.id]
    assert (world.ticket().status, world.ticket().snoozed_until) == ("open", None)
    with world.store.read() as session:
        clock = session.scalars(select(SlaClock).where(SlaClock.kind == "first_response")).one()
    assert clock.due_at == world.now + timedelta(minutes=40)


def test_the_account_addressed_owns_the_ticket_else_the_brand_priority(world: World) -> None:
    world.brand("Acme Care", priority=300, handles=["@acmecare"])
    world.brand("Acme Shop", priority=50)
    world.source("care inbox", "Acme Care")
    every = ("Acme", "Acme Care", "Acme Shop")
    world.post("p1", brands=every, source="care inbox")
    world.post("p2", brands=every, author="dave")
    world.post("p3", "@AcmeCare help", brands=every, author="erin")
    world.post("p4", "@acmecare.fans help", brands=every, author="finn")
    world.triage()
    names = {key: name for name, key in world.brands.items()}
    owners = [names[ticket.brand_id] for ticket in world.tickets()]
    assert owners == ["Acme Care", "Acme Shop", "Acme Care", "Acme Shop"]


def test_a_competitors_source_never_owns_a_ticket(world: World) -> None:
    world.brand("Rival", kind="competitor", priority=1)
    world.source("rival watch", "Rival")
    world.post("p1", brands=("Rival", "Acme"), source="rival watch")
    world.triage()
    assert world.ticket().brand_id == world.brands["Acme"]


def test_drills_have_numbers_of_their_own(world: World) -> None:
    world.brand("Drill", realm="drill")
    world.post("p1")
    world.post("p2", brands=("Drill",), author="dave")
    world.triage()
    assert [ticket.number for ticket in world.tickets()] == ["GS-2026-000001", "DR-2026-000001"]


def test_the_priority_says_what_it_is_made_of(world: World) -> None:
    world.post("p0", author="carol", followers=20_000)
    world.triage()
    with world.store.write() as session:
        session.execute(update(Customer).values(vip=True))
    world.post(
        "p1", said=Said("complaint", 3, 0.9), author="carol", followers=20_000,
        ago=timedelta(hours=5),
    )  # fmt: skip
    world.triage()
    ticket = world.tickets()[1]
    parts = {part["key"]: part["points"] for part in ticket.priority_parts}
    assert parts == {
        "urgency": 40, "negative": 18, "intent": 15, "followers": 10, "vip": 20, "repeated": 5,
        "waiting": 5,
    }  # fmt: skip
    assert (ticket.priority_points, ticket.priority) == (113, "urgent")


def test_writing_again_raises_the_priority_and_thanks_take_nothing_back(world: World) -> None:
    world.post("p1", said=Said("enquiry", 1, 0.2))
    world.triage()
    assert (world.ticket().priority, world.ticket().priority_points) == ("normal", 24)
    world.post("p2", said=Said("complaint", 2, 0.9), thread="p1")
    world.triage()
    assert (world.ticket().priority, world.ticket().priority_points) == ("high", 61)
    world.post("p3", said=Said("praise", 0, 0.0), thread="p1")
    world.triage()
    assert world.ticket().priority_points == 61


def test_a_priority_chosen_by_a_person_stays(world: World) -> None:
    world.post("p1", said=Said("enquiry", 0, 0.1))
    world.triage()
    with world.store.write() as session:
        tickets.set_priority(session, world.ticket().id, None, world.now, "low")
    world.post("p2", said=Said("complaint", 3, 0.9), thread="p1")
    world.triage()
    assert (world.ticket().priority, world.ticket().priority_points >= 70) == ("low", True)


def test_an_answer_given_on_the_platform_counts_as_the_first_response(world: World) -> None:
    world.post("p1")
    world.triage()
    world.later(minutes=10)
    world.post("r1", "We are on it", direction="outbound", author="acme", thread="p1")
    result = world.triage()
    assert result.answered_by_hand == 1
    ticket = world.ticket()
    assert ticket.first_replied_at == world.now
    with world.store.read() as session:
        clock = session.scalars(select(SlaClock).where(SlaClock.kind == "first_response")).one()
    assert (clock.stopped_at, clock.breached_at) == (world.now, None)
    assert world.events() == ["opened", "replied_by_hand"]


def test_an_answer_that_was_there_before_the_question_was_assessed_counts_too(
    world: World,
) -> None:
    world.post("p1", said=None, ago=timedelta(minutes=8))
    world.post(
        "r1", "We are on it", None, direction="outbound", author="acme", thread="p1",
        ago=timedelta(minutes=2),
    )  # fmt: skip
    assert world.triage().taken == 1
    world.assess(Said())
    world.triage()
    assert world.ticket().first_replied_at == world.now - timedelta(minutes=2)
    assert world.events() == ["opened", "replied_by_hand"]


def test_our_post_that_people_comment_on_is_no_answer_to_them(world: World) -> None:
    world.post("ours", "Big sale!", None, direction="outbound", author="acme", ago=DAY)
    world.post("p1", "Your shop is down", thread="ours")
    world.triage()
    assert world.ticket().first_replied_at is None
    assert world.events() == ["opened"]


def test_our_reply_seen_on_the_platform_settles_one_of_unknown_fate(world: World) -> None:
    mention_id = world.post("p1")
    world.triage()
    ticket = world.ticket()
    with world.store.write() as session:
        reply = replies.compose(
            session, ticket.id, mention_id, "We are so sorry, Carol", None, world.now, "mastodon"
        )
        reply.status, reply.attempts = "uncertain", 1
    world.post(
        "r1", "@carol <p>We are so sorry, Carol</p>", direction="outbound", author="acme",
        thread="p1",
    )  # fmt: skip
    world.triage()
    with world.store.read() as session:
        kept = session.get_one(type(reply), reply.id)
        assert (kept.status, kept.external_id) == ("sent", "r1")
    assert world.events().count("replied") == 1
    assert "replied_by_hand" not in world.events()


def test_a_post_of_ours_waits_while_a_reply_is_on_its_way(world: World) -> None:
    mention_id = world.post("p1")
    world.triage()
    with world.store.write() as session:
        reply = replies.compose(
            session, world.ticket().id, mention_id, "One text", None, world.now, "x"
        )
        reply.status, reply.attempts = "sending", 1
    world.post("r1", "Quite another", direction="outbound", author="acme", thread="p1")
    assert world.triage().taken == 0
    with world.store.write() as session:
        session.get_one(type(reply), reply.id).status = "failed"
    assert world.triage().answered_by_hand == 1


def test_a_subject_is_one_line_without_invisible_signs(small_world: World) -> None:
    small_world.post("p1", "\u202eevil\u202c \x07 text\n" + "长" * 300)
    small_world.triage()
    subject = small_world.ticket().subject
    assert subject.startswith("evil text 长")
    assert (len(subject), subject[-1]) == (200, "…")


def test_pending_mentions_are_taken_in_the_order_they_were_posted(world: World) -> None:
    for n in range(6):
        world.post(f"p{n}", author=f"a{n}", ago=timedelta(minutes=n))
    assert world.triage(limit=4).taken == 4
    with world.store.read() as session:
        left = session.scalars(
            select(Mention.external_id)
            .where(Mention.triaged_at.is_(None))
            .order_by(Mention.external_id)
        ).all()
    assert left == ["p0", "p1"]
    assert world.triage().taken == 2
    assert len({ticket.number for ticket in world.tickets()}) == 6


def test_the_conversation_lock_leaves_no_ticket_without_conversation(world: World) -> None:
    world.post("p1")
    world.triage()
    with world.store.read() as session:
        assert session.scalars(select(Ticket.id)).all() == [next(iter(world.links()))[0]]


def test_posts_of_our_accounts_and_a_competitors_open_none_however_they_were_found(
    world: World,
) -> None:
    world.brand("Acme Care", handles=["@AcmeCare"])
    world.brand("Rival", kind="competitor", handles=["@rival"])
    world.post("p1", author="acmecare")
    world.post("p2", author="rival")
    world.post("p3", author="rival.fan")
    world.triage()
    assert world.ticket().customer_id == getattr(world.customer_of("rival.fan"), "id", None)


def test_an_answer_by_one_of_our_accounts_counts_however_it_was_found(world: World) -> None:
    world.brand("Acme Care", handles=["acmecare"])
    world.post("p1")
    world.triage()
    world.post("r1", "We are on it", author="acmecare", thread="p1")
    assert world.triage().answered_by_hand == 1


def test_the_subject_goes_when_its_post_is_deleted(world: World) -> None:
    world.post("p1", "My secret story")
    world.post("q1", "Another story", author="dave")
    world.triage()
    with world.store.write() as session:
        ingest(session, [], live=True, now=world.now, removals=[Removal("bluesky", "p1")])
    assert [ticket.subject for ticket in world.tickets()] == ["", "Another story"]
