"""Small pieces that pages share: figures, empty states, notices, links to posts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

import streamlit as st

from dashboard.desk import ALL, Desk
from dashboard.hostile import escape


def empty(title: str, what: str, step: str = "") -> None:
    """An empty page or pane: what will appear here and the one step that makes it appear."""
    more = f'<p class="step">{escape(step)}</p>' if step else ""
    st.html(
        f'<div class="empty"><p class="title">{escape(title)}</p><p>{escape(what)}</p>{more}</div>'
    )


def notice(sentence: str, kind: str = "note") -> None:
    """A sentence across the page. ``kind`` is note, warning or error."""
    role = "alert" if kind == "error" else "status"
    st.html(f'<p class="notice {kind}" role="{role}">{escape(sentence)}</p>')


def when(desk: Desk, at: datetime) -> str:
    """HTML: how long ago, with the moment itself on hover."""
    return (
        f'<time datetime="{at.isoformat()}" title="{escape(desk.formats.moment(at))}">'
        f"{escape(desk.formats.ago(at, desk.now))}</time>"
    )


def posts_address(desk: Desk, **narrowed: str) -> str:
    """The address of the posts behind a figure: the same brands and period, narrowed further."""
    asked: dict[str, str] = {}
    if desk.scope.key != ALL:
        asked["brand"] = desk.scope.key
    if desk.period.key == "own":
        asked |= {
            "from": desk.period.start.isoformat(timespec="minutes"),
            "to": desk.period.end.isoformat(timespec="minutes"),
        }
    elif desk.period.key != "7d":
        asked["period"] = desk.period.key
    asked |= {name: value for name, value in narrowed.items() if value}
    return f"/mentions?{urlencode(asked)}" if asked else "/mentions"


def figure(
    label: str, value: str, *, href: str | None = None, change: str = "", count: str = ""
) -> str:
    """HTML of one figure: its name, its value (a link to its posts), change and count behind it."""
    shown = (
        f'<a href="{escape(href)}" target="_self">{escape(value)}</a>' if href else escape(value)
    )
    below = " · ".join(escape(part) for part in (change, count) if part)
    return (
        f'<div class="figure"><span class="label">{escape(label)}</span>'
        f'<span class="value">{shown}</span><span class="below">{below or "&nbsp;"}</span></div>'
    )


def figures(cards: list[str]) -> None:
    """A row of figures."""
    st.html(f'<div class="figures">{"".join(cards)}</div>')


def chip(word: str, kind: str) -> str:
    """HTML of a small marked word, such as a sentiment or a level."""
    return f'<span class="chip {escape(kind)}">{escape(word)}</span>'


def facts(rows: Mapping[str, str]) -> str:
    """HTML of a short list of named values; the values are HTML already."""
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in rows.items())
    return f'<dl class="facts">{inner}</dl>'
