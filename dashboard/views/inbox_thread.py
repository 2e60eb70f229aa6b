"""The middle of the inbox: what was said, oldest to newest, ours on the right; the composer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, channels, components, parts, posts, terms
from dashboard.desk import Desk
from dashboard.hostile import escape, link, one_line
from dashboard.views import inbox_actions, inbox_answers, inbox_history
from responder import drafts, replies
from responder.errors import CannedError
from store import canned, threads
from store.threads import Posted, ThreadEntry, TicketView

_KEPT_KEYS = 50


def show(desk: Desk, view: TicketView) -> None:
    """Draw the ticket's head, its thread and the composer."""
    _head(desk, view)
    if desk.may("work_tickets"):
        inbox_actions.show(desk, view)
    _thread(desk, view.ticket.id)
    target = _answered(view)
    if target is None or not desk.may("work_tickets"):
        return
    with st.container(key="composer"):
        _composer(desk, view, target)


def _head(desk: Desk, view: TicketView) -> None:
    ticket = view.ticket
    tags = [
        parts.chip(terms.word(desk, terms.STATUSES, ticket.status), "tag"),
        parts.chip(terms.word(desk, terms.INTENTS, ticket.category), "tag"),
        parts.chip(terms.word(desk, terms.PRIORITIES, ticket.priority), f"tag {ticket.priority}"),
        parts.chip(ticket.brand_name, "tag"),
    ]
    if ticket.snoozed_until is not None:
        until = desk.formats.short(ticket.snoozed_until, desk.now)
        tags.append(parts.chip(desk.t("until {time}", time=until), "tag"))
    merged = ", ".join(number for _, number in view.merged)
    also = f" · {escape(desk.t('also {numbers}', numbers=merged))}" if merged else ""
    st.html(
        f'<div class="ticket-head"><h1>{escape(ticket.number)}</h1>'
        f'<span class="subject"><bdi>{escape(one_line(ticket.subject, 100))}</bdi></span></div>'
        f'<div class="post-line">{" ".join(tags)}{also}</div>'
    )


@st.fragment(run_every=4)
def _thread(desk: Desk, ticket_id: int) -> None:
    if not desk.still_signed_in():
        st.rerun()
    earlier = st.session_state.get("thread_length", {}).get(ticket_id, threads.THREAD_LENGTH)
    with desk.store.read() as session:
        view = threads.ticket_view(session, ticket_id, desk.all_brand_ids, length=earlier)
    if view is None:
        parts.notice(desk.t("This ticket is no longer yours to see. Go back to the list."), "error")
        return
    with st.container(key="thread", height=360, border=False, autoscroll=True):
        if view.has_earlier and st.button(desk.t("Show earlier posts"), type="tertiary"):
            st.session_state["thread_length"] = {ticket_id: earlier + threads.THREAD_LENGTH}
            st.rerun(scope="fragment")
        for kind, item in inbox_history.merged(view):
            if kind == "entry":
                _entry(desk, item)
            else:
                st.html(inbox_history.line(desk, item))


def _entry(desk: Desk, entry: ThreadEntry) -> None:
    if entry.post is not None:
        st.html(_post(desk, entry.post))
    elif entry.answer is not None:
        inbox_answers.show(desk, entry.answer)


def _post(desk: Desk, post: Posted) -> str:
    ours = post.direction == "outbound"
    writer = post.writer
    head = posts.head_of(
        desk,
        desk.t("Us")
        if ours and writer is None
        else (writer.name or writer.handle)
        if writer
        else "",
        writer.handle if writer else "",
        writer.followers if writer and not ours else None,
        post.platform,
        post.url,
        post.posted_at,
    )
    tags = []
    if not ours:
        read = post.read
        sentiment = read.sentiment if read else None
        tags.append(posts.chip_of_sentiment(desk, sentiment, unsure=bool(read and read.unsure)))
        if read is not None:
            tags.append(parts.chip(terms.word(desk, terms.INTENTS, read.intent), "tag"))
    if post.edits:
        tags.append(parts.chip(desk.nt("edited {n} time", "edited {n} times", post.edits), "tag"))
    side = "ours" if ours else "theirs"
    foot = f'<div class="foot">{"".join(tags)}</div>' if tags else ""
    body = posts.body(desk, post.title, post.text, post.deleted_at is not None)
    return f'<article class="post {side}">{head}{body}{foot}</article>'


def _answered(view: TicketView) -> Posted | None:
    """The post that a reply answers: the customer's newest one that is still there."""
    inbound = [
        entry.post
        for entry in view.thread
        if entry.post is not None
        and entry.post.direction == "inbound"
        and entry.post.deleted_at is None
    ]
    theirs = [
        post
        for post in inbound
        if post.writer is not None and post.writer.customer_id == view.ticket.customer_id
    ]
    found = theirs or inbound
    return found[-1] if found else None


@st.fragment
def _composer(desk: Desk, view: TicketView, to: Posted) -> None:
    ticket, way = view.ticket, channels.way_out(to)
    with desk.store.read() as session:
        closes = replies.window_closes(session, to.id, way.rules)
        wording = canned.canned_responses(session, ticket.brand_id, None, ticket.category)
    closed = closes is not None and closes < desk.clock_now()
    rules = channels.rules_sentence(desk, to, way)
    if closes is not None:
        moment = desk.formats.short(closes, desk.now)
        rules += " · " + (
            desk.t("closed since {time}", time=moment) if closed
            else desk.t("possible until {time}", time=moment)
        )  # fmt: skip
    inserted: dict[str, Any] = st.session_state.setdefault("inserted", {"serial": 0, "text": ""})
    if wording:
        _wording(desk, view, wording)
        inserted = st.session_state["inserted"]
    if way.channel is None and to.url:
        st.html(f"<p>{link(to.url, desk.t('Open the post'))}</p>")
    sent_keys: dict[int, str] = st.session_state.setdefault("sent_keys", {})
    sent = components.composer(
        {
            "draft": f"groundswell-draft-{desk.person.id}-{ticket.id}",
            "most": way.rules.max_length if way.rules else None,
            "counts": way.rules.counts if way.rules else "characters",
            "closed": closed,
            "sent": sent_keys.get(ticket.id, ""),
            "insert": inserted,
            "labels": {
                "placeholder": desk.t("Write a reply"),
                "left": desk.t("{n} characters left", n="{n}"),
                "send": desk.t("Keep as answered by hand")
                if way.channel is None
                else desk.t("Send"),
                "rules": rules,
            },
        },
        key=f"composer-{ticket.id}",
    )
    if sent is not None:
        _send(desk, view, to, way, sent)


def _wording(desk: Desk, view: TicketView, wording: Any) -> None:
    ordered = sorted(wording, key=lambda one: one.language != view.ticket.language)
    titles = {one.id: one for one in ordered}
    picked = st.selectbox(
        desk.t("Standard wording"), [None, *titles],
        format_func=lambda one: one_line(titles[one].title, 60) if one in titles
        else desk.t("Insert standard wording …"),
        key=f"wording-{view.ticket.id}-{st.session_state['inserted']['serial']}",
        label_visibility="collapsed",
    )  # fmt: skip
    if picked is None:
        return
    row = titles[picked]
    values = drafts.DraftValues(
        customer=view.ticket.customer_name or "", agent=desk.person.shown,
        ticket=view.ticket.number, brand=view.ticket.brand_name,
    )  # fmt: skip
    try:
        text = drafts.fill(row.body, values, row.language)
    except CannedError as error:
        parts.notice(actions.desk_error(desk, error), "error")
        return
    serial = st.session_state["inserted"]["serial"] + 1
    st.session_state["inserted"] = {"serial": serial, "text": text}
    st.rerun(scope="fragment")


def _send(
    desk: Desk, view: TicketView, to: Posted, way: channels.WayOut, sent: Mapping[str, Any]
) -> None:
    text, key = str(sent.get("text", "")), str(sent.get("key", ""))[:64]
    if sent.get("draft") != f"groundswell-draft-{desk.person.id}-{view.ticket.id}":
        return
    seconds = desk.undo_seconds

    def work(session: Session) -> None:
        replies.compose(
            session, view.ticket.id, to.id, text, desk.person.id, desk.clock_now(), way.channel,
            rules=way.rules, undo=timedelta(seconds=seconds), key=key or None,
            seen_at=desk.now, reopen=True,
        )  # fmt: skip

    done = (
        desk.t("Kept. Answer on the platform, then mark it as answered.")
        if way.channel is None
        else desk.nt(
            "Sending. You can take it back within {n} second.",
            "Sending. You can take it back within {n} seconds.",
            seconds,
        )
    )
    if actions.do(desk, "work_tickets", work, done, ticket_id=view.ticket.id):
        keys: dict[int, str] = st.session_state["sent_keys"]
        keys[view.ticket.id] = key
        while len(keys) > _KEPT_KEYS:
            keys.pop(next(iter(keys)))
    st.rerun()
