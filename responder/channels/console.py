"""Replies that only go to the log: for the demo and the drill, where nobody must be written to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import structlog

from responder.channels.base import OutgoingReply, ReplyError, ReplyRules, SentReply
from store.clock import Clock

log = structlog.get_logger()


class ConsoleChannel:
    """Implements ``ReplyChannel`` by logging one line without the text.

    Sending is free of consequence, so that a repeat doubles nothing but the line.
    """

    channel: ClassVar[str] = "console"
    rules: ClassVar[ReplyRules] = ReplyRules(public=False)

    def __init__(self) -> None:
        self._sent: dict[str, SentReply] = {}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], secrets: Mapping[str, Any], clock: Clock
    ) -> ConsoleChannel:
        """Needs nothing; what is given is not looked at."""
        del config, secrets, clock
        return cls()

    def prepare(self, key: str, now: datetime) -> str:
        """The name under which the reply is logged."""
        del now
        return f"console:{key}"

    def find(self, reply: OutgoingReply) -> SentReply | None:
        """What this process logged; an earlier one's lines are not read back."""
        return self._sent.get(_name(reply))

    def send(self, reply: OutgoingReply) -> SentReply:
        """Log it once."""
        name = _name(reply)
        if not reply.body.strip():
            raise ReplyError("The reply is empty.", permanent=True)
        if name not in self._sent:
            log.info("reply.console", reply_id=reply.reply_id, characters=len(reply.body))
            self._sent[name] = SentReply(external_id=name)
        return self._sent[name]

    def close(self) -> None:
        """Nothing to give back."""


def _name(reply: OutgoingReply) -> str:
    if not reply.platform_key:
        raise ReplyError(
            "This reply was saved without its name and is not sent. Write it again.",
            permanent=True,
        )
    return reply.platform_key
