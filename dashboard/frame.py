"""The frame around every page: navigation, brand levels, brand and period, language, person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

import streamlit as st
from streamlit.navigation.page import Page

from dashboard import desk as desks
from dashboard import levels, periods, state, theme, words
from dashboard.desk import Desk
from dashboard.hostile import escape, to_markdown
from dashboard.rights import Right, may
from dashboard.views import alerts, brands, inbox, mentions, settings, sources, team, trends
from dashboard.words import N_, Words
from service.signin import Person
from store import users

View = Callable[[Desk], None]
_WORK, _INSIGHT, _SET_UP = N_("Work"), N_("Insight"), N_("Set-up")

# group, address, title, icon, the right it takes, the view
VIEWS: list[tuple[str, str, str, str, Right, View]] = [
    (_WORK, "inbox", N_("Inbox"), ":material/inbox:", "read_inbox", inbox.show),
    (
        _WORK,
        "alerts",
        N_("Alerts"),
        ":material/notifications_active:",
        "read_alerts",
        alerts.show,
    ),
    (_WORK, "mentions", N_("Mentions"), ":material/forum:", "read_inbox", mentions.show),
    (_INSIGHT, "trends", N_("Trends"), ":material/monitoring:", "read_trends", trends.show),
    (_SET_UP, "brands", N_("Brands & queries"), ":material/sell:", "edit_brands", brands.show),
    (_SET_UP, "sources", N_("Sources"), ":material/rss_feed:", "read_sources", sources.show),
    (_SET_UP, "team", N_("Team"), ":material/group:", "edit_team", team.show),
    (_SET_UP, "settings", N_("Settings"), ":material/settings:", "read_settings", settings.show),
]


def show() -> None:
    """Draw the page that was asked for, or say that one must sign in."""
    person = desks.who()
    said = words.of(person.language if person else "en")
    st.set_page_config("Groundswell 听潮", theme.ICON, layout="wide")
    st.html(f"<style>{theme.style(st.context.theme.type == 'dark')}</style>")
    if person is None:
        _signed_out(said)
        return
    permitted = desks.brands_of(person)
    chosen = st.navigation(_pages(person, said), expanded=True)
    desk = _top_line(person, said, permitted)
    levels.show(desk)
    st.session_state["desk"] = desk
    chosen.run()


def _signed_out(said: Words) -> None:
    st.html(
        f"<p>{escape(said.t('You are signed out.'))} "
        f'<a href="/sign-in" target="_self">{escape(said.t("Sign in"))}</a></p>'
    )


def _pages(person: Person, said: Words) -> dict[str, list[Page]]:
    permitted = [one for one in VIEWS if may(person, one[4])]
    # Streamlit serves its default page at "/" only; a hidden one leaves every page its address.
    home = st.Page(
        partial(_run, permitted[0][5]), title="Groundswell", default=True, visibility="hidden"
    )
    pages: dict[str, list[Page]] = {"": [home]}
    by_address: dict[str, Page] = {}
    for group, address, title, icon, _right, view in permitted:
        page = st.Page(partial(_run, view), title=said.t(title), icon=icon, url_path=address)
        pages.setdefault(said.t(group), []).append(page)
        by_address[address] = page
    st.session_state["pages"] = by_address
    return pages


def _run(view: View) -> None:
    view(st.session_state["desk"])


def _top_line(person: Person, said: Words, brands: list[desks.BrandChoice]) -> Desk:
    scopes = desks.scopes(person, brands)
    now = state.installed().services.clock.now()
    with st.container(key="top-line", horizontal=True, vertical_alignment="bottom"):
        shown = partial(_scope, said, brands)
        scope = scopes[_choice("brand", said.t("Brand"), list(scopes), shown)]
        formats = desks.formats_for(person.language, scope.time_zone)
        key = _choice(
            "period",
            said.t("Period"),
            list(periods.PERIODS),
            lambda one: said.t(periods.PERIODS[one]),
            default="7d",
        )
        today = now.astimezone(formats.zone).date()
        own = _own_dates(said, today) if key == "own" else None
        st.html(
            f'<span class="zone" title="{escape(said.t("Time zone"))}">'
            f"{escape(formats.zone_name)}</span>",
            width="content",
        )
        st.space("stretch")
        _language(person)
        _person(person, said)
    period = periods.make(key, now, formats.zone, own)
    return Desk(person, said, formats, brands, scope, period, now)


def _choice(
    name: str,
    label: str,
    options: list[str],
    shown: Callable[[str], str],
    default: str | None = None,
) -> str:
    """A select box whose value stands in the address too, so that it outlives a refresh."""
    first = default if default in options else options[0]
    if st.session_state.get(name) not in options:
        asked = st.query_params.get(name)
        st.session_state[name] = asked if asked in options else first
    found = st.selectbox(
        label, options, format_func=shown, key=name, label_visibility="collapsed",
        width=200 if name == "brand" else 160,
    )  # fmt: skip
    value = str(found)
    if value == first:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value
    return value


def _scope(said: Words, brands: list[desks.BrandChoice], key: str) -> str:
    brand = next((one for one in brands if str(one.id) == key), None)
    if brand is None:
        return said.t("All brands") if brands else said.t("No brand yet")
    name = brand.name
    if brand.realm == "demo":
        return said.t("{brand} (demo)", brand=name)
    if brand.realm == "drill":
        return said.t("{brand} (drill)", brand=name)
    return said.t("{brand} (competitor)", brand=name) if brand.kind == "competitor" else name


def _own_dates(said: Words, today: date) -> tuple[date, date]:
    value = st.date_input(
        said.t("Own dates"),
        (today - timedelta(days=13), today),
        max_value=today,
        format="YYYY-MM-DD",
        key="own_dates",
        label_visibility="collapsed",
        width=220,
    )
    chosen = value if isinstance(value, tuple) else (value,)
    days = [one for one in chosen if one is not None]
    return (days[0], days[-1]) if days else (today, today)


def _language(person: Person) -> None:
    def save() -> None:
        chosen = st.session_state["language"]
        if chosen in words.LANGUAGES:
            state.installed().services.store.transact(
                lambda session: users.set_language(session, person.id, chosen)
            )

    st.segmented_control(
        words.of(person.language).t("Language"),
        list(words.LANGUAGES),
        format_func=lambda one: words.LANGUAGES[one],
        default=person.language,
        required=True,
        key="language",
        on_change=save,
        label_visibility="collapsed",
        width="content",
    )


def _person(person: Person, said: Words) -> None:
    roles = {
        "agent": said.t("Agent"),
        "manager": said.t("Manager"),
        "analyst": said.t("Analyst"),
        "administrator": said.t("Administrator"),
    }
    with st.popover(to_markdown(person.shown), icon=":material/person:", width="content"):
        st.html(
            f"<p><strong>{escape(person.shown)}</strong><br>{escape(person.email)}<br>"
            f"{escape(roles.get(person.role, person.role))}</p>"
            f'<p><a class="button" href="/sign-out" target="_self">{escape(said.t("Sign out"))}</a>'
        )
