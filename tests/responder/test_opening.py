"""Tickets that a person opens for posts which triage let pass."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from responder import opening, sla
from responder.errors import Collision, TicketError
from store.clock import SetClock
from store.database import Store
from store.models import AuditEvent, Mention, SlaClock, Ticket
from tests.dashboard import seed


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
