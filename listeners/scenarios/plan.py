"""What a scenario's ``scenario.toml`` says, checked."""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FOLDER = Path(__file__).parent


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScenarioBrand(_Strict):
    """An invented brand. ``share`` is its part of the everyday talk."""

    key: str
    name: str
    kind: Literal["own", "competitor"]
    share: float
    time_zone: str
    handles: list[str]
    query: str


class MediaAccount(_Strict):
    """An invented newspaper or well-known account."""

    name: str
    handle: str
    followers: int
    language: str


class Phase(_Strict):
    """What is said from a moment on (minutes): weights by pool."""

    since: float = Field(alias="from")
    mix: dict[str, float]


class Anchor(_Strict):
    """A post that others repost and answer. ``place`` names the line of its pool."""

    at: float
    pool: str
    language: str
    followers: int = 0
    media: str | None = None
    place: int | None = None
    outbound: bool = False


class Episode(_Strict):
    """Something that happens to a brand.

    ``curve``: minutes and posts a minute, straight lines between. ``grave`` marks the crisis.
    """

    key: str
    brand: str
    curve: list[tuple[float, float]]
    phases: list[Phase]
    anchors: list[Anchor] = []
    grave: bool = False

    @property
    def starts(self) -> float:
        """Minutes; of its first post at the earliest."""
        return min([self.curve[0][0], *(anchor.at for anchor in self.anchors)])

    @property
    def highest(self) -> float:
        """Posts a minute at its peak."""
        return max(rate for _, rate in self.curve)

    def rate(self, minute: float) -> float:
        """Posts a minute at a moment."""
        place = bisect_right([at for at, _ in self.curve], minute)
        if place in (0, len(self.curve)):
            return 0.0
        (before, low), (after, high) = self.curve[place - 1], self.curve[place]
        return low + (high - low) * (minute - before) / (after - before)

    def mix_at(self, minute: float) -> dict[str, float]:
        """Weights by pool at a moment."""
        started = [phase for phase in self.phases if phase.since <= minute]
        return (started or self.phases)[-1 if started else 0].mix


class Plan(_Strict):
    """A scenario: brands, everyday rhythm, episodes. Minutes count from its start."""

    title: str
    title_zh: str
    realm: Literal["demo", "drill"]
    languages: dict[str, float]
    days: int
    per_day: float
    answers_until: float
    brands: list[ScenarioBrand]
    mix: dict[str, float]
    slots: dict[str, list[str]] = {}
    media: list[MediaAccount] = []
    episodes: list[Episode]

    @model_validator(mode="after")
    def _consistent(self) -> Plan:
        keys = {brand.key for brand in self.brands}
        accounts = {account.handle for account in self.media}
        for episode in self.episodes:
            if episode.brand not in keys:
                raise ValueError(f"episode {episode.key}: no brand {episode.brand}")
            for anchor in episode.anchors:
                if anchor.media and anchor.media not in accounts:
                    raise ValueError(f"episode {episode.key}: no media account {anchor.media}")
        return self

    @property
    def crisis(self) -> Episode:
        """The episode that the scenario is about."""
        return next(episode for episode in self.episodes if episode.grave)


def names() -> list[str]:
    """The scenarios there are."""
    return sorted(path.parent.name for path in FOLDER.glob("*/scenario.toml"))


@cache
def load_plan(name: str) -> Plan:
    """Read a scenario. Raises KeyError with the names there are."""
    if name not in names():
        raise KeyError(f"There is no scenario {name!r}. There are: {', '.join(names())}.")
    return Plan.model_validate(tomllib.loads((FOLDER / name / "scenario.toml").read_text("utf-8")))
