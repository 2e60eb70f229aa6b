"""The words for stored values: sentiments, intents, statuses, platforms, languages."""

from __future__ import annotations

from babel import Locale

from dashboard.desk import Desk
from dashboard.words import N_

SENTIMENTS = {
    "negative": N_("Negative"),
    "neutral": N_("Neutral"),
    "positive": N_("Positive"),
    "unscored": N_("Not scored yet"),
}
INTENTS = {
    "complaint": N_("Complaint"),
    "enquiry": N_("Enquiry"),
    "suggestion": N_("Suggestion"),
    "praise": N_("Praise"),
    "other": N_("Other"),
    "unscored": N_("Not scored yet"),
}
STATUSES = {
    "open": N_("Open"),
    "pending": N_("Pending"),
    "snoozed": N_("Snoozed"),
    "resolved": N_("Resolved"),
}
REPLY_STATUSES = {
    "draft": N_("Draft"),
    "in_review": N_("In review"),
    "approved": N_("On its way"),
    "sending": N_("On its way"),
    "sent": N_("Sent"),
    "failed": N_("Failed"),
    "uncertain": N_("Uncertain"),
    "by_hand": N_("To be answered by hand"),
}
PRIORITIES = {
    "urgent": N_("Urgent"),
    "high": N_("High"),
    "normal": N_("Normal"),
    "low": N_("Low"),
}
ROLES = {
    "agent": N_("Agent"),
    "manager": N_("Manager"),
    "analyst": N_("Analyst"),
    "administrator": N_("Administrator"),
}
URGENCIES = {"0": N_("None"), "1": N_("Low"), "2": N_("High"), "3": N_("Urgent")}
INCIDENT_STATUSES = {
    "open": N_("Open"),
    "acknowledged": N_("Acknowledged"),
    "contained": N_("Contained"),
    "recovering": N_("Recovering"),
    "closed": N_("Closed"),
}
# Proper names stay as they are in every language; the others are words.
PLATFORMS = {
    "bluesky": "Bluesky",
    "mastodon": "Mastodon",
    "reddit": "Reddit",
    "x": "X",
    "weibo": N_("Weibo"),
    "wechat": N_("WeChat"),
    "email": N_("E-mail"),
    "rss": N_("News and feeds"),
    "demo": N_("Demo"),
    "file": N_("File"),
    "console": N_("Console"),
}


def word(desk: Desk, table: dict[str, str], value: str | None) -> str:
    """The reader's word for a stored value; the value itself where the table has none."""
    return desk.t(table.get(value, value)) if value else ""


def platform(desk: Desk, value: str) -> str:
    """A platform's name."""
    return desk.t(PLATFORMS[value]) if value in PLATFORMS else value.capitalize()


def language(desk: Desk, code: str) -> str:
    """A language's name in the reader's language."""
    if code in {"", "und"}:
        return desk.t("Language unknown")
    try:
        name = Locale.parse(desk.formats.locale).languages.get(code.split("-")[0])
    except ValueError:
        name = None
    return (name[0].upper() + name[1:]) if name else code
