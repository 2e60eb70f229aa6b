"""The fake that the delivery tests use holds the contract of every reply channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from responder.channels.base import ReplyChannel
from tests.responder.channels.contract import ChannelContract, ChannelWorld
from tests.responder.platform import Channel, Platform


@dataclass
class FakeWorld:
    platform: Platform

    def channel(self) -> ReplyChannel:
        return Channel(self.platform, named=True)

    def mention(self) -> Mapping[str, Any]:
        return {"uri": "p1"}

    def arrived(self) -> list[str]:
        return self.platform.bodies()

    def refused(self) -> ReplyChannel | None:
        return Channel(self.platform, named=True, faults=["refused"])

    def unreachable(self) -> ReplyChannel | None:
        return Channel(self.platform, named=True, faults=["down"])


class TestFakePlatform(ChannelContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> ChannelWorld:
        return FakeWorld(Platform(tmp_path / "platform.jsonl"))
