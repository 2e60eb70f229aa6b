"""Colours, type and the style sheet of the desk. Colour means something or is not used."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from dashboard.words import N_

SENTIMENT = {"negative": "#B8442C", "neutral": "#7A8594", "positive": "#1F8A70"}
UNSCORED = "#C3CAD3"
LEVEL = {"blue": "#2F6FDE", "yellow": "#D9A300", "orange": "#E0700B", "red": "#C62828"}
LEVELS = ("blue", "yellow", "orange", "red")
ACCENT = "#2B5B84"
LINE = "#3F7FB0"  # the accent in charts, to be seen on white and on dark
ICON = Path(__file__).parent / "assets" / "icon.png"
# Seven at most, told apart in greyscale order and by colour-blind eyes (Okabe and Ito, darkened).
SERIES = ("#2B5B84", "#C96A1B", "#1F8A70", "#7B4B94", "#B58900", "#4FA3C7", "#7A8594")

FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'PingFang SC', 'Noto Sans CJK SC', "
    "'Noto Sans SC', 'Microsoft YaHei', sans-serif"
)

OPTIONS: dict[str, Any] = {
    "theme.font": FONT,
    "theme.baseFontSize": 14,
    "theme.baseRadius": "6px",
    "theme.buttonRadius": "6px",
    "theme.showSidebarBorder": True,
    "theme.headingFontSizes": ["22px", "18px", "16px", "15px", "14px", "14px"],
    "theme.headingFontWeights": [600, 600, 600, 600, 600, 600],
    "theme.metricValueFontSize": "24px",
    "theme.light.primaryColor": ACCENT,
    "theme.light.backgroundColor": "#FFFFFF",
    "theme.light.secondaryBackgroundColor": "#F6F7F9",
    "theme.light.textColor": "#1C2733",
    "theme.light.linkColor": ACCENT,
    "theme.light.borderColor": "#DDE2E8",
    "theme.light.sidebar.backgroundColor": "#F6F7F9",
    "theme.dark.primaryColor": "#7FB2DC",
    "theme.dark.backgroundColor": "#12181F",
    "theme.dark.secondaryBackgroundColor": "#1B232C",
    "theme.dark.textColor": "#E6EBF0",
    "theme.dark.linkColor": "#7FB2DC",
    "theme.dark.borderColor": "#323D49",
    "theme.dark.sidebar.backgroundColor": "#171F27",
}

# The same meanings on a dark surface, light enough to be read.
_DARK = (
    ":root{--gs-negative:#E58A75;--gs-neutral:#9AA5B3;--gs-positive:#4DBE9F;--gs-red:#E5534B;"
    "--gs-orange:#F08A34;--gs-quiet:#A3AEBB;--gs-line:#323D49;--gs-soft:#1B232C;"
    "--gs-accent:#7FB2DC;--gs-amber:#E8B04B}"
)

LEVEL_WORDS = {
    "blue": N_("Blue"),
    "yellow": N_("Yellow"),
    "orange": N_("Orange"),
    "red": N_("Red"),
}


@functools.cache
def style(dark: bool = False) -> str:
    """The style sheet of the desk, to be put on every page."""
    sheet = (Path(__file__).parent / "assets" / "desk.css").read_text("utf-8")
    return sheet + _DARK if dark else sheet
