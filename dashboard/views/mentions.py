"""Mentions: every post about the brands, with or without a ticket; what figures link to."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from dashboard import actions, parts, posts, terms
from dashboard.desk import Desk
from dashboard.views import mention_actions
from store import mention_list, trends
from store.mention_list import MentionFilter, MentionLine, Place
from store.trends import TrendFilter

_NAMES = ("sentiment", "intent", "platform", "language")


def show(desk: Desk) -> None:
    """Draw the page."""
    st.title(desk.t("Mentions"))
    if not desk.scope.brand_ids:
        parts.empty(
            desk.t("No mentions yet"),
            desk.t("Here you will read every post about your brands, newest first."),
            desk.t("Add a brand under Brands & queries, then connect a source under Sources."),
        )
        return
    actions.show_said()
    asked = _filters(desk)
    _list(desk, asked)


def _filters(desk: Desk) -> MentionFilter:
    start, end = desk.period.start, desk.period.end
    span = _asked_span()
    if span is not None:
        start, end = span
        _span_notice(desk, start, end)
    options = _options(desk)
    chosen: dict[str, tuple[str, ...]] = {}
    with st.container(horizontal=True, key="filters-mentions"):
        words = st.text_input(
            desk.t("Search"), key="mention_words", placeholder=desk.t("Search the text"),
            label_visibility="collapsed", width=240, icon=":material/search:",
        )  # fmt: skip
        for name in _NAMES:
            chosen[name] = _multi(desk, name, options[name])
        unsure = st.toggle(desk.t("Unsure only"), key="mention_unsure")
    return MentionFilter(
        desk.scope.brand_ids,
        start,
        end,
        platforms=chosen["platform"],
        languages=chosen["language"],
        sentiments=chosen["sentiment"],
        intents=chosen["intent"],
        unsure=unsure,
        words=words or "",
    )


def _asked_span() -> tuple[datetime, datetime] | None:
    try:
        start = datetime.fromisoformat(st.query_params.get("from", ""))
        end = datetime.fromisoformat(st.query_params.get("to", ""))
    except ValueError:
        return None
    return (start, end) if start.tzinfo and end.tzinfo and start < end else None


def _span_notice(desk: Desk, start: datetime, end: datetime) -> None:
    def clear() -> None:
        st.query_params.pop("from", None)
        st.query_params.pop("to", None)

    with st.container(horizontal=True, vertical_alignment="center"):
        parts.notice(
            desk.t(
                "Only posts from {start} to {end}.",
                start=desk.formats.moment(start),
                end=desk.formats.moment(end),
            )
        )
        st.button(desk.t("Show the whole period"), on_click=clear)


def _options(desk: Desk) -> dict[str, list[str]]:
    asked = TrendFilter(desk.scope.rollup_keys, desk.period.start, desk.period.end)
    with desk.store.read() as session:
        platforms = trends.choices(session, asked, "platform")
        languages = trends.choices(session, asked, "language")
    return {
        "sentiment": list(terms.SENTIMENTS),
        "intent": [name for name in terms.INTENTS if name != "unscored"],
        "platform": platforms,
        "language": languages,
    }


def _multi(desk: Desk, name: str, options: list[str]) -> tuple[str, ...]:
    shown = {
        "sentiment": (
            desk.t("All sentiments"),
            lambda one: terms.word(desk, terms.SENTIMENTS, one),
        ),
        "intent": (desk.t("All classes"), lambda one: terms.word(desk, terms.INTENTS, one)),
        "platform": (desk.t("All platforms"), lambda one: terms.platform(desk, one)),
        "language": (desk.t("All languages"), lambda one: terms.language(desk, one)),
    }
    placeholder, word = shown[name]
    key = f"mention_{name}"
    if key not in st.session_state:
        asked = st.query_params.get(name, "").split(",")
        st.session_state[key] = [one for one in asked if one in options]
    else:
        st.session_state[key] = [one for one in st.session_state[key] if one in options]
    chosen = st.multiselect(
        placeholder, options, format_func=word, key=key, placeholder=placeholder,
        label_visibility="collapsed", width=180,
    )  # fmt: skip
    if chosen:
        st.query_params[name] = ",".join(chosen)
    else:
        st.query_params.pop(name, None)
    return tuple(chosen)


def _list(desk: Desk, asked: MentionFilter) -> None:
    places: list[Place] = st.session_state.setdefault("mention_places", [])
    if st.session_state.get("mention_asked") != _steady(asked):
        places.clear()
        st.session_state["mention_asked"] = _steady(asked)
    with desk.store.read() as session:
        lines, more = mention_list.page(session, asked, places[-1] if places else None)
    if not lines:
        parts.empty(
            desk.t("Nothing found"),
            desk.t("No mention in this period fits the filter."),
            desk.t("Choose a longer period or take the filter away."),
        )
        return
    for line in lines:
        _one(desk, line)
    _pager(desk, places, lines, more)


def _steady(asked: MentionFilter) -> tuple[object, ...]:
    # The end moves with the clock; it does not start the list anew.
    return (
        asked.brand_ids, asked.start, asked.platforms, asked.languages, asked.sentiments,
        asked.intents, asked.unsure, asked.words,
    )  # fmt: skip


def _one(desk: Desk, line: MentionLine) -> None:
    with st.container(key=f"mention-{line.id}", gap="small"):
        st.html(posts.mention(desk, line, show_brand=len(desk.scope.brand_ids) > 1))
        mention_actions.show(desk, line)


def _pager(desk: Desk, places: list[Place], lines: list[MentionLine], more: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(desk.t("Newer"), disabled=not places, icon=":material/chevron_left:"):
            places.pop()
            st.rerun()
        page = desk.t("Page {n}", n=desk.formats.number(len(places) + 1))
        st.html(f'<span class="zone">{page}</span>', width="content")
        if st.button(desk.t("Older"), disabled=not more, icon=":material/chevron_right:"):
            places.append(lines[-1].place)
            st.rerun()
