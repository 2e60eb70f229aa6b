"""A small honest platform in a file, its channel, and the loop that delivers to it.

Several processes may post to the same file. What was posted stays, whatever the poster was told.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from responder.channels.base import OutgoingReply, ReplyError, ReplyRules, SentReply
from responder.delivery import ClaimedReply, claim_outgoing, deliver_one, record, save_prepared
from store.database import Store


class Crash(BaseException):
    """The worker dies here."""


@dataclass
class Platform:
    """Posts in the order in which they arrived: lines of a file."""

    path: Path

    def post(self, entry: dict[str, Any]) -> str:
        with self.path.open("ab", buffering=0) as file:
            file.write(json.dumps(entry).encode() + b"\n")
        return str(entry["id"])

    def posts(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def bodies(self) -> list[str]:
        return [post["body"] for post in self.posts()]


@dataclass
class Channel:
    """Posts to the platform; ``faults`` are met one at a time, one for each call of ``send``.

    ``named``: the platform takes our name for a post, and a second one of that name changes
    nothing. Otherwise whatever is sent is posted, so that a repeat would show. ``pause``: seconds
    before and after a post arrives. ``broken``: the call that meets a mistake of the channel.

    refused: permanent. limited: the platform names a time. down: the request never arrived.
    timeout: it arrived, the answer did not. lost: it did not arrive, but nobody can tell. fault: a
    mistake of the channel itself after it arrived.
    """

    platform: Platform
    channel: str = "fake"
    rules: ReplyRules = field(default_factory=ReplyRules)
    named: bool = False
    pause: float = 0.0
    faults: list[str] = field(default_factory=list)
    blind: int = 0
    broken: str = ""
    calls: list[str] = field(default_factory=list)

    def prepare(self, key: str, now: datetime) -> str | None:
        self.calls.append("prepare")
        if self.broken == "prepare":
            raise ZeroDivisionError
        return f"name-{key}" if self.named else None

    def find(self, reply: OutgoingReply) -> SentReply | None:
        self.calls.append("find")
        if self.broken == "find":
            raise ZeroDivisionError
        if self.blind:
            self.blind -= 1
            raise ReplyError("The platform does not answer.")
        if self.named:
            self._name(reply)
        for post in self.platform.posts():
            if post["key"] == reply.key:
                return SentReply(post["id"], url=f"https://fake.example/{post['id']}")
        return None

    def send(self, reply: OutgoingReply) -> SentReply:
        self.calls.append("send")
        fault = self.faults.pop(0) if self.faults else None
        if fault == "refused":
            raise ReplyError("The post was deleted.", permanent=True)
        if fault == "limited":
            raise ReplyError("Too many posts.", retry_after=timedelta(minutes=10))
        if fault == "down":
            raise ReplyError("The platform cannot be reached.")
        if fault == "lost":
            raise ReplyError("No answer.", maybe_sent=True)
        if not reply.body.strip():
            raise ReplyError("The reply is empty.", permanent=True)
        name = self._name(reply) if self.named else f"id-{os.urandom(6).hex()}"
        time.sleep(self.pause)
        if not self.named or name not in [post["id"] for post in self.platform.posts()]:
            self.platform.post({"id": name, "key": reply.key, "body": reply.body})
        time.sleep(self.pause)
        if fault == "timeout":
            raise ReplyError("No answer.", maybe_sent=True)
        if fault == "fault":
            raise KeyError("uri")
        if fault == "crash":
            raise Crash
        return SentReply(name, url=f"https://fake.example/{name}")

    def _name(self, reply: OutgoingReply) -> str:
        if reply.platform_key is None:
            raise ReplyError("The reply has no name. Write it again.", permanent=True)
        return reply.platform_key

    def close(self) -> None:
        self.calls.append("close")


def deliver(
    store: Store,
    channel: Channel,
    now: Callable[[], datetime],
    worker: str = "w1",
    at: Callable[[str], None] = lambda _point: None,
) -> list[str]:
    """What the pipeline does, once; ``at`` is told each point where a worker may die."""

    def hold(claimed: ClaimedReply, key: str | None) -> bool:
        held = store.transact(lambda session: save_prepared(session, claimed, key, now()))
        at("held")
        return held

    outcomes = []
    for claimed in store.transact(lambda session: claim_outgoing(session, worker, now())):
        at("claimed")
        outcome = deliver_one(claimed, channel, now(), lambda key, one=claimed: hold(one, key))
        at("sent")
        outcomes.append(
            store.transact(
                lambda session, one=claimed, what=outcome: record(
                    session, one, what, channel.rules, now()
                )
            )
        )
        at("recorded")
    return outcomes
