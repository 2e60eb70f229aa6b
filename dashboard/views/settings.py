"""Settings: who is told of alerts, the standard wording, how long customers may wait."""

from __future__ import annotations

import streamlit as st

from dashboard import actions
from dashboard.desk import Desk
from dashboard.views import settings_calendars, settings_levels, settings_targets, settings_wording


def show(desk: Desk) -> None:
    """Draw the page."""
    st.title(desk.t("Settings"))
    # A place of its own: tabs that move down by a notice would be new ones and open the first.
    with st.container():
        actions.show_said()
    told, wording, levels = st.tabs(
        [desk.t("Notifications"), desk.t("Standard wording"), desk.t("Service levels")],
        key="settings-tab",
        on_change="rerun",
    )
    if told.open:
        with told:
            settings_targets.show(desk)
    if wording.open:
        with wording:
            settings_wording.show(desk)
    if levels.open:
        with levels:
            settings_levels.show(desk)
            settings_calendars.show(desk)
