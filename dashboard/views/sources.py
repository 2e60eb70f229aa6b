"""Sources: what is listened to, how each does, what it costs; adding and changing them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, parts, source_form, terms
from dashboard.connectors import FORMS
from dashboard.desk import Desk
from dashboard.hostile import escape, one_line
from store import audit, source_setup, sources
from store.source_setup import SourceHealth


def show(desk: Desk) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(desk.t("Sources"))
        st.space("stretch")
        if desk.may("edit_sources"):
            key = f"add-source-{actions.serial()}"
            with st.popover(desk.t("Add a source"), icon=":material/add:", type="primary", key=key):
                _add(desk)
    actions.show_said()
    _list(desk)


@st.fragment(run_every=10)
def _list(desk: Desk) -> None:
    if not desk.still_signed_in():
        st.rerun()
    now = desk.clock_now()
    with desk.store.read() as session:
        found = source_setup.all_sources(
            session, desk.all_brand_ids, now, shared=desk.person.all_brands
        )
    if not found:
        parts.empty(
            desk.t("No source yet"),
            desk.t("Here you will see every account, feed and mailbox that is listened to."),
            desk.t("Add a source with the button above.")
            if desk.may("edit_sources")
            else desk.t("An administrator can add one."),
        )
        return
    for source in found:
        _card(desk, source, now)


def _card(desk: Desk, source: SourceHealth, now: datetime) -> None:
    with st.container(border=True, key=f"source-{source.id}"):
        left, right = st.columns([3, 2], vertical_alignment="top")
        with left:
            connector = FORMS[source.connector].name if source.connector in FORMS else ""
            kind = desk.t(connector) if connector else terms.platform(desk, source.connector)
            tags = [
                parts.chip(_STATE[source.health](desk), source.health),
                parts.chip(kind, "tag"),
            ]
            if source.brand_name:
                tags.append(parts.chip(source.brand_name, "tag"))
            name = f"<strong><bdi>{escape(source.name)}</bdi></strong>"
            st.html(
                f'<div class="post-line">{name} {" ".join(tags)}'
                f"</div><p>{escape(sentence(desk, source, now))}</p>"
            )
            if source.last_error and source.health in {"failing", "paused"}:
                st.html(f'<p class="notice warning">{escape(one_line(source.last_error, 500))}</p>')
            if desk.may("run_sources"):
                _buttons(desk, source)
        with right:
            st.html(parts.facts(_facts(desk, source, now)))
        with st.expander(desk.t("Last runs")):
            _runs(desk, source)


_NONE = timedelta()
_STATE: dict[str, Callable[[Desk], str]] = {
    "ok": lambda desk: desk.t("Working"),
    "new": lambda desk: desk.t("Not run yet"),
    "failing": lambda desk: desk.t("Failing"),
    "paused": lambda desk: desk.t("Stopped"),
    "off": lambda desk: desk.t("Switched off"),
}


def sentence(desk: Desk, source: SourceHealth, now: datetime) -> str:
    """How a source does and what happens next, as a person would say it."""
    name = one_line(source.name, 60)
    at = source.next_run_at
    again = desk.formats.short(at, now) if at is not None and at > now else desk.t("once")
    if source.health == "off":
        return desk.t(
            "{source} is switched off. Nothing is collected until it is resumed.", source=name
        )
    if source.health == "new":
        return desk.t("{source} has not run yet; its first run is due.", source=name)
    if source.health == "paused":
        return desk.t(
            "{source} needs you: it will not be tried again until what is said below is put right. "
            "Then press Resume.",
            source=name,
        )
    if source.health == "failing":
        since = source.last_success_at or source.last_error_at
        if since is None:
            return desk.t(
                "{source} has not answered so far. We try again at {time}; nothing is lost.",
                source=name, time=again,
            )  # fmt: skip
        return desk.t(
            "{source} has not answered since {since}. We try again at {time}; nothing is lost.",
            source=name, since=desk.formats.short(since, now), time=again,
        )  # fmt: skip
    if source.running:
        return desk.t("{source} is being read right now.", source=name)
    if at is None or at <= now:
        return desk.t("{source} works. It is read again in a moment.", source=name)
    return desk.t("{source} works. It is read again at {time}.", source=name, time=again)


def _facts(desk: Desk, source: SourceHealth, now: datetime) -> dict[str, str]:
    def moment(at: datetime | None) -> str:
        return parts.when(desk, at) if at is not None else escape(desk.t("never"))

    facts = {
        desk.t("Last run"): moment(source.last_run_at),
        desk.t("Last success"): moment(source.last_success_at),
    }
    if source.covered_until is not None and source.enabled:
        facts[desk.t("Lag")] = escape(desk.formats.span(max(now - source.covered_until, _NONE)))
    spent = desk.formats.money(source.spent_usd)
    if source.budget_usd is not None:
        facts[desk.t("Budget this month")] = escape(
            desk.t("{spent} of {budget}", spent=spent, budget=desk.formats.money(source.budget_usd))
        )
    else:
        facts[desk.t("Spent this month")] = escape(spent)
    return facts


def _buttons(desk: Desk, source: SourceHealth) -> None:
    with st.container(horizontal=True):
        stopped = source.health in {"off", "paused"}
        label = desk.t("Resume") if stopped else desk.t("Run now")
        if st.button(label, key=f"run-{source.id}", icon=":material/play_arrow:"):
            _change(desk, source, "resumed" if stopped else "run_now")
        if not stopped and st.button(
            desk.t("Pause"), key=f"pause-{source.id}", icon=":material/pause:"
        ):
            _change(desk, source, "paused")
        if desk.may("edit_sources") and source.connector in FORMS:
            with st.popover(desk.t("Change"), icon=":material/edit:"):
                source_form.show(desk, source.connector, source)


def _change(desk: Desk, source: SourceHealth, action: str) -> None:
    def work(session: Session) -> None:
        now = desk.clock_now()
        if action == "paused":
            sources.pause(session, source.id)
        else:
            sources.resume(session, source.id, now)
        audit.record(
            session, at=now, user_id=desk.person.id, action=f"source.{action}",
            object_type="source", object_id=source.id,
        )  # fmt: skip

    said = {
        "paused": desk.t("{source} is switched off.", source=one_line(source.name, 60)),
        "resumed": desk.t("{source} runs again.", source=one_line(source.name, 60)),
        "run_now": desk.t("{source} runs within a few seconds.", source=one_line(source.name, 60)),
    }
    actions.do(desk, "run_sources", work, said[action])
    st.rerun()


def _runs(desk: Desk, source: SourceHealth) -> None:
    with desk.store.read() as session:
        runs = sources.recent_runs(session, source.id, 10)
    if not runs:
        st.caption(desk.t("It has not run yet."))
        return
    words = {
        "ok": desk.t("Done"),
        "limited": desk.t("Rate limit, goes on later"),
        "failed": desk.t("Failed"),
        "paused": desk.t("Stopped"),
    }
    head = "".join(
        f"<th{side}>{escape(name)}</th>"
        for name, side in (
            (desk.t("Started"), ""),
            (desk.t("Outcome"), ""),
            (desk.t("Posts seen"), ' class="right"'),
            (desk.t("New"), ' class="right"'),
            (desk.t("Message"), ""),
        )
    )
    rows = "".join(
        f"<tr><td>{parts.when(desk, run.started_at)}</td>"
        f"<td>{escape(words.get(run.outcome, run.outcome))}</td>"
        f'<td class="right">{desk.formats.number(run.seen)}</td>'
        f'<td class="right">{desk.formats.number(run.added)}</td>'
        f"<td>{escape(one_line(run.message or '', 200))}</td></tr>"
        for run in runs
    )
    st.html(f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')


def _add(desk: Desk) -> None:
    connector = st.selectbox(
        desk.t("Kind of source"), list(FORMS), format_func=lambda one: desk.t(FORMS[one].name),
        key="new_connector",
    )  # fmt: skip
    source_form.show(desk, connector, None)
