"""The tab Standard wording: the canned responses that the composer offers."""

from __future__ import annotations

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, parts, terms
from dashboard.desk import Desk
from dashboard.hostile import escape, one_line, to_html
from dashboard.views import settings_parts as shared
from dashboard.words import LANGUAGES
from responder import drafts
from responder.errors import CannedError
from store import canned
from store.models import CannedResponse

_CLASSES: tuple[str | None, ...] = (
    None, "complaint", "enquiry", "suggestion", "praise", "other",
)  # fmt: skip


def show(desk: Desk) -> None:
    """Draw the tab."""
    with desk.store.read() as session:
        every = canned.all_of(session, desk.all_brand_ids)
    with st.container(horizontal=True, vertical_alignment="center"):
        languages = sorted({row.language for row in every})
        chosen = st.segmented_control(
            desk.t("Language"), languages, key="wording-language",
            format_func=lambda one: terms.language(desk, one), label_visibility="collapsed",
        )  # fmt: skip
        st.space("stretch")
        if desk.may("edit_wording"):
            key = f"add-wording-{actions.serial()}"
            with st.popover(desk.t("Add wording"), icon=":material/add:", type="primary", key=key):
                _form(desk, None)
    shown = [row for row in every if chosen is None or row.language == chosen]
    if not shown:
        parts.empty(
            desk.t("No wording yet"),
            desk.t("Here you will keep texts that the team uses again and again in its answers."),
            desk.t("Add wording with the button above."),
        )
    for row in shown:
        _card(desk, row)


def _card(desk: Desk, row: CannedResponse) -> None:
    with st.container(border=True, key=f"wording-{row.id}"):
        tags = [
            parts.chip(terms.language(desk, row.language), "tag"),
            parts.chip(_class(desk, row.category), "tag"),
            parts.chip(shared.brand_name(desk, row.brand_id), "tag"),
        ]
        st.html(
            f'<div class="post-line"><strong><bdi>{escape(row.title)}</bdi></strong> '
            f'{" ".join(tags)}</div><div class="words" dir="auto">{to_html(row.body)}</div>'
        )
        if not shared.changes(desk, "edit_wording", row.brand_id):
            return
        with st.container(horizontal=True):
            serial = actions.serial()
            edit = st.popover(
                desk.t("Change"), icon=":material/edit:", on_change="rerun",
                key=f"edit-wording-{row.id}-{serial}",
            )  # fmt: skip
            if edit.open:
                with edit:
                    _form(desk, row)
            with st.popover(
                desk.t("Delete"), icon=":material/delete:", key=f"delete-wording-{row.id}-{serial}"
            ):
                st.write(desk.t("The composer will no longer offer it. Answers sent with it stay."))
                if st.button(desk.t("Yes, delete it"), key=f"delete-{row.id}", type="primary"):
                    _delete(desk, row)


def _class(desk: Desk, category: str | None) -> str:
    return terms.word(desk, terms.INTENTS, category) if category else desk.t("All classes")


def _form(desk: Desk, row: CannedResponse | None) -> None:
    known = list(LANGUAGES)
    language_now = row.language if row else desk.words.language
    with st.form(f"wording-form-{row.id if row else 'new'}-{actions.serial()}", border=False):
        title = st.text_input(desk.t("Title"), row.title if row else "", max_chars=120)
        body = st.text_area(
            desk.t("Text"), row.body if row else "", height=140,
            help=desk.t(
                "{names} are filled in for each ticket.",
                names=", ".join(f"{{{name}}}" for name in drafts.PLACEHOLDERS),
            ),
        )  # fmt: skip
        left, right = st.columns(2)
        with left:
            language = st.selectbox(
                desk.t("Language"), known, format_func=lambda one: terms.language(desk, one),
                index=known.index(language_now) if language_now in known else 0,
            )  # fmt: skip
        with right:
            category = st.selectbox(
                desk.t("Class"), _CLASSES, format_func=lambda one: _class(desk, one),
                index=_CLASSES.index(row.category) if row and row.category in _CLASSES else 0,
            )  # fmt: skip
        brand_id = shared.brand_input(desk, row.brand_id if row else None, new=row is None)
        with st.container(horizontal=True):
            save = st.form_submit_button(desk.t("Save"), type="primary")
            preview = st.form_submit_button(desk.t("Preview"))
    if not (save or preview):
        return
    try:
        if save:
            drafts.check_title(title)
        filled = drafts.fill(body, _example(desk, brand_id, language), language)
    except CannedError as error:
        parts.notice(actions.desk_error(desk, error), "error")
        return
    if preview:
        st.caption(desk.t("With example values it reads:"))
        st.html(f'<div class="words" dir="auto">{to_html(filled)}</div>')
        return
    _save(desk, row, title.strip(), body.strip(), language, category, brand_id)


def _example(desk: Desk, brand_id: int | None, language: str) -> drafts.DraftValues:
    brand = desk.brand(brand_id) if brand_id is not None else next(iter(desk.brands), None)
    name = brand.name if brand is not None else "Northwind"
    customer = "王女士" if language == "zh" else "Ann Reed"
    ticket = f"GS-{desk.now.year}-000123"
    return drafts.DraftValues(customer, desk.person.shown, ticket, name)


def _save(
    desk: Desk,
    row: CannedResponse | None,
    title: str,
    body: str,
    language: str,
    category: str | None,
    brand_id: int | None,
) -> None:
    def work(session: Session) -> None:
        shared.allow(desk, "edit_wording", brand_id)
        if row is None:
            made = canned.add(
                session, title, body, language, desk.clock_now(), category=category,
                brand_id=brand_id,
            )  # fmt: skip
            shared.note(desk, session, "wording.added", "wording", made.id)
            return
        _allowed(desk, session, row.id)
        canned.change(session, row.id, title, body, language, category=category, brand_id=brand_id)
        new = {
            "title": title, "body": body, "language": language, "category": category,
            "brand_id": brand_id,
        }  # fmt: skip
        fields = [key for key, value in new.items() if getattr(row, key) != value]
        shared.note(desk, session, "wording.changed", "wording", row.id, {"fields": fields})

    shared.save(desk, "edit_wording", work, desk.t("Saved. The composer offers it at once."))


def _allowed(desk: Desk, session: Session, canned_id: int) -> None:
    row = session.get(CannedResponse, canned_id)
    if row is None:
        raise LookupError(desk.t("Somebody has deleted this wording meanwhile."))
    shared.allow(desk, "edit_wording", row.brand_id)


def _delete(desk: Desk, row: CannedResponse) -> None:
    def work(session: Session) -> None:
        _allowed(desk, session, row.id)
        canned.remove(session, row.id)
        shared.note(desk, session, "wording.deleted", "wording", row.id)

    said = desk.t("“{title}” is deleted.", title=one_line(row.title, 60))
    actions.do(desk, "edit_wording", work, said)
    st.rerun()
