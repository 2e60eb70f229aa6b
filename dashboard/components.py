"""Our two components: the ticket list with the desk's keys, and the composer.

Streamlit's own widgets report nothing while one types and have no list of this kind. The scripts
take data only and write it as text, so hostile words stay words.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

_ASSETS = Path(__file__).parent / "assets"
_LIST_HTML = '<div class="list" role="listbox" tabindex="-1"></div>'
_COMPOSER_HTML = (
    '<textarea rows="3"></textarea><div class="bar"><span class="left"></span>'
    '<span class="rules"></span><button type="button"></button></div>'
)


@functools.cache
def _component(name: str, html: str) -> Callable[..., Any]:
    return st.components.v2.component(
        f"groundswell_{name}",
        html=html,
        css=(_ASSETS / f"{name}.css").read_text("utf-8"),
        js=(_ASSETS / f"{name}.js").read_text("utf-8"),
    )


def ticket_list(data: Mapping[str, Any], key: str) -> int | None:
    """Draw the list; gives the id of the ticket that was picked just now."""
    drawn = _component("ticket_list", _LIST_HTML)
    result = drawn(data=dict(data), key=key, on_pick_change=_nothing)
    picked = result.pick
    return int(picked) if isinstance(picked, (int, float)) else None


def composer(data: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """Draw the composer; gives what was sent just now: ``text``, ``key`` and ``draft``."""
    drawn = _component("composer", _COMPOSER_HTML)
    result = drawn(data=dict(data), key=key, on_send_change=_nothing)
    sent = result.send
    return sent if isinstance(sent, Mapping) else None


def _nothing() -> None:
    """Streamlit gives a trigger's value only where it has a callback."""
