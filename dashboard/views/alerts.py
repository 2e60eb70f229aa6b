"""Alerts: one card per incident, the newest change first; closed ones folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from sqlalchemy.orm import Session

from crisis import incidents as acts
from dashboard import actions, alert_words, charts, parts, posts, terms, theme
from dashboard.desk import Desk
from dashboard.hostile import escape
from store import incidents, mention_list, rollups, trends
from store.incidents import IncidentLine, TopPost
from store.trends import TrendFilter

_POSTS_SHOWN = 3
_BEFORE = timedelta(hours=18)
_LONGEST = timedelta(days=4)
_STEP = timedelta(minutes=15)


def show(desk: Desk) -> None:
    """Draw the page."""
    st.title(desk.t("Alerts"))
    actions.show_said()
    _open(desk)
    _closed(desk)


@st.fragment(run_every=20)
def _open(desk: Desk) -> None:
    if not desk.still_signed_in():
        st.rerun()
    with desk.store.read() as session:
        found = incidents.listed(session, desk.scope.brand_ids)
    wanted = st.query_params.get("incident")
    found.sort(key=lambda line: line.incident.number != wanted)
    if not found:
        parts.empty(
            desk.t("All calm"),
            desk.t(
                "When a brand is talked about far more, or far worse, than usual, it appears here "
                "with what rose, why, and the posts behind it."
            ),
            desk.t("Nothing needs you now. Brands are watched from their first posts on."),
        )
    for line in found:
        _card(desk, line)


def _closed(desk: Desk) -> None:
    with desk.store.read() as session:
        found = incidents.listed(session, desk.scope.brand_ids, closed=True, limit=20)
    if not found:
        return
    with st.expander(desk.t("Closed incidents")):
        for line in found:
            _card(desk, line)


def _card(desk: Desk, line: IncidentLine) -> None:
    incident = line.incident
    with st.container(border=True, key=f"incident-{incident.id}"):
        st.html(_head(desk, line))
        left, right = st.columns([5, 4], gap="medium")
        with left:
            points = _points(desk, line)
            st.html(f'<p class="pane-title">{escape(_chart_title(desk, line))}</p>')
            st.altair_chart(
                charts.sparkline(desk, points, started=incident.started_at),
                key=f"spark-{incident.id}",
            )
            st.html(f"<p>{_posts_link(desk, line)}</p>")
        with right:
            said = alert_words.reasons(desk, incident.reasons, incident.summary)
            items = "".join(f"<li>{escape(one)}</li>" for one in said)
            st.html(
                f'<p class="pane-title">{escape(desk.t("Why"))}</p><ul class="reasons">{items}</ul>'
            )
        _top_posts(desk, line)
        if desk.may("act_on_alerts") and incident.status != "closed":
            _buttons(desk, line)
        with st.expander(desk.t("Timeline")):
            _timeline(desk, line)


def _head(desk: Desk, line: IncidentLine) -> str:
    incident = line.incident
    word = desk.t(theme.LEVEL_WORDS[incident.level])
    realm = {"demo": desk.t("Demo"), "drill": desk.t("Drill")}.get(line.realm)
    status = terms.word(desk, terms.INCIDENT_STATUSES, incident.status)
    verdict = {
        "not_a_crisis": desk.t("Not a crisis"),
        "crisis": desk.t("It was a crisis"),
    }.get(incident.verdict or "")
    tags = [parts.chip(one, "tag") for one in (status, verdict, realm) if one]
    sentence = alert_words.sentence(desk, incident.summary)
    seen = desk.t(
        "Began {start}, seen {seen}",
        start=desk.formats.short(incident.started_at, desk.now),
        seen=desk.formats.short(incident.detected_at, desk.now),
    )
    return (
        f'<div class="post-line"><span class="level {escape(incident.level)}">{escape(word)}</span>'
        f"<strong>{escape(line.brand)}</strong><span>{escape(incident.number)}</span>"
        f'{" ".join(tags)}</div><p class="sentence">{escape(sentence)}</p>'
        f'<p class="below">{escape(seen)}</p>'
    )


def _points(desk: Desk, line: IncidentLine) -> list[dict[str, Any]]:
    incident = line.incident
    summary = incident.summary
    window = timedelta(minutes=int(summary.get("window_minutes") or 15))
    step = min(window, _STEP)
    end = _floor(incident.closed_at or desk.clock_now(), step)
    start = _floor(max(incident.started_at - _BEFORE, end - _LONGEST), step) - window
    edges = [start + step * number for number in range(int((end - start) / step) + 1)]
    asked = TrendFilter((incident.brand_id,), start, end)
    with desk.store.read() as session:
        bins = trends.series(session, asked, edges)
    usual, upper = summary.get("baseline"), summary.get("upper")
    band: dict[str, float | None] = {"low": None, "high": None}
    if usual is not None and upper is not None:
        spread = max(float(upper) - float(usual), 0.0)
        band = {"low": max(0.0, float(usual) - spread), "high": float(upper)}
    negative = summary.get("metric") == "negative"
    counts = [one.counts.negative if negative else one.counts.mentions for one in bins]
    width = window // step
    # Each point is the sum of the window that ends there, which is what the detector looks at.
    return [
        {"start": bins[at].end, "value": sum(counts[at + 1 - width : at + 1]), **band}
        for at in range(width - 1, len(bins))
    ]


def _chart_title(desk: Desk, line: IncidentLine) -> str:
    minutes = int(line.incident.summary.get("window_minutes") or 15)
    if line.incident.summary.get("metric") == "negative":
        said = desk.nt("Negative posts in {n} minute", "Negative posts in {n} minutes", minutes)
    else:
        said = desk.nt("Posts in {n} minute", "Posts in {n} minutes", minutes)
    return desk.t("{what}; the band is what is usual", what=said)


def _floor(moment: datetime, width: timedelta) -> datetime:
    return rollups.floor(moment, int(width.total_seconds()))


def _posts_link(desk: Desk, line: IncidentLine) -> str:
    incident = line.incident
    asked = {
        "brand": str(incident.brand_id),
        "from": incident.started_at.isoformat(timespec="minutes"),
        "to": (incident.closed_at or desk.now).isoformat(timespec="minutes"),
    }
    if incident.summary.get("metric") == "negative":
        asked["sentiment"] = "negative"
    label = escape(desk.t("Read all posts since it began"))
    return f'<a href="/mentions?{escape(urlencode(asked))}" target="_self">{label}</a>'


def _top_posts(desk: Desk, line: IncidentLine) -> None:
    with desk.store.read() as session:
        found = incidents.top_posts(session, line.incident.id)
        ids = [one.mention.author_id for one in found if one.mention.author_id is not None]
        names = mention_list.author_names(session, ids)
    if not found:
        return
    st.html(f'<p class="pane-title">{escape(desk.t("What people say"))}</p>')
    st.html("".join(_post(desk, one, names) for one in found[:_POSTS_SHOWN]))
    if len(found) > _POSTS_SHOWN:
        with st.expander(desk.t("More posts")):
            st.html("".join(_post(desk, one, names) for one in found[_POSTS_SHOWN:]))


def _post(desk: Desk, top: TopPost, names: Mapping[int, tuple[str, str]]) -> str:
    mention = top.mention
    name, handle = names.get(mention.author_id or 0, ("", ""))
    why = {
        "engaged": desk.t("Much shared or answered"),
        "typical": desk.t("Typical of many posts"),
        "by_hand": desk.t("Chosen by a colleague"),
    }.get(top.why, "")
    head = posts.head_of(
        desk, name or handle, handle, None, mention.platform, mention.url, mention.posted_at
    )
    body = posts.body(desk, mention.title, mention.text, mention.deleted_at is not None)
    return (
        f'<article class="post">{head}{body}'
        f'<div class="foot">{parts.chip(why, "tag") if why else ""}</div></article>'
    )


def _buttons(desk: Desk, line: IncidentLine) -> None:
    incident = line.incident
    me = desk.person.id
    with st.container(horizontal=True):
        if incident.acknowledged_at is None and st.button(
            desk.t("Acknowledge"), key=f"ack-{incident.id}", type="primary", icon=":material/check:"
        ):
            _do(desk, lambda s: acts.acknowledge(s, incident.id, me, desk.clock_now()))
        for status, label in _steps(desk, incident.status):
            if incident.acknowledged_at is not None and st.button(
                label, key=f"{status}-{incident.id}"
            ):
                _do(desk, _moving(desk, incident.id, status))
        if st.button(desk.t("Not a crisis"), key=f"no-{incident.id}", icon=":material/block:"):
            _do(
                desk,
                lambda s: acts.close(s, incident.id, "not_a_crisis", me, desk.clock_now()),
            )
        with st.popover(desk.t("Close"), icon=":material/done_all:"):
            _close(desk, line)
        with st.popover(desk.t("Note"), icon=":material/edit_note:"):
            _note(desk, line)


def _steps(desk: Desk, status: str) -> Sequence[tuple[str, str]]:
    words = {
        "contained": desk.t("Set to contained"),
        "recovering": desk.t("Set to recovering"),
    }
    return [(one, words[one]) for one in acts.NEXT.get(status, ()) if one in words]


def _moving(desk: Desk, incident_id: int, status: str) -> actions.Work:
    return lambda s: acts.change_status(s, incident_id, status, desk.person.id, desk.clock_now())


def _close(desk: Desk, line: IncidentLine) -> None:
    with st.form(f"close-{line.incident.id}", border=False):
        note = st.text_area(desk.t("What was it, and what was done?"), height=100)
        if st.form_submit_button(desk.t("Close: it was a crisis"), type="primary"):
            _do(
                desk,
                lambda s: acts.close(
                    s, line.incident.id, "crisis", desk.person.id, desk.clock_now(), note
                ),
            )


def _note(desk: Desk, line: IncidentLine) -> None:
    with st.form(f"incident-note-{line.incident.id}", border=False, clear_on_submit=True):
        text = st.text_area(desk.t("Note for the timeline"), height=100)
        if st.form_submit_button(desk.t("Save"), type="primary"):
            _do(
                desk,
                lambda s: acts.add_note(
                    s, line.incident.id, text, desk.person.id, desk.clock_now()
                ),
            )


def _do(desk: Desk, work: actions.Work) -> None:
    def translated(session: Session) -> object:
        try:
            return work(session)
        except acts.IncidentError as error:
            raise LookupError(_refusal(desk, error)) from error

    actions.do(desk, "act_on_alerts", translated)
    st.rerun()


def _refusal(desk: Desk, error: acts.IncidentError) -> str:
    values = dict(error.values)
    if "incident_status" in values:
        values["incident_status"] = terms.word(
            desk, terms.INCIDENT_STATUSES, str(values["incident_status"])
        )
    return desk.t(error.text, **values)


def _timeline(desk: Desk, line: IncidentLine) -> None:
    with desk.store.read() as session:
        found = incidents.timeline(session, line.incident.id)
    items = "".join(
        f"<tr><td>{escape(desk.formats.moment(one.at))}</td>"
        f"<td>{escape(alert_words.event(desk, one))}</td></tr>"
        for one in found
    )
    st.html(f'<table class="plain"><tbody>{items}</tbody></table>')
