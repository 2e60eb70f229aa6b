"""Doing things from a page: rights and session first, one transaction, the sentence when it fails.

Streamlit runs the page again after an action, so what is to be said waits in the session.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import parts
from dashboard.desk import Desk
from dashboard.rights import Right
from responder.errors import DeskError

_SAID = "said"
Work = Callable[[Session], object]


def do(desk: Desk, right: Right, work: Work, done: str = "") -> bool:
    """Run ``work`` in one transaction and note ``done``, or the sentence of what went wrong.

    True when it was done. The rights are looked up again, since a page may be old.
    """
    if not desk.still_signed_in():
        say(desk.t("You are signed out or your rights have changed. Load the page again."), "error")
        return False
    if not desk.may(right):
        say(desk.t("Your role does not allow this."), "error")
        return False
    try:
        desk.store.transact(work)
    except (DeskError, LookupError) as error:
        say(str(error), "error")
        return False
    if done:
        say(done)
    return True


def say(sentence: str, kind: str = "note") -> None:
    """Keep a sentence for the next run of the page."""
    st.session_state.setdefault(_SAID, []).append((sentence, kind))


def show_said() -> None:
    """Show the sentences that were kept, once."""
    for sentence, kind in st.session_state.pop(_SAID, []):
        parts.notice(sentence, kind)
