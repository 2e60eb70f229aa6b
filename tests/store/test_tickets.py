"""The inbox: lists, counts, one ticket with its thread, a customer over platforms."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import get_args

import pytest
from sqlalchemy import event

from responder import replies, sla, tickets
from store import tickets as inbox
from store.clock import SetClock
from store.customers import customer_context, set_vip
from store.database import Store
from store.models import Author
from store.replies import due, store_outbound
from store.service_levels import overdue_clocks
from store.threads import ticket_view
from store.tickets import Sort, TicketFilter
from store.triage import take_pending
from tests.responder.world import Said, World


@pytest.fixture
def world(store: Store, clock: SetClock) -> World:
    made = World(store, clock)
    made.brand("Acme")
    return made


def many(world: World, count: int = 9) -> None:
    for n in range(count):
        world.post(
            f"p{n}",
            f"Post number {n}",
            Said(("complaint", "enquiry")[n % 2], n % 4, 0.9),
            author=f"a{n}",
            platform=("bluesky", "x")[n % 3 == 0],
        )
        world.triage()
        world.later(minutes=3)


def pages(world: World, which: TicketFilter, sort: Sort, limit: int = 4) -> list[int]:
    found: list[int] = []
    after = None
    while True:
        with world.store.read() as session:
            page = inbox.list_tickets(session, which, sort, after, limit)
        assert len(page.rows) <= limit
        found += [row.id for row in page.rows]
        after = page.next
        if after is None:
            return found


def test_pages_show_every_ticket_once_in_the_order_asked_for(world: World) -> None:
    many(world)
    everything = TicketFilter()
    rows = {ticket.id: ticket for ticket in world.tickets()}
    ids = sorted(rows)
    assert pages(world, everything, "newest") == ids[::-1]
    assert pages(world, everything, "oldest") == ids
    by_priority = pages(world, everything, "priority")
    points = [rows[key].priority_points for key in by_priority]
    assert sorted(by_priority) == ids
    ranks = [("low", "normal", "high", "urgent").index(rows[key].priority) for key in by_priority]
    assert ranks == sorted(ranks, reverse=True)
    assert points == sorted(points, reverse=True)
    by_due = pages(world, everything, "due")
    with world.store.read() as session:
        found = inbox.list_tickets(session, everything, "due").rows
    dues = [min(clock.due_at for clock in row.clocks.values()) for row in found]
    assert sorted(by_due) == ids
    assert dues == sorted(dues)


def test_tickets_that_change_between_pages_make_no_page_fail(world: World) -> None:
    many(world, 6)
    with world.store.read() as session:
        page = inbox.list_tickets(session, TicketFilter(), "newest", None, 3)
    world.post("new", author="new")
    world.triage()
    with world.store.read() as session:
        rest = inbox.list_tickets(session, TicketFilter(), "newest", page.next, 10)
    seen = [row.id for row in (*page.rows, *rest.rows)]
    assert len(seen) == len(set(seen)) == 6


@pytest.mark.parametrize("cursor", ["", "x", "[1]", "null", '["2026", "x"]', "[{}, 1]"])
@pytest.mark.parametrize("sort", get_args(Sort))
def test_a_made_up_cursor_is_refused(
    sqlite_store: Store, clock: SetClock, cursor: str, sort: Sort
) -> None:
    with sqlite_store.read() as session, pytest.raises(ValueError, match="not the end of a page"):
        inbox.list_tickets(session, TicketFilter(), sort, cursor)


def test_filters_leave_only_what_fits(world: World) -> None:
    many(world)
    ann = world.person("Ann")
    first, second, third, *_ = world.tickets()
    with world.store.write() as session:
        tickets.take(session, first.id, ann, world.now)
        tickets.resolve(session, second.id, ann, world.now)
        tickets.set_pending(session, third.id, ann, world.now)

    def ids(**values: object) -> list[int]:
        return pages(world, TicketFilter(**values), "oldest")  # type: ignore[arg-type]

    assert ids(statuses=("resolved",)) == [second.id]
    assert ids(statuses=("resolved", "pending")) == [second.id, third.id]
    assert ids(assignee=ann) == [first.id]
    assert len(ids(assignee="nobody")) == 8
    assert ids(categories=("enquiry",)) == [
        t.id for t in world.tickets() if t.category == "enquiry"
    ]
    assert len(ids(platforms=("x",))) == 3
    assert len(ids(languages=("en",))) == 9
    assert ids(languages=("zh",)) == []
    assert ids(text="number 4") == [world.tickets()[4].id]
    assert ids(text="gs-2026-000003") == [third.id]
    assert ids(text="100%_") == []
    assert ids(customer_id=first.customer_id) == [first.id]
    assert ids(priorities=("urgent",)) == [t.id for t in world.tickets() if t.priority == "urgent"]
    assert ids(brand_ids=()) == []


def test_a_reader_sees_only_the_tickets_of_their_brands(world: World) -> None:
    world.brand("Other")
    world.post("p1")
    world.post("q1", brands=("Other",))
    world.triage()
    mine, other = world.tickets()
    only = (world.brands["Acme"],)
    assert pages(world, TicketFilter(brand_ids=only), "newest") == [mine.id]
    with world.store.read() as session:
        assert inbox.by_number(session, other.number, only) is None
        assert inbox.row_of(session, other.id, only) is None
        assert ticket_view(session, other.id, only) is None
        counts = inbox.count_tickets(session, TicketFilter(brand_ids=only), None, world.now)
        assert sum(counts.by_status.values()) == 1
        assert mine.customer_id is not None
        context = customer_context(session, mine.customer_id, only)
    assert context is not None
    assert [ticket.number for ticket in context.tickets] == [mine.number]
    assert (context.ticket_count, context.identities[0].mentions) == (1, 1)


def test_counts_are_those_of_the_rows(world: World) -> None:
    many(world)
    ann = world.person("Ann")
    first, second, third, *_ = world.tickets()
    with world.store.write() as session:
        tickets.take(session, first.id, ann, world.now)
        tickets.take(session, second.id, ann, world.now)
        tickets.resolve(session, second.id, ann, world.now)
        tickets.set_pending(session, third.id, ann, world.now)
    world.later(minutes=38)
    with world.store.read() as session:
        counts = inbox.count_tickets(session, TicketFilter(statuses=("open",)), ann, world.now)
        rows = inbox.list_tickets(session, TicketFilter(statuses=("open",))).rows
        calendars = sla.calendars_by_id(session)
    late = [
        row
        for row in rows
        if any(
            sla.clock_state(clock, world.now, calendars[clock.calendar_id]).state == "late"
            for clock in row.clocks.values()
        )
    ]
    assert counts.by_status == {"open": 7, "pending": 1, "snoozed": 0, "resolved": 1}
    assert (counts.mine, counts.unassigned) == (1, 7)
    assert counts.late == len(late) == 1


def test_a_row_says_who_wrote_how_they_feel_and_what_went_wrong(world: World) -> None:
    mention_id = world.post("p1", said=Said("complaint", 1, 0.6), author="carol")
    world.triage()
    ticket_id = world.ticket().id
    world.later(minutes=1)
    world.post("p2", "Worse!", Said("complaint", 1, 0.97, unsure=True), author="dave", thread="p1")
    with world.store.write() as session:
        reply = replies.compose(session, ticket_id, mention_id, "Hi", None, world.now, "fake")
        reply.status = "uncertain"
        assert world.ticket().customer_id is not None
        set_vip(session, world.ticket().customer_id or 0, True)
    with world.store.read() as session:
        (row,) = inbox.list_tickets(session, TicketFilter()).rows
    assert (row.author_handle, row.customer_name, row.vip) == ("@dave", "Carol", True)
    assert row.mood is not None
    assert (row.mood.p_negative, row.mood.unsure) == (pytest.approx(0.97), True)
    assert row.reply_trouble == 1
    assert set(row.clocks) == {"first_response", "resolution"}
    assert [part["key"] for part in row.priority_parts] == ["urgency", "negative", "intent"]


def test_the_thread_goes_from_oldest_to_newest_with_ours_in_every_state(world: World) -> None:
    ann = world.person("Ann")
    question = world.post("p1", "Where is it?")
    world.triage()
    ticket_id = world.ticket().id
    bodies = {}
    for status in ("sent", "failed", "draft"):
        world.later(minutes=1)
        with world.store.write() as session:
            reply = replies.compose(
                session, ticket_id, question, f"Answer {status}", ann, world.now, "fake"
            )
            reply.status, reply.next_attempt_at = status, None
            bodies[status] = reply.id
            if status == "sent":
                store_outbound(
                    session, reply, namespace="", external_id="r1", url=None,
                    brand_id=world.brands["Acme"], now=world.now,
                )  # fmt: skip
                reply.external_id, reply.sent_at = "r1", world.now
    world.later(minutes=1)
    world.post("p2", "Thanks <b>!", Said("praise", 0, 0.0), thread="p1")
    world.triage()
    with world.store.read() as session:
        view = ticket_view(session, ticket_id)
    assert view is not None
    shown = [
        (entry.post.text if entry.post else None, entry.answer.status if entry.answer else None)
        for entry in view.thread
    ]
    assert shown == [
        ("Where is it?", None),
        ("Answer sent", "sent"),
        (None, "failed"),
        ("Thanks <b>!", None),
    ]
    sent = view.thread[1].answer
    assert sent is not None
    assert (sent.id, sent.user_name) == (bodies["sent"], "Ann")
    first, last = view.thread[0].post, view.thread[-1].post
    assert first is not None
    assert first.writer is not None
    assert first.read is not None
    assert last is not None
    assert last.read is not None
    assert (first.writer.handle, first.read.intent, last.read.intent) == (
        "@carol", "complaint", "praise",
    )  # fmt: skip
    assert [draft.id for draft in view.drafts] == [bodies["draft"]]
    assert [line.kind for line in view.history] == world.events()
    assert view.history[1].user_name == "Ann"


def test_a_long_thread_is_shown_in_parts(world: World) -> None:
    for n in range(12):
        world.post(f"p{n}", thread="p0", ago=timedelta(minutes=60 - n))
    world.triage()
    with world.store.read() as session:
        view = ticket_view(session, world.ticket().id, length=5)
        assert view is not None
        posts = [entry.post.external_id for entry in view.thread if entry.post]
        assert (posts, view.has_earlier) == ([f"p{n}" for n in range(7, 12)], True)
        earlier = ticket_view(session, world.ticket().id, before=view.thread[0].at, length=50)
    assert earlier is not None
    assert [entry.post.external_id for entry in earlier.thread if entry.post] == [
        f"p{n}" for n in range(7)
    ]
    assert not earlier.has_earlier


def test_a_merged_ticket_shows_both_threads_and_histories(world: World) -> None:
    from responder.merging import merge

    world.post("p1", "First")
    world.triage()
    world.later(minutes=1)
    world.post("q1", "Second")
    world.triage()
    kept, gone = world.tickets()
    world.store.transact(lambda s: merge(s, kept.id, gone.id, None, world.now))
    with world.store.read() as session:
        view = ticket_view(session, kept.id)
    assert view is not None
    assert [entry.post.text for entry in view.thread if entry.post] == ["First", "Second"]
    assert view.merged == [(gone.id, gone.number)]
    assert {line.ticket_id for line in view.history} == {kept.id, gone.id}


def test_a_customer_is_seen_over_all_platforms(world: World) -> None:
    world.post("p1", author="carol")
    world.triage()
    customer_id = world.ticket().customer_id
    assert customer_id is not None
    world.post("x1", author="carol_x", platform="x")
    with world.store.write() as session:
        session.query(Author).filter(Author.external_id == "carol_x").update(
            {"customer_id": customer_id}
        )
    world.triage()
    with world.store.read() as session:
        context = customer_context(session, customer_id)
        assert customer_context(session, 999) is None
    assert context is not None
    assert [(one.platform, one.mentions) for one in context.identities] == [
        ("bluesky", 1), ("x", 1),
    ]  # fmt: skip
    assert {ticket.platform for ticket in context.tickets} == {"bluesky", "x"}
    assert context.ticket_count == 2


def test_what_runs_all_day_reads_its_indexes(sqlite_store: Store, clock: SetClock) -> None:
    brand = (1,)
    reads = {
        "ix_mention_triage": lambda s: take_pending(s, 200),
        "ix_ticket_status_inbound": lambda s: inbox.list_tickets(
            s, TicketFilter(statuses=("open",))
        ),
        "ix_ticket_brand_status_inbound": lambda s: inbox.list_tickets(
            s, TicketFilter(brand_ids=brand, statuses=("open",))
        ),
        "ix_reply_outgoing": lambda s: due(s, clock.now(), 20),
        "ix_sla_clock_running": lambda s: overdue_clocks(s, clock.now(), 500),
    }
    for index, read in reads.items():
        ran: list[tuple[str, tuple[object, ...]]] = []

        def note(_c: object, _cursor: object, sql: str, values: object, *_: object) -> None:
            ran.append((sql, values))  # noqa: B023 - called before the next round

        event.listen(sqlite_store.engine, "before_cursor_execute", note)
        with sqlite_store.read() as session:
            read(session)
        event.remove(sqlite_store.engine, "before_cursor_execute", note)
        sql, values = next(one for one in ran if one[0].startswith("SELECT"))
        with sqlite_store.engine.connect() as connection:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
        plan = "; ".join(row.detail for row in rows)
        assert re.search(rf"USING (COVERING )?INDEX {index}\b", plan), plan
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, plan
