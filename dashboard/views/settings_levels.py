"""The tab Service levels: how long a customer may wait, by class, for all brands and for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, parts, terms
from dashboard.desk import BrandChoice, Desk
from dashboard.hostile import escape, to_markdown
from dashboard.views import settings_parts as shared
from dashboard.views.settings_calendars import sentence, shown_name
from responder import sla
from store import service_levels
from store.models import BusinessCalendar, SlaPolicy
from store.service_levels import LONGEST_MINUTES, LevelError

CLASSES = ("complaint", "enquiry", "suggestion", "praise", "other")
_Policies = Mapping[str, SlaPolicy]


def show(desk: Desk) -> None:
    """Draw the limits."""
    with desk.store.read() as session:
        rows = service_levels.policies(session)
        calendars = service_levels.calendars(session)
    by_brand: dict[int | None, dict[str, SlaPolicy]] = {}
    for row in rows:
        by_brand.setdefault(row.brand_id, {})[row.category] = row
    defaults = by_brand.get(None, {})
    st.html(
        "<p>"
        + escape(
            desk.t(
                "Time counts in working minutes of a calendar. A change holds for tickets opened "
                "from now on: clocks that run keep their limits."
            )
        )
        + "</p>"
    )
    if not defaults:
        parts.empty(
            desk.t("No limits yet"),
            desk.t("Here you will see how long a customer may wait, by class of ticket."),
            desk.t("They are made with the first ticket; you can set them before with Change."),
        )
    _scope(desk, None, defaults, defaults, calendars)
    for brand in desk.brands:
        if brand.realm == "real" and brand.kind == "own":
            _scope(desk, brand, by_brand.get(brand.id, {}), defaults, calendars)


def _scope(
    desk: Desk,
    brand: BrandChoice | None,
    own: _Policies,
    defaults: _Policies,
    calendars: Sequence[BusinessCalendar],
) -> None:
    brand_id = brand.id if brand else None
    with st.container(border=True, key=f"levels-{brand_id or 'all'}"):
        name = escape(shared.brand_name(desk, brand_id))
        st.html(f"<p><strong><bdi>{name}</bdi></strong></p>")
        if own:
            _table(desk, own, calendars)
        elif brand is not None:
            st.caption(desk.t("The limits of all brands hold here."))
        if not shared.changes(desk, "edit_settings", brand_id):
            return
        serial = actions.serial()
        with st.container(horizontal=True):
            label = desk.t("Change") if brand is None else desk.t("Set limits of its own")
            edit = st.popover(
                label, icon=":material/edit:", key=f"edit-levels-{brand_id}-{serial}",
                on_change="rerun",
            )  # fmt: skip
            if edit.open:
                with edit:
                    _form(desk, brand_id, own, defaults, calendars)
            if brand is not None and own:
                with st.popover(
                    desk.t("Take back"), icon=":material/undo:", key=f"undo-{brand_id}-{serial}"
                ):
                    _take_back(desk, brand, own)


def _table(desk: Desk, policies: _Policies, calendars: Sequence[BusinessCalendar]) -> None:
    by_id = {row.id: row for row in calendars}
    head = "".join(
        f"<th{side}>{escape(name)}</th>"
        for name, side in (
            (desk.t("Class"), ""),
            (desk.t("First response"), ' class="right"'),
            (desk.t("Resolution"), ' class="right"'),
            (desk.t("Calendar"), ""),
        )
    )
    rows = "".join(
        f"<tr><td>{escape(terms.word(desk, terms.INTENTS, category))}</td>"
        f'<td class="right">{escape(_length(desk, policy.first_response_minutes))}</td>'
        f'<td class="right">{escape(_length(desk, policy.resolution_minutes))}</td>'
        f"<td>{escape(_calendar(desk, policy.brand_id, by_id[policy.calendar_id]))}</td></tr>"
        for category in CLASSES
        if (policy := policies.get(category)) is not None
    )
    st.html(f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')


def _length(desk: Desk, minutes: int) -> str:
    """Working time in hours and minutes; never in days, since a working day is no 24 hours."""
    hours, rest = divmod(minutes, 60)
    if not hours:
        return desk.t("{minutes} min", minutes=rest)
    if not rest:
        return desk.t("{hours} h", hours=desk.formats.number(hours))
    return desk.t("{hours} h {minutes} min", hours=desk.formats.number(hours), minutes=rest)


def _calendar(desk: Desk, brand_id: int | None, row: BusinessCalendar) -> str:
    # The desk reads this one calendar as "the working week of the brand's own zone".
    if brand_id is None and row.name == f"{sla.STOCK_CALENDAR} (UTC)":
        return desk.t("Weekdays 09:00–18:00 in the brand's time zone")
    return shown_name(desk, row)


def _form(
    desk: Desk,
    brand_id: int | None,
    own: _Policies,
    defaults: _Policies,
    calendars: Sequence[BusinessCalendar],
) -> None:
    if not calendars:
        parts.notice(desk.t("Add a calendar below first."))
        return
    category = st.selectbox(
        desk.t("Class"), CLASSES, key=f"levels-class-{brand_id}",
        format_func=lambda one: terms.word(desk, terms.INTENTS, one),
    )  # fmt: skip
    policy = own.get(category) or defaults.get(category)
    ids = [row.id for row in calendars]
    names = {row.id: _calendar(desk, brand_id, row) for row in calendars}
    with st.form(f"levels-form-{brand_id}-{category}-{actions.serial()}", border=False):
        first = st.number_input(
            desk.t("First response, in working minutes"), 1, LONGEST_MINUTES,
            policy.first_response_minutes if policy else 60,
        )  # fmt: skip
        resolution = st.number_input(
            desk.t("Resolution, in working minutes"), 1, LONGEST_MINUTES,
            policy.resolution_minutes if policy else 1080,
            help=desk.t("A working day of nine hours has 540 minutes."),
        )  # fmt: skip
        calendar_id = st.selectbox(
            desk.t("Calendar"), ids, format_func=lambda one: to_markdown(names[one]),
            index=ids.index(policy.calendar_id) if policy and policy.calendar_id in ids else 0,
        )  # fmt: skip
        if not st.form_submit_button(desk.t("Save"), type="primary"):
            return

    def work(session: Session) -> None:
        shared.allow(desk, "edit_settings", brand_id)
        try:
            policy_id = service_levels.save_policy(
                session, brand_id, category, first_response_minutes=first,
                resolution_minutes=resolution, calendar_id=calendar_id,
            )  # fmt: skip
        except LevelError as error:
            raise LookupError(sentence(desk, error)) from error
        shared.note(
            desk, session, "service_level.changed", "service_level", policy_id,
            {"brand": brand_id, "class": category, "first_response_minutes": first,
             "resolution_minutes": resolution, "calendar": calendar_id},
        )  # fmt: skip

    said = desk.t("Saved. It holds for tickets opened from now on; running clocks keep theirs.")
    shared.save(desk, "edit_settings", work, said)


def _take_back(desk: Desk, brand: BrandChoice, own: _Policies) -> None:
    category = st.selectbox(
        desk.t("Class"), [one for one in CLASSES if one in own], key=f"undo-class-{brand.id}",
        format_func=lambda one: terms.word(desk, terms.INTENTS, one),
    )  # fmt: skip
    st.write(desk.t("New tickets of this class then go by the limits of all brands."))
    if not st.button(desk.t("Yes, take it back"), key=f"undo-yes-{brand.id}", type="primary"):
        return

    def work(session: Session) -> None:
        shared.allow(desk, "edit_settings", brand.id)
        service_levels.remove_policy(session, brand.id, category)
        shared.note(
            desk, session, "service_level.removed", "service_level", None,
            {"brand": brand.id, "class": category},
        )  # fmt: skip

    actions.do(desk, "edit_settings", work, desk.t("The limits of all brands hold again."))
    st.rerun()
