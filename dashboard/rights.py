"""Who may do what. Every page and every action asks here; brands are limited in the queries."""

from __future__ import annotations

from typing import Literal

from service.signin import Person

Right = Literal[
    "read_inbox",  # tickets, threads, mentions
    "work_tickets",  # reply, assign, note, snooze, resolve, open a ticket
    "read_alerts",
    "act_on_alerts",  # acknowledge, not a crisis, close
    "read_trends",
    "export",
    "read_sources",
    "edit_sources",
    "run_sources",  # run now, pause, resume
    "edit_brands",
    "edit_team",
    "read_settings",
    "edit_wording",  # standard wording
    "edit_settings",  # notification targets, service levels, calendars
]

_READ: frozenset[Right] = frozenset({"read_inbox", "read_alerts", "read_trends"})

RIGHTS: dict[str, frozenset[Right]] = {
    "agent": _READ | {"work_tickets"},
    "analyst": _READ | {"export", "read_sources"},
    "manager": _READ
    | {
        "work_tickets",
        "act_on_alerts",
        "export",
        "read_sources",
        "run_sources",
        "read_settings",
        "edit_wording",
    },
    "administrator": _READ
    | {
        "work_tickets",
        "act_on_alerts",
        "export",
        "read_sources",
        "edit_sources",
        "run_sources",
        "edit_brands",
        "edit_team",
        "read_settings",
        "edit_wording",
        "edit_settings",
    },
}


def may(person: Person, right: Right) -> bool:
    """Whether a person's role holds a right. An unknown role holds none."""
    return right in RIGHTS.get(person.role, frozenset())
