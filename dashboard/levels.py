"""The level of each brand, always in sight below the navigation: a dot and its word."""

from __future__ import annotations

import streamlit as st

from dashboard import theme
from dashboard.desk import Desk
from dashboard.hostile import escape
from store import levels as stored


def show(desk: Desk) -> None:
    """Draw the list in the side bar and keep it fresh."""
    with st.sidebar:
        _draw(desk)


@st.fragment(run_every=15)
def _draw(desk: Desk) -> None:
    if not desk.still_signed_in():
        st.rerun()
    with desk.store.read() as session:
        found = stored.current(session, desk.all_brand_ids)
    rows = []
    for brand in desk.brands:
        level = found[brand.id]
        if level.level is not None:
            word = desk.t(theme.LEVEL_WORDS[level.level])
        elif level.watched:
            word = desk.t("Calm")
        else:
            word = desk.t("Not watched yet")
        rows.append(
            f'<li><span class="dot {escape(level.level or "calm")}"></span>'
            f'<span class="name" title="{escape(brand.name)}">{escape(brand.name)}</span>'
            f'<span class="word">{escape(word)}</span></li>'
        )
    if rows:
        title = f'<h2 class="side">{escape(desk.t("Level"))}</h2>'
        st.html(f'{title}<ul class="levels">{"".join(rows)}</ul>')
