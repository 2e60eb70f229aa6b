"""What every way to a notification target is: the protocol, the message, and its one error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


class NotifyError(Exception):
    """A message that was not delivered. The text is for staff: what happened and what to do.

    It holds no address, as addresses carry passwords. ``permanent`` means that trying again will
    not help until a person acts. ``retry_after`` is the other side's own wish. ``maybe_sent`` says
    that the message may have arrived although no answer came back.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        retry_after: timedelta | None = None,
        maybe_sent: bool = False,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
        self.maybe_sent = maybe_sent


@dataclass(frozen=True, slots=True)
class Message:
    """What is told. ``body`` is plain text; ``level`` is blue, yellow, orange or red, if any.

    ``key`` is the same for every attempt of one delivery, so that a receiver who gets a message
    twice (we died between sending and writing it down) can tell.
    """

    title: str
    body: str
    level: str | None
    key: str


class Notifier(Protocol):
    """One way to a target.

    ``send`` returns when the other side took the message and raises ``NotifyError`` when it did
    not. It does not try again by itself, sleeps on no rate limit, and gives up within half a
    minute. It may be called from several threads.
    """

    def send(self, message: Message) -> None:
        """Deliver a message."""
        ...
