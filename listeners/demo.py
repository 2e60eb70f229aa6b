"""The demonstration: an invented stream, played so that a crisis breaks out while one looks on.

Two weeks of history end shortly before ``started_at``, the moment the demonstration begins. The
crisis starts in the last hour before it; that hour is played ``speed`` times as fast, until the
stream has caught up with the present (after about two and a half minutes at 24). From then on
posts come when they are posted. So detectors see five-minute buckets as real ones, and a person
sees the wave build up within three minutes. docs/platforms/demo.md has the times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from listeners.base import ListenerError
from listeners.scenarios import DEFAULT_SEED, PLATFORM, Scenario, names, scenario
from platforms.errors import ConfigError, read_fields
from store.clock import Clock
from store.posts import Batch, Cursor, Post

PAGE = 500
SPEED = 24.0


class DemoConfig(BaseModel):
    """Settings of a demo source. ``brand`` is a key of the scenario: only its posts are given."""

    model_config = ConfigDict(extra="forbid")

    scenario: str = "coffee"
    started_at: AwareDatetime
    brand: str | None = None
    history: bool = True
    speed: float = Field(default=SPEED, gt=1, le=10_000)
    seed: int = DEFAULT_SEED
    run: str = Field(default="", max_length=100)

    @field_validator("scenario")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in names():
            raise ValueError(f"there is no scenario {name!r}, only {', '.join(names())}")
        return name


class DemoListener:
    """Implements ``Listener`` for one brand of a scenario, or for all of them."""

    platform: ClassVar[str] = PLATFORM

    def __init__(self, config: DemoConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._scenario: Scenario = scenario(
            config.scenario, config.started_at, seed=config.seed, run=config.run
        )
        keys = [brand.key for brand in self._scenario.brands]
        if config.brand is not None and config.brand not in keys:
            raise ListenerError(
                f"This demo source cannot be used. brand: {config.brand!r} is not in the scenario; "
                f"choose one of {', '.join(keys)}.",
                permanent=True,
            )

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], secrets: Mapping[str, Any], clock: Clock
    ) -> DemoListener:
        """From a source's settings; it has no secrets. Raises a permanent ListenerError."""
        del secrets
        try:
            return cls(read_fields(DemoConfig, config, "This demo source"), clock)
        except ConfigError as error:
            raise ListenerError(str(error), permanent=True) from error

    def position(self) -> datetime:
        """How far the stream has been played by now: never beyond the present."""
        played = max(self._clock.now() - self._config.started_at, timedelta())
        origin = self._scenario.crisis_begins_at
        lag = self._config.started_at - origin
        if played * (self._config.speed - 1) >= lag:
            return self._config.started_at + played
        return origin + played * self._config.speed

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Posts that are due by now, oldest first; every batch carries a cursor."""
        until = self.position()
        posts: list[Post] = []
        for post in self._scenario.posts(self._begin(cursor), until):
            # Only between two different moments a cursor leaves nothing out.
            if len(posts) >= PAGE and post.posted_at > posts[-1].posted_at:
                yield Batch(posts, cursor=_cursor(post.posted_at))
                posts = []
            if self._wanted(post):
                posts.append(post)
        yield Batch(posts, cursor=_cursor(until), covered_until=until)

    def close(self) -> None:
        """Nothing to give back."""

    def _begin(self, cursor: Cursor | None) -> datetime:
        if cursor is not None:
            return datetime.fromisoformat(cursor["until"])
        return self._scenario.begins_at if self._config.history else self._scenario.crisis_begins_at

    def _wanted(self, post: Post) -> bool:
        return self._config.brand is None or self._config.brand in post.channel_ref["brands"]


def _cursor(moment: datetime) -> Cursor:
    return {"until": moment.isoformat()}
