"""Errors of the desk; each text tells a member of staff what to do.

DeskError
├── TicketError          not possible for this ticket as it stands
│   └── Collision        somebody else did something meanwhile; look before going on
├── ReplyRefused         the reply cannot go out like this (too long, window closed, …)
└── CannedError          standard wording that cannot be filled
"""

from __future__ import annotations

from datetime import datetime


class DeskError(Exception):
    """Something a person asked for that the desk does not do; the text says what to do."""


class TicketError(DeskError):
    """The action is not possible for this ticket as it stands."""


class Collision(TicketError):
    """Somebody else was quicker. ``user_id`` (None: the machine) did it at ``at``."""

    def __init__(self, message: str, *, user_id: int | None = None, at: datetime | None = None):
        super().__init__(message)
        self.user_id = user_id
        self.at = at


class ReplyRefused(DeskError):
    """The reply cannot go out like this."""


class CannedError(DeskError):
    """Standard wording that cannot be filled in."""
