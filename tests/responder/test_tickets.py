"""What people do with tickets, and who was quicker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from responder import sla, tickets
from responder.errors import Collision, TicketError
from responder.merging import merge, split
from store import tickets as inbox
from store.models import AuditEvent, Reply, SlaClock, Ticket, TicketEvent, UserBrand
from tests.responder.world import Said, World


@pytest.fixture
def ann(world: World) -> int:
    world.post("p1")
    world.triage()
    return world.person("Ann")


def test_assigning_writes_history_and_the_audit_log(world: World, ann: int) -> None:
    ticket_id = world.ticket().id
    with world.store.write() as session:
        tickets.assign(session, ticket_id, ann, world.now, ann)
        tickets.assign(session, ticket_id, ann, world.now, ann)
    assert world.ticket().assignee_id == ann
    assert world.events() == ["opened", "assigned"]
    with world.store.read() as session:
        event = session.scalars(select(AuditEvent)).one()
    assert (event.action, event.object_id, event.user_id) == (
        "ticket.assigned",
        str(ticket_id),
        ann,
    )
    assert event.detail == {"to": ann, "before": None}


def test_a_ticket_goes_to_nobody_who_may_not_see_its_brand(world: World, ann: int) -> None:
    bob = world.person("Bob", all_brands=False)
    gone = world.person("Gone", active=False)
    ticket_id = world.ticket().id
    with pytest.raises(TicketError, match="Bob may not see this brand"), world.store.write() as s:
        tickets.assign(s, ticket_id, ann, world.now, bob)
    with pytest.raises(TicketError, match="not active"), world.store.write() as s:
        tickets.assign(s, ticket_id, ann, world.now, gone)
    with world.store.write() as session:
        session.add(UserBrand(user_id=bob, brand_id=world.brands["Acme"]))
        session.flush()
        assert tickets.assign(session, ticket_id, ann, world.now, bob).assignee_id == bob


def test_taking_what_a_colleague_has_is_a_collision_until_one_insists(
    world: World, ann: int
) -> None:
    bob = world.person("Bob")
    ticket_id = world.ticket().id
    with world.store.write() as session:
        tickets.take(session, ticket_id, ann, world.now)
    with pytest.raises(Collision, match="Ann has this ticket already") as caught:
        world.store.transact(lambda s: tickets.take(s, ticket_id, bob, world.now))
    assert caught.value.user_id == ann
    world.store.transact(lambda s: tickets.take(s, ticket_id, bob, world.now, over=True))
    assert world.ticket().assignee_id == bob


def test_a_second_resolve_says_who_was_quicker(world: World, ann: int) -> None:
    bob = world.person("Bob")
    ticket_id = world.ticket().id
    world.store.transact(lambda s: tickets.resolve(s, ticket_id, ann, world.now))
    at = world.now
    world.later(minutes=1)
    with pytest.raises(Collision, match="resolved already: Ann did it at 2026-03-02 09:00") as got:
        world.store.transact(lambda s: tickets.resolve(s, ticket_id, bob, world.now))
    assert (got.value.user_id, got.value.when) == (ann, at)
    assert got.value.text == "{number} is {status} already: {who} did it at {at}."
    assert got.value.values["status"] == "resolved"
    assert world.ticket().resolved_at == at
    assert world.events().count("resolved") == 1


@pytest.mark.parametrize(
    ("before", "action", "message"),
    [
        ("resolved", "pending", "is resolved. Reopen it first."),
        ("resolved", "snoozed", "is resolved. Reopen it first."),
        ("open", "open", "is open already"),
        ("pending", "pending", "is pending already"),
        ("pending", "reopen", "is pending; this is not possible now"),
    ],
)
def test_transitions_that_make_no_sense_say_so_and_change_nothing(
    small_world: World, before: str, action: str, message: str
) -> None:
    world = small_world
    world.post("p1")
    world.triage()
    ticket_id = world.ticket().id
    steps = {
        "resolved": lambda s: tickets.resolve(s, ticket_id, None, world.now),
        "pending": lambda s: tickets.set_pending(s, ticket_id, None, world.now),
        "snoozed": lambda s: tickets.snooze(
            s, ticket_id, None, world.now, world.now + timedelta(days=1)
        ),
        "open": lambda s: tickets.set_open(s, ticket_id, None, world.now),
        "reopen": lambda s: tickets.reopen(s, ticket_id, None, world.now),
    }
    if before != "open":
        world.store.transact(steps[before])
    events = world.events()
    with pytest.raises(TicketError) as caught:
        world.store.transact(steps[action])
    assert message in str(caught.value)
    assert (world.ticket().status, world.events()) == (before, events)


def test_a_snoozed_ticket_comes_back_at_its_time(world: World, ann: int) -> None:
    ticket_id = world.ticket().id
    until = world.now + timedelta(hours=2)
    with pytest.raises(TicketError, match="in the future"):
        world.store.transact(lambda s: tickets.snooze(s, ticket_id, ann, world.now, world.now))
    world.store.transact(lambda s: tickets.snooze(s, ticket_id, ann, world.now, until))
    assert world.store.transact(lambda s: tickets.wake_due(s, world.now)) == []
    world.clock.set(until)
    assert world.store.transact(lambda s: tickets.wake_due(s, world.now)) == [ticket_id]
    assert world.store.transact(lambda s: tickets.wake_due(s, world.now)) == []
    assert (world.ticket().status, world.events()[-1]) == ("open", "woken")


def test_a_ticket_with_a_reply_of_unknown_fate_is_not_resolved_by_accident(
    world: World, ann: int
) -> None:
    ticket_id = world.ticket().id
    with world.store.write() as session:
        session.add(
            Reply(
                ticket_id=ticket_id, mention_id=world.mention("p1"), channel="fake", body="x",
                status="uncertain", idempotency_key="k", created_at=world.now,
            )
        )  # fmt: skip
    with pytest.raises(TicketError, match="did not go out"):
        world.store.transact(lambda s: tickets.resolve(s, ticket_id, ann, world.now))
    world.store.transact(lambda s: tickets.resolve(s, ticket_id, ann, world.now, anyway=True))
    assert world.ticket().status == "resolved"


def test_notes_are_kept_and_their_text_stays_out_of_the_audit_log(world: World, ann: int) -> None:
    ticket_id = world.ticket().id
    world.store.transact(lambda s: tickets.add_note(s, ticket_id, ann, world.now, " Call her \n"))
    with world.store.read() as session:
        note = session.scalars(select(TicketEvent).where(TicketEvent.kind == "note")).one()
        audit = session.scalars(select(AuditEvent)).one()
    assert (note.detail, audit.detail) == ({"text": "Call her"}, {})
    with pytest.raises(TicketError, match="empty"):
        world.store.transact(lambda s: tickets.add_note(s, ticket_id, ann, world.now, "  "))


def test_class_and_priority_are_changed_by_hand_and_priority_given_back(
    world: World, ann: int
) -> None:
    ticket_id = world.ticket().id
    before = world.ticket().priority
    world.store.transact(lambda s: tickets.set_category(s, ticket_id, ann, world.now, "enquiry"))
    world.store.transact(lambda s: tickets.set_priority(s, ticket_id, ann, world.now, "urgent"))
    assert (world.ticket().category, world.ticket().priority) == ("enquiry", "urgent")
    assert world.ticket().priority_parts[-1] == {
        "key": "person", "points": 0, "detail": {"priority": "urgent", "user_id": ann},
    }  # fmt: skip
    world.store.transact(lambda s: tickets.set_priority(s, ticket_id, ann, world.now, None))
    assert world.ticket().priority == before
    with pytest.raises(TicketError, match="no class 'gossip'"):
        world.store.transact(lambda s: tickets.set_category(s, ticket_id, ann, world.now, "gossip"))


def two_tickets(world: World) -> tuple[Ticket, Ticket]:
    world.later(minutes=10)
    world.post("q1", "Another one", Said("complaint", 3, 0.9), author="carol")
    world.triage()
    older, newer = world.tickets()
    return older, newer


def clocks(world: World, ticket_id: int) -> dict[str, SlaClock]:
    with world.store.read() as session:
        return {
            clock.kind: clock
            for clock in session.scalars(select(SlaClock).where(SlaClock.ticket_id == ticket_id))
        }


def test_a_merge_keeps_the_older_ticket_and_both_numbers_lead_to_it(world: World, ann: int) -> None:
    older, newer = two_tickets(world)
    kept = world.store.transact(lambda s: merge(s, newer.id, older.id, ann, world.now))
    assert kept.id == older.id
    with world.store.read() as session:
        assert inbox.by_number(session, newer.number.lower()) == older.id
        assert inbox.by_number(session, older.number) == older.id
        page = inbox.list_tickets(session, inbox.TicketFilter())
    assert [row.id for row in page.rows] == [older.id]
    assert world.links() == {(older.id, True), (newer.id, False)}
    first, _ = world.tickets()
    assert (first.priority, first.last_inbound_at) == ("urgent", world.now)
    with pytest.raises(TicketError, match=f"was merged into {older.number}"):
        world.store.transact(lambda s: tickets.resolve(s, newer.id, ann, world.now))


def test_a_later_post_in_a_merged_conversation_goes_to_the_ticket_that_was_kept(
    world: World, ann: int
) -> None:
    older, newer = two_tickets(world)
    world.store.transact(lambda s: merge(s, older.id, newer.id, ann, world.now))
    world.post("q2", "And?", thread="q1")
    result = world.triage()
    assert (result.opened, result.attached) == ([], 1)
    assert world.events(older.id)[-1] == "mention"


def test_the_earliest_deadline_wins_and_the_other_clocks_stop(world: World, ann: int) -> None:
    older, newer = two_tickets(world)
    with world.store.write() as session:
        for clock in session.scalars(select(SlaClock).where(SlaClock.ticket_id == newer.id)):
            clock.due_at = world.now + timedelta(minutes=5)
    world.store.transact(lambda s: merge(s, older.id, newer.id, ann, world.now))
    kept, gone = clocks(world, older.id), clocks(world, newer.id)
    assert {clock.due_at for clock in kept.values()} == {world.now + timedelta(minutes=5)}
    assert {clock.stopped_at for clock in gone.values()} == {world.now}


def test_a_split_restores_links_status_and_clocks(world: World, ann: int) -> None:
    older, newer = two_tickets(world)
    world.store.transact(lambda s: merge(s, older.id, newer.id, ann, world.now))
    world.later(minutes=5)
    back = world.store.transact(lambda s: split(s, newer.id, ann, world.now))
    assert (back.id, back.status, back.merged_into_id) == (newer.id, "open", None)
    assert world.links() == {(older.id, True), (newer.id, True), (older.id, False)}
    with world.store.read() as session:
        assert inbox.by_number(session, newer.number) == newer.id
    assert {clock.stopped_at for clock in clocks(world, newer.id).values()} == {None}
    world.post("q2", "And?", thread="q1")
    world.triage()
    assert world.events(newer.id)[-1] == "mention"
    with pytest.raises(TicketError, match="not part of another"):
        world.store.transact(lambda s: split(s, newer.id, ann, world.now))


def test_an_answer_while_two_were_one_counts_for_both_after_a_split(world: World, ann: int) -> None:
    older, newer = two_tickets(world)
    world.store.transact(lambda s: merge(s, older.id, newer.id, ann, world.now))
    world.later(minutes=5)
    answered = world.now
    world.post("r1", "Sorry!", direction="outbound", author="acme", thread="q1")
    world.triage()
    world.later(minutes=5)
    world.store.transact(lambda s: split(s, newer.id, ann, world.now))
    first_response = clocks(world, newer.id)[sla.FIRST_RESPONSE]
    assert first_response.stopped_at == answered
    assert world.tickets()[1].first_replied_at == answered


def test_merging_a_resolved_ticket_with_an_open_one_leaves_it_open(world: World, ann: int) -> None:
    older, newer = two_tickets(world)
    world.store.transact(lambda s: tickets.resolve(s, older.id, ann, world.now))
    world.store.transact(lambda s: merge(s, older.id, newer.id, ann, world.now))
    assert world.tickets()[0].status == "open"
    assert clocks(world, older.id)[sla.RESOLUTION].stopped_at is None


def test_merges_follow_each_other_and_drills_stay_apart(world: World, ann: int) -> None:
    first, second = two_tickets(world)
    world.brand("Drill", realm="drill")
    world.post("z1", author="erin")
    world.post("d1", author="finn", brands=("Drill",))
    world.triage()
    third, drill = world.tickets()[2:]
    world.store.transact(lambda s: merge(s, second.id, third.id, ann, world.now))
    world.store.transact(lambda s: merge(s, first.id, second.id, ann, world.now))
    with world.store.read() as session:
        assert inbox.by_number(session, third.number) == first.id
    with pytest.raises(TicketError, match="itself"):
        world.store.transact(lambda s: merge(s, first.id, first.id, ann, world.now))
    with pytest.raises(TicketError, match="drill or demo"):
        world.store.transact(lambda s: merge(s, first.id, drill.id, ann, world.now))
    world.store.transact(lambda s: split(s, second.id, ann, world.now))
    world.store.transact(lambda s: split(s, third.id, ann, world.now))
    active = {ticket_id for ticket_id, is_active in world.links() if is_active}
    assert active == {first.id, second.id, third.id, drill.id}


def test_a_ticket_that_waits_for_its_first_answer_grows_more_urgent(world: World) -> None:
    world.post("p1", said=Said("enquiry", 1, 0.1))
    world.post("q1", said=Said("enquiry", 1, 0.1), author="dave")
    world.triage()
    waiting, answered = world.tickets()
    world.post("r1", "Here you are", direction="outbound", author="acme", thread="q1")
    world.triage()
    points = []
    for hours in (3, 1, 0, 20, 48):
        world.later(hours=hours)
        changed = world.store.transact(lambda s: tickets.age_priorities(s, world.now))
        points.append((changed, world.tickets()[0].priority_points))
    assert points == [(0, 22), (1, 27), (0, 27), (1, 32), (1, 37)]
    assert world.tickets()[1].priority_points == answered.priority_points
    assert {part["key"]: part["points"] for part in world.tickets()[0].priority_parts} == {
        "urgency": 10, "negative": 2, "intent": 10, "waiting": 15,
    }  # fmt: skip
    assert waiting.priority == "normal"
