"""The console channel, which the demo uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from responder.channels.base import ReplyChannel
from responder.channels.console import ConsoleChannel
from store.clock import SetClock
from tests.responder.channels.contract import NOW, ChannelContract, outgoing


class ConsoleWorld:
    def __init__(self) -> None:
        self._channel = ConsoleChannel.from_config({}, {}, SetClock(NOW))
        self._bodies: dict[str, str] = {}

    def channel(self) -> ReplyChannel:
        send = ConsoleChannel.send

        class Listening(ConsoleChannel):
            def send(inner, reply: Any) -> Any:  # noqa: N805
                sent = send(inner, reply)
                self._bodies[sent.external_id] = reply.body
                return sent

        return Listening()

    def mention(self) -> Mapping[str, Any]:
        return {}

    def arrived(self) -> list[str]:
        return list(self._bodies.values())

    def refused(self) -> ReplyChannel | None:
        return None

    def unreachable(self) -> ReplyChannel | None:
        return None


class TestConsoleContract(ChannelContract):
    @pytest.fixture
    def world(self) -> ConsoleWorld:
        return ConsoleWorld()


def test_it_logs_one_line_without_the_text() -> None:
    channel = ConsoleChannel.from_config({}, {}, SetClock(NOW))
    reply = outgoing(channel, {}, "Dear Mr Smith, your card 4111 …")
    with capture_logs() as logs:
        channel.send(reply)
        channel.send(reply)
    assert logs == [
        {
            "event": "reply.console",
            "log_level": "info",
            "reply_id": reply.reply_id,
            "characters": 31,
        }
    ]
