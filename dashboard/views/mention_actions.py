"""What can be done with a mention from the list: correct its reading, open or read its ticket."""

from __future__ import annotations

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, terms
from dashboard.desk import Desk
from responder import opening
from store import assessments
from store.mention_list import MentionLine


def show(desk: Desk, line: MentionLine) -> None:
    """Draw the row of actions below a mention."""
    if line.deleted:
        return
    with st.container(horizontal=True, key=f"actions-{line.id}"):
        if line.ticket_number is not None and st.button(
            desk.t("Ticket {number}", number=line.ticket_number),
            key=f"ticket-{line.id}",
            icon=":material/inbox:",
            type="tertiary",
        ):
            st.session_state["ticket"] = line.ticket_id
            st.switch_page(st.session_state["pages"]["inbox"])
        if desk.may("work_tickets"):
            _correct(desk, line)
            brand = desk.brand(line.brand_id)
            ours = brand is not None and brand.kind == "own"
            if (
                ours
                and line.ticket_number is None
                and st.button(
                    desk.t("Open a ticket"),
                    key=f"open-{line.id}",
                    icon=":material/add_task:",
                    type="tertiary",
                )
            ):
                _open(desk, line)


def _open(desk: Desk, line: MentionLine) -> None:
    opened: list[int] = []

    def work(session: Session) -> None:
        ticket = opening.open_for(session, line.id, line.brand_id, desk.person.id, desk.clock_now())
        opened[:] = [ticket.id]

    if actions.do(desk, "work_tickets", work):
        st.session_state["ticket"] = opened[0]
        st.switch_page(st.session_state["pages"]["inbox"])
    st.rerun()


def _correct(desk: Desk, line: MentionLine) -> None:
    with (
        st.popover(desk.t("Correct"), icon=":material/edit:", type="tertiary"),
        st.form(f"correct-{line.id}", border=False),
    ):
        sentiments = ["negative", "neutral", "positive"]
        intents = [name for name in terms.INTENTS if name != "unscored"]
        sentiment = st.selectbox(
            desk.t("Sentiment"), sentiments, format_func=lambda one: desk.t(terms.SENTIMENTS[one]),
            index=sentiments.index(line.sentiment) if line.sentiment in sentiments else None,
        )  # fmt: skip
        intent = st.selectbox(
            desk.t("Class"), intents, format_func=lambda one: desk.t(terms.INTENTS[one]),
            index=intents.index(line.intent) if line.intent in intents else None,
        )  # fmt: skip
        if st.form_submit_button(desk.t("Save"), type="primary"):
            _save(desk, line, {"sentiment": sentiment, "intent": intent})


def _save(desk: Desk, line: MentionLine, values: dict[str, str | None]) -> None:
    def work(session: Session) -> None:
        for field, value in values.items():
            if value is not None:
                assessments.override(
                    session, mention_id=line.id, brand_id=line.brand_id, field=field, value=value,
                    user_id=desk.person.id, now=desk.clock_now(),
                )  # fmt: skip

    actions.do(desk, "work_tickets", work, desk.t("Corrected. The figures follow at once."))
    st.rerun()
