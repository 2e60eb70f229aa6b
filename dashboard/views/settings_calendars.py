"""Calendars: working hours by weekday, public holidays, closed days of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import groupby
from zoneinfo import available_timezones

import streamlit as st
from babel import Locale, dates
from sqlalchemy.orm import Session

from calendars import holidays
from calendars.business import from_row
from calendars.spans import CalendarError, parse_weekly
from dashboard import actions, parts
from dashboard.desk import Desk, formats_for
from dashboard.hostile import escape, one_line, to_markdown
from dashboard.views import settings_parts as shared
from responder import sla
from store import service_levels
from store.models import BusinessCalendar
from store.service_levels import CalendarValues, LevelError

_WEEKDAYS = range(7)
# What an input method for Chinese writes in their place.
_NARROW = str.maketrans({"：": ":", "，": ",", "、": ",", "－": "-", "—": "-", "–": "-", "～": "-"})


def show(desk: Desk) -> None:
    """Draw the calendars."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(desk.t("Calendars"), anchor=False)
        st.space("stretch")
        if _may(desk):
            label = desk.t("Add a calendar")
            if st.button(label, icon=":material/add:", key="add-calendar"):
                st.dialog(label, width="medium")(_form)(desk, None)
    with desk.store.read() as session:
        found = service_levels.calendars(session)
    if not found:
        parts.empty(
            desk.t("No calendar yet"),
            desk.t("Here you will keep the hours in which the team works."),
            desk.t("Add a calendar with the button above."),
        )
    for row in found:
        _card(desk, row)


def shown_name(desk: Desk, row: BusinessCalendar) -> str:
    """A calendar's name; those we made ourselves are named in the reader's language."""
    if row.name == f"{sla.STOCK_CALENDAR} ({row.time_zone})":
        zone = formats_for(desk.person.language, row.time_zone).zone_name
        return desk.t("Weekdays 09:00–18:00 ({zone})", zone=zone)
    return row.name


def sentence(desk: Desk, error: LevelError) -> str:
    """What the store refused, as a sentence with the field and the fix."""
    return {
        "empty": desk.t("A calendar needs a name."),
        "long": desk.t("This is too long."),
        "taken": desk.t("A calendar with this name is already there. Choose another name."),
        "gone": desk.t("Somebody has removed this calendar meanwhile. Choose another one."),
        "in_use": desk.t(
            "Limits or tickets are counted in this calendar. Give the limits another one first; "
            "while tickets were counted in it, it stays."
        ),
        "minutes": desk.t("Limits go from 1 to 100,000 minutes."),
        "order": desk.t(
            "Resolution: it cannot be due before the first response. Write at least as many "
            "minutes as there."
        ),
    }.get(error.reason, str(error))


def _may(desk: Desk) -> bool:
    # Calendars belong to no brand, so changing one takes who sees every brand.
    return shared.changes(desk, "edit_settings", None)


def _card(desk: Desk, row: BusinessCalendar) -> None:
    with st.container(border=True, key=f"calendar-{row.id}"):
        closed = ", ".join(map(str, row.closed_days)) or desk.t("none")
        facts = {
            desk.t("Time zone"): escape(formats_for(desk.person.language, row.time_zone).zone_name),
            desk.t("Working hours"): "<br>".join(map(escape, hours_in_words(desk, row.weekly))),
            desk.t("Public holidays"): escape(_holidays(desk, row.holidays)),
            desk.t("Own closed days"): escape(closed),
        }
        name = escape(shown_name(desk, row))
        st.html(f"<p><strong><bdi>{name}</bdi></strong></p>{parts.facts(facts)}")
        if not _may(desk):
            return
        serial = actions.serial()
        with st.container(horizontal=True):
            # Too long a form for a popover at the end of the page.
            if st.button(desk.t("Change"), icon=":material/edit:", key=f"edit-calendar-{row.id}"):
                st.dialog(to_markdown(shown_name(desk, row)), width="medium")(_form)(desk, row)
            with st.popover(
                desk.t("Remove"), icon=":material/delete:", key=f"remove-calendar-{row.id}-{serial}"
            ):
                st.write(desk.t("It can be removed while no limits and no tickets use it."))
                if st.button(desk.t("Yes, remove it"), key=f"calendar-go-{row.id}", type="primary"):
                    _remove(desk, row)


def hours_in_words(desk: Desk, weekly: Mapping[str, object]) -> list[str]:
    """Lines such as "Mon–Fri 09:00–12:00, 13:00–18:00": days with the same hours together."""
    names = dates.get_day_names("abbreviated", locale=desk.formats.locale)
    days = [(day, str(weekly.get(str(day)) or "")) for day in _WEEKDAYS]
    lines = []
    for hours, group in groupby(days, key=lambda one: one[1]):
        if not hours:
            continue
        run = [day for day, _ in group]
        which = names[run[0]] if len(run) == 1 else f"{names[run[0]]}–{names[run[-1]]}"
        lines.append(f"{which} {hours.replace('-', '–').replace(',', ', ')}")
    return lines


def _holidays(desk: Desk, country: str | None) -> str:
    if not country:
        return desk.t("none")
    if country != "CN":
        return _country(desk, country)
    until = holidays.known_until(country)
    year = until.year if until is not None else desk.now.year
    return desk.t(
        "{country} with make-up workdays, known until the end of {year}",
        country=_country(desk, country), year=year,
    )  # fmt: skip


def _country(desk: Desk, code: str) -> str:
    return str(Locale.parse(desk.formats.locale).territories.get(code, code))


def _form(desk: Desk, row: BusinessCalendar | None) -> None:
    zones = sorted(available_timezones())
    zone = row.time_zone if row else desk.scope.time_zone
    known: list[str | None] = [None, "CN", *(one for one in holidays.countries() if one != "CN")]
    country_now = row.holidays if row else "CN" if desk.words.language == "zh" else None
    weekly_now = row.weekly if row else {str(day): "09:00-12:00,13:00-18:00" for day in range(5)}
    names = dates.get_day_names("wide", locale=desk.formats.locale)
    with st.form(f"calendar-form-{row.id if row else 'new'}-{actions.serial()}", border=False):
        name = st.text_input(desk.t("Name"), row.name if row else "", max_chars=120)
        zone_chosen = st.selectbox(
            desk.t("Time zone"), zones, index=zones.index(zone) if zone in zones else None
        )
        st.caption(
            desk.t(
                "Working hours: two spans leave out a lunch break, as in {example}. Empty: closed.",
                example="09:00-12:00,13:00-18:00",
            )
        )
        columns = st.columns(2)
        typed = {
            day: columns[day > 3].text_input(
                names[day], str(weekly_now.get(str(day)) or ""), max_chars=120
            )
            for day in _WEEKDAYS
        }
        country = st.selectbox(
            desk.t("Public holidays"), known, format_func=lambda one: _holidays(desk, one),
            index=known.index(country_now) if country_now in known else 0,
        )  # fmt: skip
        closed = st.text_area(
            desk.t("Own closed days, one per line"),
            "\n".join(map(str, row.closed_days)) if row else "",
            height=80,
            help=desk.t("Write them like {example}.", example="2026-12-24"),
        )
        st.caption(
            desk.t(
                "Running clocks stay due when they were; time left after a pause is counted in "
                "the new hours."
            )
        )
        if not st.form_submit_button(desk.t("Save"), type="primary"):
            return
    weekly = {str(day): _narrow(text) for day, text in typed.items() if text.strip()}
    days = [one.strip() for one in closed.translate(_NARROW).splitlines() if one.strip()]
    values = CalendarValues(name, zone_chosen or "", weekly, country, days)
    problem = _problem(desk, values)
    if problem:
        parts.notice(problem, "error")
        return
    _save(desk, row, values)


def _narrow(text: str) -> str:
    return "".join(text.translate(_NARROW).split())


def _problem(desk: Desk, values: CalendarValues) -> str:
    """The first thing that is wrong, with its field and how to write it; empty when all is well."""
    if not values.time_zone:
        return desk.t("Please fill in: {fields}", fields=desk.t("Time zone"))
    names = dates.get_day_names("wide", locale=desk.formats.locale)
    for day, hours in values.weekly.items():
        broken = next((part for part in hours.split(",") if not _reads(part)), None)
        if broken is not None:
            return desk.t(
                "{day}: “{text}” is no working time. Write it like 09:00-18:00, with times from "
                "00:00 to 24:00 and a comma between two spans.",
                day=names[int(day)], text=one_line(broken, 40),
            )  # fmt: skip
        if not _reads(hours):
            return desk.t(
                "{day}: the spans in “{text}” overlap. Join them, or let one end before the next "
                "begins.",
                day=names[int(day)], text=one_line(hours, 60),
            )  # fmt: skip
    if not values.weekly:
        return desk.t("Working hours: no day has any. Give at least one day a span.")
    for text in values.closed_days:
        try:
            date.fromisoformat(text)
        except ValueError:
            return desk.t(
                "Own closed days: “{text}” is no date. Write it like 2026-12-24.",
                text=one_line(text, 40),
            )
    try:  # the last word has what the desk itself reads calendars with
        from_row(_Row(values))
    except CalendarError as error:
        return str(error)
    return ""


class _Row:
    """Values in the shape of a stored calendar."""

    def __init__(self, values: CalendarValues) -> None:
        self.name, self.time_zone, self.weekly = values.name, values.time_zone, values.weekly
        self.holidays, self.closed_days = values.holidays, values.closed_days


def _reads(hours: str) -> bool:
    try:
        return bool(parse_weekly({"0": hours}))
    except CalendarError:
        return False


def _save(desk: Desk, row: BusinessCalendar | None, values: CalendarValues) -> None:
    def work(session: Session) -> None:
        shared.allow(desk, "edit_settings", None)
        try:
            calendar_id = service_levels.save_calendar(session, values, row.id if row else None)
        except LevelError as error:
            raise LookupError(sentence(desk, error)) from error
        action = "calendar.changed" if row else "calendar.added"
        shared.note(desk, session, action, "calendar", calendar_id)

    shared.save(desk, "edit_settings", work, desk.t("Saved."))


def _remove(desk: Desk, row: BusinessCalendar) -> None:
    def work(session: Session) -> None:
        shared.allow(desk, "edit_settings", None)
        try:
            service_levels.remove_calendar(session, row.id)
        except LevelError as error:
            raise LookupError(sentence(desk, error)) from error
        shared.note(desk, session, "calendar.removed", "calendar", row.id)

    said = desk.t("{name} is removed.", name=one_line(shown_name(desk, row), 60))
    actions.do(desk, "edit_settings", work, said)
    st.rerun()
