"""Inbox: the list, the thread with its composer, and what is known of the customer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import streamlit as st

from calendars.business import Calendar
from dashboard import actions, components, parts, terms
from dashboard.desk import Desk
from dashboard.hostile import one_line, plain
from dashboard.views import inbox_context, inbox_thread
from responder import sla
from store import threads, users
from store import tickets as stored
from store.tickets import NOBODY, Sort, TicketFilter, TicketPage, TicketRow

_SORTS = ("newest", "oldest", "due", "priority")


def show(desk: Desk) -> None:
    """Draw the page."""
    if not desk.scope.brand_ids:
        st.title(desk.t("Inbox"))
        parts.empty(
            desk.t("No tickets yet"),
            desk.t("Here complaints, enquiries and urgent posts wait for an answer."),
            desk.t("Add a brand under Brands & queries, then connect a source under Sources."),
        )
        return
    left, middle, right = st.columns([30, 44, 26], gap="small")
    with left, st.container(key="inbox-list", height=600, border=False):
        _list(desk)
    ticket_id = st.session_state.get("ticket")
    view = _view(desk, ticket_id)
    with middle, st.container(key="inbox-thread", height=600, border=False):
        actions.show_said()
        if view is None:
            _nothing_open(desk)
        else:
            inbox_thread.show(desk, view)
    with right, st.container(key="inbox-context", height=600, border=False):
        if view is not None:
            inbox_context.show(desk, view)


def _view(desk: Desk, ticket_id: int | None) -> threads.TicketView | None:
    if ticket_id is None:
        return None
    with desk.store.read() as session:
        return threads.ticket_view(session, ticket_id, desk.all_brand_ids)


def _nothing_open(desk: Desk) -> None:
    parts.empty(
        desk.t("No ticket is open here"),
        desk.t("Choose a ticket on the left to read its thread and answer."),
        desk.t("Keys: j and k move, r replies, a takes, e resolves, / searches, ? shows help."),
    )


@st.fragment(run_every=10)
def _list(desk: Desk) -> None:
    if not desk.still_signed_in():
        st.rerun()
    now = desk.clock_now()
    which, sort = _filters(desk)
    pages: list[str] = st.session_state.setdefault("inbox_pages", [])
    if st.session_state.get("inbox_asked") != (which, sort):
        st.session_state["inbox_asked"] = (which, sort)
        pages.clear()
    with desk.store.read() as session:
        found = stored.list_tickets(session, which, sort, pages[-1] if pages else None)
        calendars = sla.calendars_by_id(session)
    if not found.rows:
        _empty_list(desk, which)
        return
    data = {
        "rows": [_row(desk, row, calendars, now) for row in found.rows],
        "selected": st.session_state.get("ticket"),
        "labels": {"list": desk.t("Tickets")},
    }
    picked = components.ticket_list(data, key="ticket-list")
    _pager(desk, pages, found)
    if picked is not None and picked != st.session_state.get("ticket"):
        st.session_state["ticket"] = picked
        st.rerun()


def _empty_list(desk: Desk, which: TicketFilter) -> None:
    narrowed = which.text or which.categories or which.priorities or which.platforms
    if narrowed or which.languages or which.assignee is not None or which.statuses != ("open",):
        parts.empty(
            desk.t("Nothing found"),
            desk.t("No ticket fits the filter."),
            desk.t("Choose another status or take the filter away."),
        )
        return
    parts.empty(
        desk.t("Nothing waits"),
        desk.t("No ticket is open. New complaints, enquiries and urgent posts appear here."),
        desk.t("Every post, with or without a ticket, is under Mentions."),
    )


def _filters(desk: Desk) -> tuple[TicketFilter, Sort]:
    base = TicketFilter(brand_ids=desk.scope.brand_ids)
    with desk.store.read() as session:
        counts = stored.count_tickets(session, base, desk.person.id, desk.clock_now())
        people = users.names(session)
    status = st.segmented_control(
        desk.t("Status"),
        list(terms.STATUSES),
        format_func=lambda one: (
            f"{desk.t(terms.STATUSES[one])} {desk.formats.number(counts.by_status.get(one, 0))}"
        ),
        default="open",
        required=True,
        key="inbox_status",
        label_visibility="collapsed",
        width="stretch",
    )
    with st.container(horizontal=True, gap="small"):
        words = st.text_input(
            desk.t("Search"), key="inbox_words", placeholder=desk.t("Subject or number"),
            label_visibility="collapsed", icon=":material/search:",
        )  # fmt: skip
        with st.popover(desk.t("Filter"), icon=":material/tune:"):
            chosen = _more_filters(desk, people)
        with st.container(key="keys", width="content"), st.popover("?"):
            _keys(desk)
    return (
        TicketFilter(
            brand_ids=desk.scope.brand_ids,
            statuses=(status,) if status else (),
            categories=tuple(chosen["class"]),
            priorities=tuple(chosen["priority"]),
            platforms=tuple(chosen["platform"]),
            languages=tuple(chosen["language"]),
            assignee=chosen["assignee"],
            text=words or "",
        ),
        cast(Sort, chosen["sort"]),
    )


def _more_filters(desk: Desk, people: Mapping[int, str]) -> dict[str, Any]:
    sorts = {
        "newest": desk.t("Newest first"),
        "oldest": desk.t("Oldest first"),
        "due": desk.t("Due first"),
        "priority": desk.t("Most urgent first"),
    }
    intents = [name for name in terms.INTENTS if name != "unscored"]
    holders: dict[Any, str] = {
        None: desk.t("Everybody"),
        desk.person.id: desk.t("Mine"),
        NOBODY: desk.t("Nobody's"),
        **{key: name for key, name in people.items() if key != desk.person.id},
    }
    anything = desk.t("All")
    return {
        "sort": st.selectbox(
            desk.t("Order"), _SORTS, format_func=lambda one: sorts[one], key="inbox_sort"
        ),
        "assignee": st.selectbox(
            desk.t("Who has it"), list(holders), format_func=lambda one: plain(holders[one]),
            key="inbox_assignee",
        ),
        "class": st.multiselect(
            desk.t("Class"), intents, format_func=lambda one: desk.t(terms.INTENTS[one]),
            placeholder=anything, key="inbox_class",
        ),
        "priority": st.multiselect(
            desk.t("Priority"), list(terms.PRIORITIES),
            format_func=lambda one: desk.t(terms.PRIORITIES[one]),
            placeholder=anything, key="inbox_priority",
        ),
        "platform": st.multiselect(
            desk.t("Platform"), list(terms.PLATFORMS),
            format_func=lambda one: terms.platform(desk, one), placeholder=anything,
            key="inbox_platform",
        ),
        "language": st.multiselect(
            desk.t("Language"), ["en", "zh", "ja", "ko", "de", "fr", "es", "und"],
            format_func=lambda one: terms.language(desk, one), placeholder=anything,
            key="inbox_language",
        ),
    }  # fmt: skip


def _keys(desk: Desk) -> None:
    keys = {
        "j k": desk.t("next and previous ticket"),
        "r": desk.t("reply"),
        "a": desk.t("take the ticket"),
        "e": desk.t("resolve"),
        "/": desk.t("search"),
        "?": desk.t("this help"),
        "Ctrl Enter": desk.t("send the reply"),
    }
    st.html(parts.facts({key: parts.chip(word, "plain") for key, word in keys.items()}))


def _row(
    desk: Desk, row: TicketRow, calendars: Mapping[int, Calendar], now: datetime
) -> dict[str, Any]:
    clock, state, title = clock_words(desk, row, calendars, now)
    mood = row.mood
    sentiment = mood.sentiment if mood else "unscored"
    word = terms.word(desk, terms.SENTIMENTS, sentiment)
    trouble = desk.t("Reply not sent") if row.reply_trouble else ""
    shown = row.priority in {"urgent", "high"}
    return {
        "id": row.id,
        "author": one_line(row.customer_name or row.author_handle or "", 40)
        or desk.t("Unknown author"),
        "platform": terms.platform(desk, row.platform),
        "age": desk.formats.ago(row.last_inbound_at, now),
        "when": desk.formats.moment(row.last_inbound_at),
        "line": one_line(row.subject, 120),
        "sentiment": sentiment,
        "sentiment_word": desk.t("{sentiment}, unsure", sentiment=word)
        if mood and mood.unsure
        else word,
        "category": terms.word(desk, terms.INTENTS, row.category),
        "priority": row.priority,
        "priority_word": terms.word(desk, terms.PRIORITIES, row.priority) if shown else "",
        "trouble": trouble,
        "clock": clock,
        "clock_state": state,
        "clock_title": title,
        "holder": one_line(row.assignee_name or "", 24),
    }


def clock_words(
    desk: Desk, row: TicketRow, calendars: Mapping[int, Calendar], now: datetime
) -> tuple[str, str, str]:
    """The ticket's nearest clock: its words, its state (ok, soon, late, …) and its title."""
    for kind, name in (
        (sla.FIRST_RESPONSE, desk.t("First response")),
        (sla.RESOLUTION, desk.t("Resolution")),
    ):
        clock = row.clocks.get(kind)
        if clock is None or clock.stopped_at is not None or clock.calendar_id not in calendars:
            continue
        found = sla.clock_state(clock, now, calendars[clock.calendar_id])
        span = desk.formats.minutes(abs(found.minutes_left))
        if found.state == "paused":
            return desk.t("paused"), "paused", desk.t("{clock}: paused", clock=name)
        title = desk.t("{clock} due {time}", clock=name, time=desk.formats.moment(clock.due_at))
        if found.state == "late":
            return desk.t("{span} late", span=span), "late", title
        return desk.t("{span} left", span=span), found.state, title
    return "", "none", ""


def _pager(desk: Desk, pages: list[str], found: TicketPage) -> None:
    if not pages and found.next is None:
        return
    with st.container(horizontal=True):
        if st.button(desk.t("Back"), disabled=not pages, icon=":material/chevron_left:"):
            pages.pop()
            st.rerun(scope="fragment")
        if found.next is not None and st.button(desk.t("More"), icon=":material/chevron_right:"):
            pages.append(found.next)
            st.rerun(scope="fragment")
