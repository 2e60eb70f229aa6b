"""What every reply channel is: its rules, the protocol, and its one error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol


class ReplyError(Exception):
    """A reply that did not go out as far as we know. The text is for staff.

    ``permanent``: trying again will not help (text too long, post deleted, no rights).
    ``retry_after``: the platform named a time. ``maybe_sent``: the platform may have taken it (a
    timeout after the request left): the caller looks for it with ``find`` where the channel can be
    asked, and otherwise leaves the decision to a person.
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
class ReplyRules:
    """What the desk must know of a channel while someone types.

    ``max_length`` in ``counts`` units, None without limit. ``window``: how long after the
    customer's last message a reply is possible. ``can_be_asked``: the platform can tell whether a
    reply arrived, or takes our key, so that a repeated send doubles nothing.
    """

    max_length: int | None = None
    counts: Literal["graphemes", "characters", "utf16"] = "characters"
    window: timedelta | None = None
    public: bool = True
    can_reply: bool = True
    can_be_asked: bool = True
    attachments: bool = False


@dataclass(frozen=True, slots=True)
class OutgoingReply:
    """A reply on its way.

    ``key`` is our idempotency key (unique, stable over attempts). ``to`` is the ``channel_ref`` of
    the mention that is answered; ``posted_at`` when that mention was posted; ``platform_key`` what
    ``prepare`` chose earlier and was saved before the first attempt.
    """

    reply_id: int
    key: str
    body: str
    to: Mapping[str, Any]
    mention_external_id: str
    posted_at: datetime
    platform_key: str | None = None


@dataclass(frozen=True, slots=True)
class SentReply:
    """A reply that the platform has."""

    external_id: str
    url: str | None = None
    namespace: str = ""


class ReplyChannel(Protocol):
    """The way out to one platform.

    Order of use: ``prepare`` once (its result is saved with status *sending*), then ``send``.
    After a crash or a ``ReplyError`` with ``maybe_sent`` the caller asks ``find`` first, and sends
    again only when it gives None and ``rules.can_be_asked`` is true.
    """

    channel: str
    rules: ReplyRules

    def prepare(self, key: str, now: datetime) -> str | None:
        """Choose the name the reply will have on the platform, if the platform lets us."""
        ...

    def find(self, reply: OutgoingReply) -> SentReply | None:
        """Look for the reply on the platform. Raises ReplyError when it cannot be asked now."""
        ...

    def send(self, reply: OutgoingReply) -> SentReply:
        """Send it. Raises ReplyError."""
        ...

    def close(self) -> None:
        """Give connections back. Safe to call twice."""
        ...
