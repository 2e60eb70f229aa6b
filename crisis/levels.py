"""The warning level of a wave: volume surprise × negative share × spread × gravity.

The four factors multiply to an index of 0..100, which the policy cuts into blue, yellow, orange
and red (蓝黄橙红). A surge of praise, a competitor, or thin evidence stays at blue. Every factor is
kept with the numbers it came from, so that a level can be explained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from crisis.drivers import Gravity
from store.notifications import LEVELS

BLUE, YELLOW, ORANGE, RED = LEVELS


@dataclass(frozen=True, slots=True)
class Wave:
    """What is known of a wave over its last hour (or since it began, if that is less).

    ``usual`` is what the brand usually has in that time; None without a baseline. ``authors`` are
    distinct. ``gravity`` counts authors of negative posts that touch grave matters.
    """

    mentions: int
    usual: float | None
    negative: int
    positive: int
    scored: int
    authors: int
    usual_share: float | None = None
    negative_ratio: float | None = None
    """Negative posts as a multiple of the usual ones; None when unknown."""
    gravity: Sequence[Gravity] = ()
    sure: bool = True
    competitor: bool = False


@dataclass(frozen=True, slots=True)
class LevelPolicy:
    """Where the levels begin on the index, and what each factor is measured by.

    ``full_ratio`` times the usual volume, ``full_share`` of negative posts and ``full_authors``
    distinct authors give their factor its whole weight. ``authors_for_red`` and
    ``authors_for_orange`` keep a handful of people from setting off the highest levels.
    """

    yellow: float = 15.0
    orange: float = 35.0
    red: float = 60.0
    full_ratio: float = 16.0
    no_share: float = 0.10
    full_share: float = 0.60
    full_authors: int = 300
    authors_for_orange: int = 10
    authors_for_red: int = 30
    unknown_share: float = 0.35
    """Negative share that is assumed while most posts wait to be scored."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """A level with what it came from. ``parts`` are JSON: each has a ``key`` and its numbers."""

    level: str
    index: float
    parts: list[dict[str, Any]]
    good_news: bool = False
    caps: list[str] = field(default_factory=list)
    """Why the level is not higher: good_news, competitor, no_baseline, few_authors."""

    @property
    def rank(self) -> int:
        """0 for blue to 3 for red."""
        return LEVELS.index(self.level)


def assess(wave: Wave, policy: LevelPolicy | None = None) -> Assessed:
    """The level of a wave."""
    policy = policy or LevelPolicy()
    parts = [
        _volume(wave, policy),
        _negative(wave, policy),
        _spread(wave, policy),
        _gravity(wave),
    ]
    index = 100.0
    for part in parts:
        index *= part["factor"]
    index = min(100.0, index)
    good_news = is_good_news(wave)
    highest, caps = _ceiling(wave, good_news, policy)
    level = BLUE
    for name, border in ((YELLOW, policy.yellow), (ORANGE, policy.orange), (RED, policy.red)):
        if index >= border:
            level = name
    if LEVELS.index(level) > LEVELS.index(highest):
        level = highest
    else:
        caps = [cap for cap in caps if cap == "good_news"]
    return Assessed(level, round(index, 1), parts, good_news, caps)


def is_good_news(wave: Wave) -> bool:
    """Whether a wave is praise: half of what is scored is positive, and little negative."""
    if wave.scored < max(5, wave.mentions / 2):
        return False
    share = wave.negative / wave.scored
    return wave.positive / wave.scored >= 0.5 and share <= max(0.15, wave.usual_share or 0.0)


def _ceiling(wave: Wave, good_news: bool, policy: LevelPolicy) -> tuple[str, list[str]]:
    caps = []
    if good_news:
        caps.append("good_news")
    if wave.competitor:
        caps.append("competitor")
    if wave.usual is None:
        caps.append("no_baseline")
    if caps:
        return BLUE, caps
    if wave.authors < policy.authors_for_orange:
        return YELLOW, ["few_authors"]
    if wave.authors < policy.authors_for_red:
        return ORANGE, ["few_authors"]
    return RED, []


def _volume(wave: Wave, policy: LevelPolicy) -> dict[str, Any]:
    """How many times the usual: 1 gives nothing, ``full_ratio`` everything, in doublings."""
    part: dict[str, Any] = {"key": "volume", "mentions": wave.mentions}
    if wave.usual is None:
        return {**part, "usual": None, "ratio": None, "factor": 0.5}
    # One post more than usual at night is no doubling.
    ratio = (wave.mentions + 1) / (wave.usual + 1)
    negative = wave.negative_ratio or 0.0
    strongest = max(ratio, negative)
    factor = _unit(math.log(max(strongest, 1.0)) / math.log(policy.full_ratio))
    return {
        **part,
        "usual": round(wave.usual, 1),
        "ratio": round(ratio, 2),
        "negative_ratio": round(negative, 2),
        "factor": round(factor, 3),
    }


def _negative(wave: Wave, policy: LevelPolicy) -> dict[str, Any]:
    """The negative share, pulled towards the usual one while few posts are scored."""
    known = wave.scored >= max(5, wave.mentions / 2)
    prior = policy.unknown_share if wave.usual_share is None else wave.usual_share
    if known:
        share = (wave.negative + 4 * prior) / (wave.scored + 4)
    else:
        prior = max(prior, policy.unknown_share)
        waiting = max(wave.mentions - wave.scored, 1)
        share = (wave.negative + prior * waiting) / (wave.scored + waiting)
    factor = _unit((share - policy.no_share) / (policy.full_share - policy.no_share))
    return {
        "key": "negative",
        "negative": wave.negative,
        "scored": wave.scored,
        "share": None if not wave.scored else round(wave.negative / wave.scored, 3),
        "usual_share": None if wave.usual_share is None else round(wave.usual_share, 3),
        "known": known,
        "factor": round(factor, 3),
    }


def _spread(wave: Wave, policy: LevelPolicy) -> dict[str, Any]:
    """How many different people, in powers of ten; one account's flood weighs like one person."""
    factor = _unit(math.log(max(wave.authors, 1)) / math.log(policy.full_authors))
    return {
        "key": "spread",
        "authors": wave.authors,
        "posts": wave.mentions,
        "factor": round(max(factor, 0.05), 3),
    }


def _gravity(wave: Wave) -> dict[str, Any]:
    """1 without grave words; up to 2 when many authors use the gravest ones."""
    enough = max(wave.negative, 1)
    strongest = max(
        (
            one.weight * min(1.0, one.authors / 3) * min(1.0, 5 * one.authors / enough)
            for one in wave.gravity
        ),
        default=0.0,
    )
    return {
        "key": "severity",
        "categories": [{"name": one.name, "authors": one.authors} for one in wave.gravity[:4]],
        "factor": round(1 + strongest, 3),
    }


def _unit(number: float) -> float:
    return max(0.0, min(1.0, number))
