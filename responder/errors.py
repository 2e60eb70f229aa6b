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
    """Something a person asked for that the desk does not do; the text says what to do.

    ``text`` is the English sentence with its ``{names}`` still open and ``values`` what they stand
    for, so that the interface can say it in another language: ``t(error.text, **error.values)``.
    A value ``status`` is a ticket's or a reply's status, ``at`` a time in UTC.
    """

    def __init__(self, text: str, /, **values: object) -> None:
        super().__init__(text.format(**values) if values else text)
        self.text = text
        self.values = values


class TicketError(DeskError):
    """The action is not possible for this ticket as it stands."""


class Collision(TicketError):
    """Somebody else was quicker. ``user_id`` (None: the machine) did it at ``when``."""

    def __init__(
        self,
        text: str,
        /,
        *,
        user_id: int | None = None,
        when: datetime | None = None,
        **values: object,
    ) -> None:
        super().__init__(text, **values)
        self.user_id = user_id
        self.when = when


class ReplyRefused(DeskError):
    """The reply cannot go out like this."""


class CannedError(DeskError):
    """Standard wording that cannot be filled in."""


def in_words(moment: datetime) -> str:
    """A time as these sentences say it."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
