"""What an incident says of itself: its sentence, its reasons, its timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dashboard import terms, theme
from dashboard.desk import Desk
from dashboard.hostile import one_line
from dashboard.words import N_
from notify import wording
from store.incidents import TimelineLine

GRAVE = {
    "injury": N_("injury or death"),
    "safety": N_("safety"),
    "food_safety": N_("food safety"),
    "fire": N_("fire or explosion"),
    "fraud": N_("fraud"),
    "lawsuit": N_("lawsuit"),
    "discrimination": N_("discrimination"),
    "privacy": N_("data leak"),
    "regulator": N_("regulator"),
    "boycott": N_("boycott"),
    "recall": N_("recall"),
}
CAPS = {
    "good_news": N_("Most of it is praise, so this stays at blue."),
    "competitor": N_("This is a competitor, so it stays at blue."),
    "no_baseline": N_("There is no baseline yet, so this stays at blue."),
    "few_authors": N_("Only a few people write, so the level is held down."),
}


def sentence(desk: Desk, summary: Mapping[str, Any]) -> str:
    """What rose, by how much, against what, since when."""
    said = wording.sentence(summary, desk.words.language)
    return said or desk.t("A colleague raised the alarm over a post.")


def reasons(desk: Desk, parts: list[dict[str, Any]], summary: Mapping[str, Any]) -> list[str]:
    """Why the level is what it is: one sentence a part, and what holds it down."""
    said = [_REASONS[part["key"]](desk, part) for part in parts if part.get("key") in _REASONS]
    said += [desk.t(CAPS[cap]) for cap in summary.get("caps") or () if cap in CAPS]
    if summary.get("sure") is False:
        said.append(desk.t("The evidence is thin; look before you act."))
    return [one for one in said if one]


def _volume(desk: Desk, part: Mapping[str, Any]) -> str:
    count = desk.formats.number(float(part.get("mentions") or 0))
    usual = part.get("usual")
    if usual is None:
        return desk.t("{n} posts in this wave; nothing to compare with yet.", n=count)
    return desk.t(
        "{n} posts where {usual} are usual: {ratio} times as many.",
        n=count,
        usual=desk.formats.number(float(usual)),
        ratio=desk.formats.number(float(part.get("ratio") or 0)),
    )


def _negative(desk: Desk, part: Mapping[str, Any]) -> str:
    share = part.get("share")
    if share is None:
        return desk.t("Nothing of it is scored yet, so how it is meant is not known.")
    usual = part.get("usual_share")
    if usual is None:
        return desk.t("{share} of it is negative.", share=desk.formats.percent(float(share)))
    return desk.t(
        "{share} of it is negative; {usual} is usual.",
        share=desk.formats.percent(float(share)),
        usual=desk.formats.percent(float(usual)),
    )


def _spread(desk: Desk, part: Mapping[str, Any]) -> str:
    return desk.nt(
        "{n} different author writes about it.",
        "{n} different authors write about it.",
        int(part.get("authors") or 0),
    )


def _severity(desk: Desk, part: Mapping[str, Any]) -> str:
    categories = [one for one in part.get("categories") or () if isinstance(one, Mapping)]
    known = [GRAVE[key] for key in (one.get("name") for one in categories) if key in GRAVE]
    matters = desk.formats.listing([desk.t(matter) for matter in known])
    return desk.t("It touches: {matters}.", matters=matters) if known else ""


_REASONS: dict[str, Callable[[Desk, Mapping[str, Any]], str]] = {
    "volume": _volume,
    "negative": _negative,
    "spread": _spread,
    "severity": _severity,
    "by_hand": lambda desk, _: desk.t("A colleague raised the alarm."),
}


def event(desk: Desk, line: TimelineLine) -> str:
    """One line of the timeline."""
    who = one_line(line.who.partition("@")[0], 60) or desk.t("The service")
    said = _EVENTS.get(line.kind)
    return said(desk, who, line.detail) if said else line.kind


def _level(desk: Desk, detail: Mapping[str, Any], name: str) -> str:
    return desk.t(theme.LEVEL_WORDS.get(str(detail.get(name)), ""))


def _status(desk: Desk, who: str, detail: Mapping[str, Any]) -> str:
    word = terms.word(desk, terms.INCIDENT_STATUSES, str(detail.get("to", "")))
    return desk.t("{who} set it to: {status}", who=who, status=word)


def _closed(desk: Desk, who: str, detail: Mapping[str, Any]) -> str:
    if detail.get("by_itself"):
        return desk.t("Closed by itself after a long calm")
    if detail.get("verdict") == "not_a_crisis":
        return desk.t("{who} closed it: not a crisis", who=who)
    return desk.t("{who} closed it: it was a crisis", who=who)


_EVENTS: dict[str, Callable[[Desk, str, Mapping[str, Any]], str]] = {
    "opened": lambda desk, _, d: desk.t("Opened at {level}", level=_level(desk, d, "level")),
    "escalated": lambda desk, _, d: desk.t("Rose to {level}", level=_level(desk, d, "to")),
    "lowered": lambda desk, _, d: desk.t("Fell to {level}", level=_level(desk, d, "to")),
    "flared_up": lambda desk, _who, _d: desk.t("Flared up again"),
    "continues": lambda desk, _who, _d: desk.t("Goes on"),
    "recovering": lambda desk, _who, _d: desk.t("The figures are back to usual"),
    "acknowledged": lambda desk, who, _d: desk.t("{who} acknowledged it", who=who),
    "status": _status,
    "closed": _closed,
    "by_hand": lambda desk, who, _d: desk.t("{who} raised the alarm over a post", who=who),
    "note": lambda desk, who, d: desk.t(
        "{who}: {text}", who=who, text=one_line(str(d.get("text", "")), 400)
    ),
}
