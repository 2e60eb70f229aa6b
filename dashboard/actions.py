"""Doing things from a page: rights and session first, one transaction, the sentence when it fails.

Streamlit runs the page again after an action, so what is to be said waits in the session.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import parts, terms
from dashboard.desk import Desk
from dashboard.rights import Right
from responder.errors import DeskError
from store.tickets import row_of

_SAID = "said"
_DONE = "done"
Work = Callable[[Session], object]


def do(
    desk: Desk, right: Right, work: Work, done: str = "", *, ticket_id: int | None = None
) -> bool:
    """Run ``work`` in one transaction and note ``done``, or the sentence of what went wrong.

    True when it was done. The rights are looked up again, since a page may be old; with
    ``ticket_id`` so is whether the ticket's brand may be seen, in the same transaction.
    """
    if not desk.still_signed_in():
        say(desk.t("You are signed out or your rights have changed. Load the page again."), "error")
        return False
    if not desk.may(right):
        say(desk.t("Your role does not allow this."), "error")
        return False

    def checked(session: Session) -> object:
        if ticket_id is not None and row_of(session, ticket_id, desk.all_brand_ids) is None:
            raise LookupError(desk.t("This ticket is no longer yours to see. Go back to the list."))
        return work(session)

    try:
        desk.store.transact(checked)
    except DeskError as error:
        say(desk_error(desk, error), "error")
        return False
    except LookupError as error:
        say(str(error), "error")
        return False
    st.session_state[_DONE] = serial() + 1
    if done:
        say(done)
    return True


def serial() -> int:
    """How many actions were done here; in a key it closes and empties a form after each."""
    return int(st.session_state.get(_DONE, 0))


def desk_error(desk: Desk, error: DeskError) -> str:
    """The sentence of an error in the reader's language."""
    values = {name: _shown(desk, name, value) for name, value in error.values.items()}
    return desk.t(error.text, **values)


def _shown(desk: Desk, name: str, value: object) -> object:
    if isinstance(value, datetime):
        return desk.formats.moment(value)
    if name == "status":
        table = terms.STATUSES | terms.REPLY_STATUSES
        return terms.word(desk, table, str(value))
    return value


def say(sentence: str, kind: str = "note") -> None:
    """Keep a sentence for the next run of the page."""
    st.session_state.setdefault(_SAID, []).append((sentence, kind))


def show_said() -> None:
    """Show the sentences that were kept, once."""
    for sentence, kind in st.session_state.pop(_SAID, []):
        parts.notice(sentence, kind)
