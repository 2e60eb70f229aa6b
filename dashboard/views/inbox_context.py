"""The right of the inbox: the customer over platforms, earlier tickets, why this priority."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import parts, terms
from dashboard.desk import Desk
from dashboard.hostile import escape, link, one_line
from dashboard.views import inbox
from responder import sla
from store import customers
from store.customers import CustomerContext
from store.threads import TicketView


def show(desk: Desk, view: TicketView) -> None:
    """Draw the pane."""
    with desk.store.read() as session:
        customer = (
            customers.customer_context(session, view.ticket.customer_id, desk.all_brand_ids)
            if view.ticket.customer_id is not None
            else None
        )
        calendars = sla.calendars_by_id(session)
    clock, state, title = inbox.clock_words(desk, view.ticket, calendars, desk.clock_now())
    holder = one_line(view.ticket.assignee_name or desk.t("Nobody"), 60)
    facts = {desk.t("Who has it"): escape(holder)}
    if clock:
        facts[desk.t("Time limit")] = (
            f'<span class="chip {escape(state)}" title="{escape(title)}">{escape(clock)}</span>'
        )
    facts[desk.t("Opened")] = parts.when(desk, view.ticket.created_at)
    st.html(parts.facts(facts))
    _priority(desk, view)
    if customer is not None:
        _customer(desk, view, customer)
    _reading(desk, view)


def _customer(desk: Desk, view: TicketView, customer: CustomerContext) -> None:
    name = one_line(customer.name, 60) or desk.t("Unknown author")
    vip = f" {parts.chip(desk.t('VIP'), 'tag')}" if customer.vip else ""
    rows = []
    for one in customer.identities:
        handle = one_line(one.handle or one.name, 40)
        followers = (
            " · " + escape(desk.nt("{n} follower", "{n} followers", one.followers))
            if one.followers
            else ""
        )
        posts = escape(desk.nt("{n} post", "{n} posts", one.mentions))
        where = link(one.url, terms.platform(desk, one.platform))
        rows.append(f"<li>{where} <bdi>{escape(handle)}</bdi>{followers} · {posts}</li>")
    st.html(
        f'<p class="pane-title">{escape(desk.t("Customer"))}</p>'
        f"<p><strong><bdi>{escape(name)}</bdi></strong>{vip}</p>"
        f'<ul class="reasons">{"".join(rows)}</ul>'
    )
    others = [one for one in customer.tickets if one.id != view.ticket.id]
    st.html(f'<p class="pane-title">{escape(desk.t("Earlier tickets"))}</p>')
    if not others:
        st.caption(desk.t("None: this is the first."))
    for earlier in others[:8]:
        word = terms.word(desk, terms.STATUSES, earlier.status)
        label = f"{earlier.number} · {word} · {desk.formats.day(earlier.created_at)}"
        if st.button(label, key=f"earlier-{earlier.id}", type="tertiary"):
            st.session_state["ticket"] = earlier.id
            st.rerun()


def _priority(desk: Desk, view: TicketView) -> None:
    ticket = view.ticket
    word = terms.word(desk, terms.PRIORITIES, ticket.priority)
    points = desk.t("{priority}, {n} points", priority=word, n=ticket.priority_points)
    items = (
        "".join(f"<li>{escape(_part(desk, part))}</li>" for part in ticket.priority_parts)
        or f"<li>{escape(desk.t('Nothing urgent was found.'))}</li>"
    )
    st.html(
        f'<p class="pane-title">{escape(desk.t("Why this priority"))}</p>'
        f"<p>{escape(points)}</p>"
        f'<ul class="reasons">{items}</ul>'
    )


def _part(desk: Desk, part: Mapping[str, Any]) -> str:
    detail = part.get("detail", {})
    points = desk.formats.change_of_points(int(part.get("points", 0)))
    said = {
        "urgency": lambda: desk.t(
            "urgency {word}",
            word=terms.word(desk, terms.URGENCIES, str(detail.get("urgency", 0))),
        ),
        "negative": lambda: desk.t(
            "{percent} negative", percent=desk.formats.percent(float(detail.get("p_negative", 0)))
        ),
        "intent": lambda: terms.word(desk, terms.INTENTS, str(detail.get("intent", "other"))),
        "followers": lambda: desk.nt(
            "{n} follower", "{n} followers", int(detail.get("followers", 0))
        ),
        "vip": lambda: desk.t("VIP"),
        "repeated": lambda: desk.t("wrote or had tickets before"),
        "waiting": lambda: desk.t(
            "waits for {n} hours", n=desk.formats.number(float(detail.get("hours", 0)))
        ),
        "person": lambda: desk.t("set by a colleague"),
    }
    key = str(part.get("key", ""))
    return f"{said[key]() if key in said else key} ({points})"


def _reading(desk: Desk, view: TicketView) -> None:
    posts = [
        entry.post
        for entry in view.thread
        if entry.post is not None and entry.post.direction == "inbound" and entry.post.read
    ]
    theirs = [
        post
        for post in posts
        if post.writer is not None and post.writer.customer_id == view.ticket.customer_id
    ]
    reads = [post.read for post in theirs or posts if post.read is not None]
    if not reads:
        return
    read = reads[-1]
    percent = desk.formats.percent
    unsure = escape(desk.t("unsure, please judge")) if read.unsure else ""
    st.html(
        f'<p class="pane-title">{escape(desk.t("Why this class"))}</p>'
        + parts.facts(
            {
                desk.t("Class"): escape(terms.word(desk, terms.INTENTS, read.intent)),
                desk.t("Sentiment"): escape(
                    " · ".join(
                        f"{terms.word(desk, terms.SENTIMENTS, name)} {percent(share)}"
                        for name, share in (
                            ("negative", read.p_negative),
                            ("neutral", read.p_neutral),
                            ("positive", read.p_positive),
                        )
                    )
                )
                + (f" · {unsure}" if unsure else ""),
                desk.t("Model"): escape(one_line(read.model, 60)),
            }
        )
    )
