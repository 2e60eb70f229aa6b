"""Brands & queries: what is watched, and the words that make a post a mention of it."""

from __future__ import annotations

from zoneinfo import available_timezones

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, parts
from dashboard.desk import BrandChoice, Desk, formats_for
from dashboard.hostile import escape
from query.match import QueryError, compile_query
from store import audit, brand_setup
from store.brand_setup import BrandError, BrandValues
from store.models import Brand, SearchQuery


def show(desk: Desk) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(desk.t("Brands & queries"))
        st.space("stretch")
        key = f"add-brand-{actions.serial()}"
        with st.popover(desk.t("Add a brand"), icon=":material/add:", type="primary", key=key):
            _form(desk, None)
    actions.show_said()
    if not desk.brands:
        parts.empty(
            desk.t("No brand yet"),
            desk.t("Here you will keep your own brands and the competitors you compare them with."),
            desk.t("Add a brand with the button above."),
        )
    for brand in desk.brands:
        _card(desk, brand)


def _card(desk: Desk, brand: BrandChoice) -> None:
    with desk.store.read() as session:
        row = session.get(Brand, brand.id)
        queries = brand_setup.queries(session, brand.id)
    if row is None:
        return
    with st.container(border=True, key=f"brand-{brand.id}"):
        kind = desk.t("Competitor") if brand.kind == "competitor" else desk.t("Own brand")
        realm = {"demo": desk.t("Demo"), "drill": desk.t("Drill")}.get(brand.realm, "")
        tags = [parts.chip(word, "tag") for word in (kind, realm) if word]
        handles = ", ".join(row.handles) or "–"
        st.html(
            f"<p><strong>{escape(brand.name)}</strong> {' '.join(tags)}</p>"
            + parts.facts(
                {
                    desk.t("Time zone"): escape(
                        formats_for(desk.person.language, brand.time_zone).zone_name
                    ),
                    desk.t("Own accounts"): f"<bdi>{escape(handles)}</bdi>",
                }
            )
        )
        if brand.realm != "real":
            return
        for query in queries:
            _query(desk, query)
        with st.container(horizontal=True):
            key = f"add-query-{brand.id}-{actions.serial()}"
            with st.popover(desk.t("Add a query"), icon=":material/add:", key=key):
                _new_query(desk, brand)
            with st.popover(desk.t("Change the brand"), icon=":material/edit:"):
                _form(desk, row)


def _query(desk: Desk, query: SearchQuery) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        state = "" if query.active else f" {parts.chip(desk.t('not in use'), 'tag')}"
        st.html(f"<code><bdi>{escape(query.text)}</bdi></code>{state}")
        label = desk.t("Leave aside") if query.active else desk.t("Use again")
        if st.button(label, key=f"query-{query.id}", type="tertiary"):
            _switch(desk, query)


def _switch(desk: Desk, query: SearchQuery) -> None:
    def work(session: Session) -> None:
        brand_setup.set_query_active(session, query.id, not query.active)
        audit.record(
            session, at=desk.clock_now(), user_id=desk.person.id, action="query.changed",
            object_type="query", object_id=query.id, detail={"active": not query.active},
        )  # fmt: skip

    actions.do(
        desk, "edit_brands", work, desk.t("Saved. It holds for posts collected from now on.")
    )
    st.rerun()


def _new_query(desk: Desk, brand: BrandChoice) -> None:
    with st.form(f"new-query-{brand.id}-{actions.serial()}", border=False):
        text = st.text_area(
            desk.t("Query"),
            height=80,
            help=desk.t(
                'Words and "exact phrases" joined by AND, OR and NOT, for example: '
                'acme AND (kettle OR "water boiler") NOT job'
            ),
        )
        if not st.form_submit_button(desk.t("Save"), type="primary"):
            return
    try:
        compile_query(text)
    except QueryError as error:
        parts.notice(str(error), "error")
        return

    def work(session: Session) -> None:
        now = desk.clock_now()
        query_id = brand_setup.add_query(session, brand.id, text, now)
        audit.record(
            session, at=now, user_id=desk.person.id, action="query.added", object_type="query",
            object_id=query_id, detail={"brand": brand.id},
        )  # fmt: skip

    _saved(desk, work)


def _form(desk: Desk, brand: Brand | None) -> None:
    zones = sorted(available_timezones())
    zone = brand.time_zone if brand else "Asia/Shanghai" if desk.words.language == "zh" else "UTC"
    kinds = {"own": desk.t("Own brand"), "competitor": desk.t("Competitor")}
    with st.form(f"brand-form-{brand.id if brand else 'new'}-{actions.serial()}", border=False):
        name = st.text_input(desk.t("Name"), brand.name if brand else "", max_chars=200)
        kind = st.selectbox(
            desk.t("Kind"), list(kinds), format_func=lambda one: kinds[one],
            index=list(kinds).index(brand.kind) if brand else 0,
        )  # fmt: skip
        time_zone = st.selectbox(
            desk.t("Time zone"), zones, index=zones.index(zone) if zone in zones else None
        )
        handles = st.text_area(
            desk.t("Own accounts, one per line"),
            "\n".join(brand.handles) if brand else "",
            height=80,
            help=desk.t("Posts of these accounts never open tickets."),
        )
        if not st.form_submit_button(desk.t("Save"), type="primary"):
            return
    values = BrandValues(
        name, kind, time_zone or "UTC", tuple(handles.splitlines()),
        brand.priority if brand else 100,
    )  # fmt: skip

    def work(session: Session) -> None:
        now = desk.clock_now()
        try:
            brand_id = brand_setup.save(session, values, now, brand.id if brand else None)
        except BrandError as error:
            raise LookupError(_sentence(desk, error)) from error
        audit.record(
            session, at=now, user_id=desk.person.id,
            action="brand.changed" if brand else "brand.added",
            object_type="brand", object_id=brand_id,
        )  # fmt: skip

    _saved(desk, work)


def _saved(desk: Desk, work: actions.Work) -> None:
    if actions.do(desk, "edit_brands", work, desk.t("Saved.")):
        st.rerun()
    actions.show_said()


def _sentence(desk: Desk, error: BrandError) -> str:
    return {
        "empty": desk.t("A brand needs a name."),
        "long": desk.t("This is too long."),
        "taken": desk.t("A brand with this name is already there."),
    }[error.reason]
