"""A reply of ours in the thread: how it stands, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, parts, terms
from dashboard.desk import Desk
from dashboard.hostile import escape, link, one_line, to_html
from responder import replies
from store.models import Reply
from store.threads import Answer

Action = Callable[[Session, int, int | None, datetime], Reply]


def show(desk: Desk, answer: Answer) -> None:
    """Draw the reply, what is happening with it, and the buttons that fit."""
    now = desk.clock_now()
    at = answer.sent_at or answer.created_at
    who = one_line(answer.user_name or desk.t("Us"), 60)
    where = link(answer.url, terms.platform(desk, answer.channel)) if answer.url else ""
    st.html(
        f'<article class="post ours"><div class="head"><bdi class="who">{escape(who)}</bdi>'
        f"<span>{where}</span>{parts.when(desk, at)}</div>"
        f'<div class="words" dir="auto">{to_html(answer.body)}</div>'
        f'<div class="foot">{_state(desk, answer, now)}</div></article>'
    )
    if desk.may("work_tickets"):
        _buttons(desk, answer, now)


def _state(desk: Desk, answer: Answer, now: datetime) -> str:
    platform = terms.platform(desk, answer.channel)
    waits = answer.next_attempt_at
    if answer.status == "approved" and waits is not None and answer.attempts:
        time = desk.formats.short(waits, now)
        return parts.chip(desk.t("Not sent yet. We try again at {time}.", time=time), "soon")
    said = {
        "approved": (desk.t("Goes out in a moment"), "sending"),
        "sending": (desk.t("On its way to {platform}", platform=platform), "sending"),
        "sent": (desk.t("Sent"), "ok"),
        "by_hand": (desk.t("To be answered by hand on the platform"), "soon"),
        "uncertain": (
            desk.t(
                "{platform} cannot say whether this arrived. Look there, then decide.",
                platform=platform,
            ),
            "late",
        ),
        "failed": (desk.t("Not sent: {reason}", reason=one_line(answer.error or "", 300)), "late"),
    }
    sentence, kind = said.get(answer.status, (answer.status, "tag"))
    return parts.chip(sentence, f"long {kind}")


def _buttons(desk: Desk, answer: Answer, now: datetime) -> None:
    possible: list[tuple[str, str, Action]] = []
    waits = answer.next_attempt_at
    if answer.status == "approved" and not answer.attempts and waits is not None and waits > now:
        possible.append((desk.t("Undo"), ":material/undo:", replies.cancel))
    if answer.status in {"uncertain", "by_hand"}:
        possible.append((desk.t("It is there"), ":material/check:", replies.mark_arrived))
    if answer.status == "uncertain":
        possible.append((desk.t("Send it again"), ":material/send:", replies.send_again))
    if answer.status == "failed":
        possible.append((desk.t("Try again"), ":material/refresh:", replies.retry))
    if answer.status in {"failed", "by_hand"}:
        possible.append((desk.t("Give it up"), ":material/close:", replies.discard))
    if not possible:
        return
    with st.container(horizontal=True, horizontal_alignment="right"):
        for label, icon, action in possible:
            if st.button(label, key=f"{action.__name__}-{answer.id}", icon=icon):
                _do(desk, answer, action)


def _do(desk: Desk, answer: Answer, action: Action) -> None:
    actions.do(
        desk,
        "work_tickets",
        lambda session: action(session, answer.id, desk.person.id, desk.clock_now()),
    )
    st.rerun()
