"""Every connector and channel that is named can be loaded and refuses bad settings by field."""

from __future__ import annotations

import pytest

from listeners.base import ListenerError
from responder.channels.base import ReplyError
from service.wiring import CHANNELS, LISTENERS, Services


@pytest.mark.parametrize("connector", sorted(LISTENERS))
def test_a_connector_refuses_settings_it_cannot_use(services: Services, connector: str) -> None:
    with pytest.raises(ListenerError) as caught:
        services.listener(connector, {"scenario": "none", "started_at": "never"}, None)
    assert caught.value.permanent
    assert len(str(caught.value)) > 20


@pytest.mark.parametrize("platform", sorted(CHANNELS))
def test_a_channel_knows_its_rules(services: Services, platform: str) -> None:
    rules = services.reply_rules(platform)
    assert rules is not None
    assert rules.can_reply


def test_a_platform_without_a_channel_is_answered_by_hand(services: Services) -> None:
    assert services.reply_rules("rss") is None
    with pytest.raises(ReplyError, match="by hand") as caught:
        services.channel("rss", {}, None)
    assert caught.value.permanent


def test_credentials_of_another_key_file_are_told(services: Services) -> None:
    with pytest.raises(ListenerError, match="key file") as caught:
        services.listener("bluesky", {"handle": "a.test"}, b"gAAAAABsomething")
    assert caught.value.permanent
