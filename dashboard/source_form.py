"""The form that adds or changes a source, and tries the connection first."""

from __future__ import annotations

from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, connectors, parts, state
from dashboard.connectors import FORMS, ConnectorForm
from dashboard.desk import Desk
from listeners.base import ListenerError
from store import audit, source_setup
from store.source_setup import SourceError, SourceHealth, SourceValues


def show(desk: Desk, connector: str, source: SourceHealth | None) -> None:
    """Draw the form of a connector, filled from a stored source where there is one."""
    form = FORMS[connector]
    key = f"source-form-{connector}-{source.id if source else 'new'}-{actions.serial()}"
    real = {brand.id: brand.name for brand in desk.brands if brand.realm == "real"}
    if not real:
        parts.notice(desk.t("Add a brand under Brands & queries first."))
        return
    with st.form(key, border=False):
        name = st.text_input(desk.t("Name"), source.name if source else "", max_chars=200)
        brand_id = st.selectbox(
            desk.t("Brand"), list(real), format_func=lambda one: real[one],
            index=list(real).index(source.brand_id)
            if source is not None and source.brand_id in real else 0,
        )  # fmt: skip
        values = {field.path: _input(desk, field, source) for field in form.fields}
        minutes = st.number_input(
            desk.t("Read every … minutes"), 0.5, 1440.0,
            (source.interval_seconds if source else form.interval_seconds) / 60, 0.5,
        )  # fmt: skip
        budget = st.number_input(
            desk.t("Budget per month in US dollars (0: no limit)"), 0.0, 1e6,
            (source.budget_usd or 0.0) if source else 0.0,
        )  # fmt: skip
        with st.container(horizontal=True):
            save = st.form_submit_button(desk.t("Save"), type="primary")
            test = st.form_submit_button(desk.t("Test the connection"))
    if not (save or test):
        return
    left_out = connectors.missing(form, values, has_secrets=bool(source and source.has_secrets))
    if left_out or not name.strip():
        labels = [*([desk.t("Name")] if not name.strip() else []), *map(desk.t, left_out)]
        parts.notice(desk.t("Please fill in: {fields}", fields=", ".join(labels)), "error")
        return
    config, secrets = connectors.split(form, values)
    if test:
        _test(desk, connector, config, secrets, source)
        return
    stored = SourceValues(
        name, connector, brand_id, config,
        state.installed().services.secrets.seal(secrets) if secrets else None,
        int(minutes * 60), budget or None,
    )  # fmt: skip
    _save(desk, form, stored, source)


def _input(desk: Desk, field: connectors.Field, source: SourceHealth | None) -> Any:
    value = connectors.value_of(source.config if source else {}, field)
    label = desk.t(field.label)
    helped = desk.t(field.help) if field.help else None
    if field.kind == "secret":
        kept = (
            desk.t("stored; fill in only to change it") if source and source.has_secrets else None
        )
        return st.text_input(label, type="password", help=helped, placeholder=kept)
    if field.kind == "lines":
        return st.text_area(label, value, height=80, help=helped)
    if field.kind == "number":
        return st.number_input(label, 1, 65535, int(value), help=helped)
    if field.kind == "toggle":
        return st.toggle(label, bool(value), help=helped)
    return st.text_input(label, str(value), help=helped)


def _test(
    desk: Desk,
    connector: str,
    config: dict[str, Any],
    secrets: dict[str, str] | None,
    source: SourceHealth | None,
) -> None:
    services = state.installed().services
    sealed = services.secrets.seal(secrets) if secrets else None
    if sealed is None and source is not None:
        with desk.store.read() as session:
            sealed = source_setup.sealed_secrets(session, source.id)
    try:
        with st.spinner(desk.t("Asking the platform …")):
            listener = services.listener(connector, config, sealed)
            try:
                batch = next(iter(listener.fetch(None)), None)
            finally:
                listener.close()
    except ListenerError as error:
        parts.notice(str(error), "error")
        return
    count = len(batch.posts) if batch is not None else 0
    parts.notice(desk.nt("It works: {n} post came back.", "It works: {n} posts came back.", count))


def _save(
    desk: Desk, form: ConnectorForm, values: SourceValues, source: SourceHealth | None
) -> None:
    def work(session: Session) -> None:
        now = desk.clock_now()
        try:
            source_id = source_setup.save(session, values, now, source.id if source else None)
        except SourceError as error:
            raise LookupError(
                desk.t("A source with this name is already there. Choose another name.")
            ) from error
        audit.record(
            session, at=now, user_id=desk.person.id,
            action="source.changed" if source else "source.added",
            object_type="source", object_id=source_id,
            detail={"connector": values.connector, "fields": [one.path for one in form.fields]},
        )  # fmt: skip

    if actions.do(desk, "edit_sources", work, desk.t("Saved. Its next run is due at once.")):
        st.rerun()
    actions.show_said()
