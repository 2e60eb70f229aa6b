"""How urgent a ticket is, as points with a reason each, so that the desk can say why.

The parts are data (``key``, ``points``, ``detail``); the dashboard says them in its languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

Priority = Literal["low", "normal", "high", "urgent"]
Part = dict[str, Any]
"""``{"key": str, "points": int, "detail": {…}}``; see docs/tickets.md for the keys."""

SET_BY_PERSON = "person"
_LEVELS: tuple[tuple[int, Priority], ...] = ((65, "urgent"), (45, "high"), (20, "normal"))
_URGENCY = (0, 10, 25, 40)
_INTENT = {"complaint": 15, "enquiry": 10, "suggestion": 5}
_FOLLOWERS = ((1_000_000, 20), (100_000, 15), (10_000, 10), (1_000, 5))
_WAITING = ((72, 15), (24, 10), (4, 5))
WAITING_STEPS = tuple(timedelta(hours=hours) for hours, _points in reversed(_WAITING))
_VIP = 20
_NEGATIVE = 20
_OF_THE_WORST = ("urgency", "negative", "intent", "followers")
"""Parts of what was said: the strongest post counts, a thank-you later takes nothing back."""
_ORDER = (*_OF_THE_WORST, "vip", "repeated", "waiting", SET_BY_PERSON)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a priority is made of. ``waited`` is how long the customer has had no answer."""

    urgency: int = 0
    p_negative: float = 0.0
    intent: str = "other"
    followers: int | None = None
    vip: bool = False
    earlier_tickets: int = 0
    repeated_messages: int = 0
    waited: timedelta = timedelta()


def priority_parts(case: Circumstances) -> list[Part]:
    """The parts that give points, in the order in which they are said."""
    hours = case.waited / timedelta(hours=1)
    repeated = min(15, 5 * case.earlier_tickets) + min(9, 3 * case.repeated_messages)
    parts = [
        _part("urgency", _URGENCY[case.urgency], urgency=case.urgency),
        _part("negative", round(_NEGATIVE * case.p_negative), p_negative=round(case.p_negative, 3)),
        _part("intent", _INTENT.get(case.intent, 0), intent=case.intent),
        _part("followers", _step(_FOLLOWERS, case.followers or 0), followers=case.followers or 0),
        _part("vip", _VIP if case.vip else 0),
        _part("repeated", repeated, tickets=case.earlier_tickets, messages=case.repeated_messages),
        _part("waiting", _step(_WAITING, hours), hours=round(hours, 1)),
    ]
    return [part for part in parts if part["points"]]


def merged_parts(earlier: Sequence[Part], later: Sequence[Part]) -> list[Part]:
    """The parts after another post: what was said keeps its strongest part, the rest is as now."""
    old = {part["key"]: part for part in earlier}
    new = {part["key"]: part for part in later}
    for key in _OF_THE_WORST:
        if key in old and old[key]["points"] >= new.get(key, {"points": 0})["points"]:
            new[key] = old[key]
    if SET_BY_PERSON in old:
        new[SET_BY_PERSON] = old[SET_BY_PERSON]
    return [new[key] for key in _ORDER if key in new]


def aged_parts(parts: Sequence[Part], waited: timedelta) -> list[Part]:
    """The parts when the customer has waited so long; everything else stays."""
    now = {part["key"]: part for part in parts if part["key"] != "waiting"}
    now |= {part["key"]: part for part in priority_parts(Circumstances(waited=waited))}
    return [now[key] for key in _ORDER if key in now]


def points_of(parts: Sequence[Part]) -> int:
    """The sum of all parts."""
    return sum(int(part["points"]) for part in parts)


def priority_of(parts: Sequence[Part]) -> Priority:
    """A person's choice where there is one, else by points: 20 normal, 45 high, 65 urgent."""
    for part in parts:
        if part["key"] == SET_BY_PERSON:
            chosen: Priority = part["detail"]["priority"]
            return chosen
    points = points_of(parts)
    return next((name for least, name in _LEVELS if points >= least), "low")


def _part(key: str, points: int, **detail: Any) -> Part:
    return {"key": key, "points": points, "detail": detail}


def _step(steps: Sequence[tuple[int, int]], value: float) -> int:
    return next((points for least, points in steps if value >= least), 0)
