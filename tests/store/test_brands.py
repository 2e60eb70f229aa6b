"""Brands are found whatever the case, and a drill goes without a trace."""

from __future__ import annotations

from sqlalchemy import func, select

from store import brands
from store.assessments import claim_unassessed, record_assessments
from store.database import Store
from store.models import Base, Brand, Customer, Ticket, TicketConversation
from store.models.mentions import Author, Mention
from store.rollups import recount
from tests.builders import AReading, a_brand, a_post, take_in
from tests.conftest import START


def counts(store: Store) -> dict[str, int]:
    with store.read() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }


def test_a_brand_is_made_once_whatever_the_case_of_its_name(store: Store) -> None:
    with store.write() as session:
        first = brands.ensure_brand(session, "Acme", START)
        assert brands.ensure_brand(session, " ACME ", START).id == first.id
        assert session.scalar(select(func.count()).select_from(Brand)) == 1


def test_a_drill_brand_goes_with_all_that_is_its_own(store: Store) -> None:
    with store.write() as session:
        real = a_brand(session, "Real")
        take_in(session, [a_post(f"r{i}", f"kept {i}") for i in range(5)], real)
    before = counts(store)
    with store.write() as session:
        drill = a_brand(session, "Drill", realm="drill")
        posts = [a_post(f"d{i}", f"gone {i}", author=f"x{i}") for i in range(20)]
        take_in(session, posts, drill)
        waiting = claim_unassessed(session, "w", START)
        record_assessments(
            session, [(w, AReading()) for w in waiting if w.text.startswith("gone")], START
        )
        mention = session.scalars(select(Mention).where(Mention.external_id == "d1")).one()
        customer = Customer(created_at=START)
        session.add(customer)
        session.flush()
        session.get_one(Author, mention.author_id).customer_id = customer.id
        ticket = Ticket(
            number="DR-1",
            brand_id=drill,
            customer_id=customer.id,
            category="complaint",
            created_at=START,
            changed_at=START,
            last_inbound_at=START,
        )
        session.add(ticket)
        session.flush()
        session.add(
            TicketConversation(
                ticket_id=ticket.id, conversation_id=mention.conversation_id, linked_at=START
            )
        )
    with store.write() as session:
        assert brands.remove_brand(session, drill) == 20
        assert not recount(session)
    assert counts(store) == before


def test_a_mention_of_two_brands_stays_with_the_other_one(store: Store) -> None:
    with store.write() as session:
        real, drill = a_brand(session, "Real"), a_brand(session, "Drill", realm="drill")
        take_in(session, [a_post("both")], real, drill)
    with store.write() as session:
        assert brands.remove_brand(session, drill) == 0
        assert session.scalar(select(func.count()).select_from(Mention)) == 1
        assert not recount(session)
