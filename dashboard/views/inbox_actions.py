"""What is done with a ticket: take, assign, resolve, wait, snooze, note, class and priority."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, terms
from dashboard.desk import Desk
from dashboard.hostile import plain
from responder import tickets
from store import users
from store.threads import TicketView


def show(desk: Desk, view: TicketView) -> None:
    """Draw the row of buttons."""
    ticket = view.ticket
    me, status = desk.person.id, ticket.status
    with st.container(horizontal=True, gap="small", key="ticket-actions"):
        if ticket.assignee_id != me:
            over = ticket.assignee_id is not None
            label = desk.t("Take over") if over else desk.t("Take")
            with st.container(key="take", width="content"):
                if st.button(label, icon=":material/person_add:"):
                    _do(desk, view, lambda s: tickets.take(s, ticket.id, me, _now(desk), over=over))
        if status == "resolved":
            if st.button(desk.t("Reopen"), icon=":material/replay:"):
                _do(desk, view, lambda s: tickets.reopen(s, ticket.id, me, _now(desk)))
        else:
            with st.container(key="resolve", width="content"):
                if st.button(desk.t("Resolve"), icon=":material/check:"):
                    _do(desk, view, lambda s: tickets.resolve(s, ticket.id, me, _now(desk)))
            _waiting(desk, view)
        with st.popover(desk.t("Note"), icon=":material/edit_note:"):
            _note(desk, view)
        with st.popover(desk.t("Change"), icon=":material/more_horiz:"):
            _change(desk, view)


def _waiting(desk: Desk, view: TicketView) -> None:
    ticket, me = view.ticket, desk.person.id
    if ticket.status in {"pending", "snoozed"}:
        if st.button(desk.t("Back to work"), icon=":material/play_arrow:"):
            _do(desk, view, lambda s: tickets.set_open(s, ticket.id, me, _now(desk)))
        return
    with st.popover(desk.t("Later"), icon=":material/schedule:"):
        if st.button(desk.t("Wait for the customer"), width="stretch"):
            _do(desk, view, lambda s: tickets.set_pending(s, ticket.id, me, _now(desk)))
        for label, until in _moments(desk):
            if st.button(label, width="stretch"):
                _do(desk, view, _snoozing(desk, ticket.id, until))


def _snoozing(desk: Desk, ticket_id: int, until: datetime) -> Callable[[Session], object]:
    return lambda s: tickets.snooze(s, ticket_id, desk.person.id, _now(desk), until)


def _moments(desk: Desk) -> list[tuple[str, datetime]]:
    now = desk.now
    here = now.astimezone(desk.formats.zone)
    tomorrow = datetime.combine(here.date() + timedelta(days=1), time(9), desk.formats.zone)
    monday = datetime.combine(
        here.date() + timedelta(days=7 - here.weekday()), time(9), desk.formats.zone
    )
    return [
        (desk.t("Snooze for one hour"), now + timedelta(hours=1)),
        (desk.t("Snooze for three hours"), now + timedelta(hours=3)),
        (desk.t("Snooze until tomorrow, 09:00"), tomorrow.astimezone(UTC)),
        (desk.t("Snooze until Monday, 09:00"), monday.astimezone(UTC)),
    ]


def _note(desk: Desk, view: TicketView) -> None:
    with st.form(f"note-{view.ticket.id}", border=False, clear_on_submit=True):
        text = st.text_area(desk.t("A note that only colleagues see"), height=120)
        if st.form_submit_button(desk.t("Save"), type="primary"):
            _do(
                desk,
                view,
                lambda s: tickets.add_note(s, view.ticket.id, desk.person.id, _now(desk), text),
            )


def _change(desk: Desk, view: TicketView) -> None:
    ticket, me = view.ticket, desk.person.id
    with desk.store.read() as session:
        people = {one.id: one.name or one.email for one in users.assignable(session)}
    holders: list[int | None] = [None, *people]
    intents = list(tickets.CATEGORIES)
    priorities = list(terms.PRIORITIES)
    with st.form(f"change-{ticket.id}", border=False):
        holder = st.selectbox(
            desk.t("Assign to"), holders,
            index=holders.index(ticket.assignee_id) if ticket.assignee_id in holders else 0,
            format_func=lambda one: plain(people[one]) if one in people else desk.t("Nobody"),
        )  # fmt: skip
        category = st.selectbox(
            desk.t("Class"), intents, index=intents.index(ticket.category),
            format_func=lambda one: desk.t(terms.INTENTS[one]),
        )  # fmt: skip
        priority = st.selectbox(
            desk.t("Priority"), priorities, index=priorities.index(ticket.priority),
            format_func=lambda one: desk.t(terms.PRIORITIES[one]),
        )  # fmt: skip
        if not st.form_submit_button(desk.t("Save"), type="primary"):
            return

    def work(session: Session) -> None:
        now = _now(desk)
        if holder != ticket.assignee_id:
            tickets.assign(session, ticket.id, me, now, holder)
        if category != ticket.category:
            tickets.set_category(session, ticket.id, me, now, category)
        if priority != ticket.priority:
            chosen = next(one for one in tickets.PRIORITIES if one == priority)
            tickets.set_priority(session, ticket.id, me, now, chosen)

    _do(desk, view, work)


def _do(desk: Desk, view: TicketView, work: Callable[[Session], object]) -> None:
    actions.do(desk, "work_tickets", work, ticket_id=view.ticket.id)
    st.rerun()


def _now(desk: Desk) -> datetime:
    return desk.clock_now()
