"""What every reply channel must hold, whatever its platform.

class TestBlueskyFake(ChannelContract):
    @pytest.fixture
    def world(self) -> Iterator[ChannelWorld]: ...
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import pytest

from responder.channels.base import OutgoingReply, ReplyChannel, ReplyError

_serial = count(1)
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class ChannelWorld(Protocol):
    """A platform under the test's control."""

    def channel(self) -> ReplyChannel:
        """A fresh channel on a working account, as a new process would make it."""
        ...

    def mention(self) -> Mapping[str, Any]:
        """Somebody writes to us; gives the mention's ``channel_ref``."""
        ...

    def arrived(self) -> list[str]:
        """Texts of our replies that the platform has."""
        ...

    def refused(self) -> ReplyChannel | None:
        """A channel with a wrong password, None where there is none."""
        ...

    def unreachable(self) -> ReplyChannel | None:
        """A channel whose server does not answer, None where there is no server."""
        ...


def outgoing(
    channel: ReplyChannel, to: Mapping[str, Any], body: str = "Sorry to hear that.", key: str = ""
) -> OutgoingReply:
    """A reply as the responder hands it over: prepared and saved."""
    serial = next(_serial)
    key = key or f"key-{serial}-{id(channel)}"
    return OutgoingReply(
        reply_id=serial,
        key=key,
        body=body,
        to=json.loads(json.dumps(dict(to))),
        mention_external_id=str(to.get("uri", "1")),
        posted_at=NOW,
        platform_key=channel.prepare(key, NOW),
    )


class ChannelContract:
    """Inherit it and give a ``world`` fixture."""

    @pytest.fixture
    def world(self) -> Iterator[ChannelWorld]:
        raise NotImplementedError

    def test_a_reply_arrives_with_its_text(self, world: ChannelWorld) -> None:
        channel = world.channel()
        sent = channel.send(outgoing(channel, world.mention(), "Grüße! 您好 👩‍👩‍👧"))
        channel.close()
        assert sent.external_id
        assert len(sent.external_id) <= 400
        assert world.arrived() == ["Grüße! 您好 👩‍👩‍👧"]

    def test_preparing_again_gives_the_same_name_and_another_key_another(
        self, world: ChannelWorld
    ) -> None:
        names = [world.channel().prepare(key, NOW) for key in ("a", "a", "b")]
        assert names[0] == names[1] != names[2]
        assert all(name is None or 0 < len(name) <= 200 for name in names)

    def test_sending_twice_leaves_one_reply_where_the_platform_can_be_asked(
        self, world: ChannelWorld
    ) -> None:
        if not world.channel().rules.can_be_asked:
            pytest.skip("a person decides there")
        channel = world.channel()
        reply = outgoing(channel, world.mention())
        first = channel.send(reply)
        channel.close()
        second = world.channel().send(reply)
        assert first == second
        assert world.arrived() == [reply.body]

    def test_a_reply_is_found_only_after_it_was_sent(self, world: ChannelWorld) -> None:
        channel = world.channel()
        reply = outgoing(channel, world.mention())
        assert channel.find(reply) is None
        sent = channel.send(reply)
        found = channel.find(reply)
        assert found == (sent if channel.rules.can_be_asked else None)

    def test_two_replies_to_one_mention_are_two(self, world: ChannelWorld) -> None:
        channel = world.channel()
        to = world.mention()
        names = {channel.send(outgoing(channel, to, body)).external_id for body in ("One.", "Two.")}
        assert len(names) == 2
        assert sorted(world.arrived()) == ["One.", "Two."]

    def test_an_empty_reply_is_refused(self, world: ChannelWorld) -> None:
        channel = world.channel()
        with pytest.raises(ReplyError, match="empty") as caught:
            channel.send(outgoing(channel, world.mention(), " \n "))
        assert caught.value.permanent
        assert not caught.value.maybe_sent
        assert world.arrived() == []

    def test_a_reply_without_its_name_is_not_sent(self, world: ChannelWorld) -> None:
        channel = world.channel()
        reply = replace(outgoing(channel, world.mention()), platform_key=None)
        for attempt in (channel.send, channel.find):
            with pytest.raises(ReplyError, match="Write it again") as caught:
                attempt(reply)
            assert caught.value.permanent
        assert world.arrived() == []

    def test_one_character_too_many_is_refused_clearly(self, world: ChannelWorld) -> None:
        channel = world.channel()
        most = channel.rules.max_length
        if most is None:
            pytest.skip("no limit there")
        with pytest.raises(ReplyError, match=str(most)) as caught:
            channel.send(outgoing(channel, world.mention(), "x" * (most + 1)))
        assert caught.value.permanent
        assert world.arrived() == []
        channel.send(outgoing(channel, world.mention(), "x" * most))
        assert len(world.arrived()) == 1

    def test_a_wrong_password_is_permanent(self, world: ChannelWorld) -> None:
        channel = world.refused()
        if channel is None:
            pytest.skip("no password is needed there")
        with pytest.raises(ReplyError) as caught:
            channel.send(outgoing(channel, world.mention()))
        channel.close()
        assert caught.value.permanent
        assert not caught.value.maybe_sent

    def test_a_server_that_was_never_reached_has_not_sent_it(self, world: ChannelWorld) -> None:
        channel = world.unreachable()
        if channel is None:
            pytest.skip("no server is needed there")
        with pytest.raises(ReplyError) as caught:
            channel.send(outgoing(channel, world.mention()))
        assert not caught.value.permanent
        assert not caught.value.maybe_sent

    def test_closing_twice_does_no_harm(self, world: ChannelWorld) -> None:
        channel = world.channel()
        channel.send(outgoing(channel, world.mention()))
        channel.close()
        channel.close()
