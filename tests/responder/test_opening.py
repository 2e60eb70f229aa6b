"""Tickets that a person opens for posts which triage let pass."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from responder import opening, sla
from responder.errors import Collision, TicketError
from store import ticket_links as links
from store.clock import SetClock
from store.database import Store
from store.models import AuditEvent, Mention, SlaClock, Ticket
from tests.dashboard import seed
from tests.responder.world import Said, World


@pytest.fixture
def posts(store: Store, clock: SetClock) -> tuple[int, int, list[int]]:
    """An own brand, a competitor, and three mentions of the own one that are history."""
    with store.write() as session:
        own = seed.add_brand(session, "Own", clock.now()).id
        other = seed.add_brand(session, "Other", clock.now(), kind="competitor").id
        sla.ensure_defaults(session)
    seed.add_posts(store, own, clock.now(), count=3, days=2)
    with store.read() as session:
        return own, other, list(session.scalars(select(Mention.id).order_by(Mention.id)))


def test_it_opens_one_ticket_whose_clocks_start_now(
    store: Store, clock: SetClock, posts: tuple[int, int, list[int]]
) -> None:
    own, _, mentions = posts
    with store.write() as session:
        who = seed.add_user(session, "agent@example.com", "agent", clock.now()).id
    ticket = store.transact(
        lambda session: opening.open_for(session, mentions[0], own, who, clock.now(), "enquiry")
    )
    with store.read() as session:
        clocks = session.scalars(select(SlaClock).where(SlaClock.ticket_id == ticket.id)).all()
        logged = session.scalars(select(AuditEvent.action)).all()
    assert (ticket.number, ticket.category) == ("GS-2026-000001", "enquiry")
    assert {one.started_at for one in clocks} == {clock.now()}
    assert {one.kind for one in clocks} == {"first_response", "resolution"}
    assert logged == ["ticket.opened"]


def test_a_second_one_is_refused_with_the_number_of_the_first(
    store: Store, clock: SetClock, posts: tuple[int, int, list[int]]
) -> None:
    own, _, mentions = posts
    store.transact(lambda session: opening.open_for(session, mentions[0], own, None, clock.now()))
    with pytest.raises(Collision, match="GS-2026-000001"):
        store.transact(
            lambda session: opening.open_for(session, mentions[0], own, None, clock.now())
        )
    with store.read() as session:
        assert len(session.scalars(select(Ticket)).all()) == 1


def test_competitors_and_deleted_posts_get_none(
    store: Store, clock: SetClock, posts: tuple[int, int, list[int]]
) -> None:
    own, other, mentions = posts
    with store.write() as session:
        session.get_one(Mention, mentions[1]).deleted_at = clock.now() - timedelta(hours=1)
    for mention, brand in ((mentions[1], own), (mentions[2], other)):
        with pytest.raises(TicketError):
            store.transact(
                lambda session, m=mention, b=brand: opening.open_for(
                    session, m, b, None, clock.now()
                )
            )
    with store.read() as session:
        assert session.scalars(select(Ticket)).all() == []


def open_it(world: World, mention_id: int, brand: str = "Acme", **more: object) -> Ticket:
    return world.store.transact(
        lambda session: opening.open_for(
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
        lambda s: opening.open_for(
            s, mention_id, world.brands["Acme"], ann, world.now, "suggestion"
        )
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
