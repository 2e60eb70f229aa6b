"""What a post is before it belongs to a run, and the chances that decide about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from listeners.scenarios.people import Person
from listeners.scenarios.voices import Line
from store.posts import PostAuthor

HOUR = 60.0
"""Minutes."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A post before it has a run: minutes from the scenario's start, and how it was made."""

    minute: float
    key: str
    style: str
    person: Person
    line: Line
    pool: str
    language: str
    brands: tuple[str, ...]
    kind: Literal["post", "reply", "repost", "article"] = "post"
    title: str = ""
    root: str = ""
    parent: str = ""
    outbound: bool = False
    engagement: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Follower:
    """Somebody who answers a post from a pool, with the chance that this happens."""

    pool: str
    share: float


FOLLOWERS = {
    "praise": (Follower("agree", 0.14),),
    "launch": (Follower("agree", 0.25),),
    "complaint": (Follower("me_too", 0.2), Follower("me_too", 0.06)),
    "enquiry": (Follower("friend_answer", 0.16),),
    "compare": (Follower("agree", 0.15),),
}


def times_within(
    hour: int, highest: float, rate: Callable[[float], float], rng: Random
) -> Iterator[float]:
    """Moments (minutes) of a Poisson process within an hour, by thinning.

    ``rate`` gives events a minute and is nowhere above ``highest``.
    """
    minute = hour * HOUR
    if highest <= 0:
        return
    while True:
        minute += rng.expovariate(highest)
        if minute >= (hour + 1) * HOUR:
            return
        if rng.random() * highest < rate(minute):
            yield minute


def steady_times(hour: int, rate: float, rng: Random) -> Iterator[float]:
    """Moments (minutes) within an hour at one rate a minute."""
    return times_within(hour, rate, lambda _: rate, rng)


def weighted(weights: Mapping[str, float], rng: Random) -> str:
    """One of the keys, by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def account(handle: str, name: str, followers: int, style: str, prefix: str = "media-") -> Person:
    """An account that is not one of the crowd."""
    return Person(
        PostAuthor(f"{prefix}{handle}", handle=handle, name=name, followers=followers), style
    )


def pull(anchor: Draft, minute: float) -> float:
    """How much an older post still draws: by reach, fading with a half-life of 40 minutes."""
    reach = 1 + (anchor.person.author.followers or 0) ** 0.35
    return float(reach * 0.5 ** ((minute - anchor.minute) / 40))


def engagement(person: Person, rng: Random) -> dict[str, int]:
    """Likes and reposts of a post, more for those whom many follow."""
    reach = person.author.followers or 0
    likes = int(rng.lognormvariate(0.4, 1.1) * (1 + reach / 2_000))
    return {"likes": likes, "reposts": int(likes * rng.random() * 0.3)}


_TITLES = {
    "en": {
        "praise": ["Lovely", "Great place", "Five stars", "So good", "Recommended"],
        "complaint": ["Disappointed", "Not again", "One star", "Avoid", "Never again"],
        "enquiry": ["Question", "Need help", "Does anyone know?"],
        "suggestion": ["An idea", "Suggestion"],
    },
    "zh": {
        "praise": ["好评", "推荐", "五星", "惊喜"],
        "complaint": ["失望", "一星", "避雷", "差评"],
        "enquiry": ["求助", "请教"],
        "suggestion": ["建议", "小建议"],
    },
}


def title(style: str, pool: str, language: str, rng: Random) -> str:
    """A heading where people write one (reviews, forums), else nothing."""
    if style == "microblog":
        return ""
    return rng.choice(_TITLES.get(language, {}).get(pool, [""]))
