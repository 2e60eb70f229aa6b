"""Notes and changes of a ticket, put between its posts at the time they were made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal

from dashboard import parts, terms
from dashboard.desk import Desk
from dashboard.hostile import escape, one_line, to_html
from store.threads import HistoryLine, ThreadEntry, TicketView

Item = tuple[Literal["entry"], ThreadEntry] | tuple[Literal["line"], HistoryLine]


def merged(view: TicketView) -> Iterator[Any]:
    """Posts, replies, notes and changes, oldest first."""
    since = view.thread[0].at if view.has_earlier and view.thread else None
    items: list[tuple[datetime, int, Any]] = [
        (entry.at, 0, ("entry", entry)) for entry in view.thread
    ]
    items += [
        (line.at, 1, ("line", line))
        for line in view.history
        if (line.kind == "note" or line.kind in _SENTENCES) and (since is None or line.at >= since)
    ]
    for _at, _order, item in sorted(items, key=lambda one: one[:2]):
        yield item


def line(desk: Desk, event: HistoryLine) -> str:
    """HTML of one line."""
    who = one_line(event.user_name or desk.t("The service"), 60)
    what = escape(desk.t("Note for colleagues"))
    if event.kind == "note":
        return (
            f'<article class="post note"><div class="head"><bdi class="who">{escape(who)}</bdi>'
            f"<span>{what}</span>{parts.when(desk, event.at)}</div>"
            f'<div class="words" dir="auto">{to_html(str(event.detail.get("text", "")))}</div>'
            "</article>"
        )
    sentence = _SENTENCES[event.kind](desk, who, event)
    return f'<p class="event">{escape(sentence)} · {parts.when(desk, event.at)}</p>'


def _opened(desk: Desk, _who: str, _event: HistoryLine) -> str:
    return desk.t("Ticket opened")


def _assigned(desk: Desk, who: str, event: HistoryLine) -> str:
    to = event.detail.get("to")
    if to is None:
        return desk.t("{who} gave the ticket back", who=who)
    if to == event.user_id:
        return desk.t("{who} took the ticket", who=who)
    return desk.t("{who} assigned the ticket to a colleague", who=who)


def _priority(desk: Desk, who: str, event: HistoryLine) -> str:
    after = terms.word(desk, terms.PRIORITIES, str(event.detail.get("after", "")))
    return desk.t("{who} set the priority to {priority}", who=who, priority=after)


def _category(desk: Desk, who: str, event: HistoryLine) -> str:
    after = terms.word(desk, terms.INTENTS, str(event.detail.get("after", "")))
    return desk.t("{who} changed the class to {name}", who=who, name=after)


_SENTENCES: dict[str, Callable[[Desk, str, HistoryLine], str]] = {
    "opened": _opened,
    "assigned": _assigned,
    "priority": _priority,
    "category": _category,
    "pending": lambda desk, who, _: desk.t("{who} waits for the customer", who=who),
    "snoozed": lambda desk, who, _: desk.t("{who} snoozed the ticket", who=who),
    "resolved": lambda desk, who, _: desk.t("{who} resolved the ticket", who=who),
    "reopened": lambda desk, who, _: desk.t("Opened again: {who}", who=who),
    "opened_again": lambda desk, who, _: desk.t("{who} took it up again", who=who),
    "woken": lambda desk, _who, _: desk.t("The ticket came back"),
    "breached": lambda desk, _who, _: desk.t("The time limit has passed"),
    "merged": lambda desk, who, _: desk.t("{who} merged another ticket into this one", who=who),
    "split": lambda desk, who, _: desk.t("{who} split the ticket", who=who),
    "replied_by_hand": lambda desk, _who, _: desk.t("Answered by hand on the platform"),
    "reply_undone": lambda desk, who, _: desk.t("{who} took a reply back", who=who),
    "reply_discarded": lambda desk, who, _: desk.t("{who} gave a reply up", who=who),
}
