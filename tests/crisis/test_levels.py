"""The level of a wave and what it came from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crisis.drivers import Gravity
from crisis.levels import Assessed, Wave, assess

WAVE = Wave(
    mentions=160, usual=9, negative=100, positive=8, scored=150, authors=120,
    usual_share=0.15, negative_ratio=30.0,
)  # fmt: skip
GRAVE = (Gravity("injury", 1.0, 40), Gravity("fire", 1.0, 22))


def wave(mentions: int, *, negative: int, authors: int, ratio: float) -> dict[str, Any]:
    """What differs from ``WAVE``; everything is scored."""
    return {
        "mentions": mentions, "scored": mentions, "negative": negative, "authors": authors,
        "negative_ratio": ratio, "positive": 1,
    }  # fmt: skip


def part(assessed: Assessed, key: str) -> dict[str, Any]:
    return next(part for part in assessed.parts if part["key"] == key)


def test_a_large_negative_wave_of_many_people_is_red_and_shows_why() -> None:
    found = assess(WAVE)
    assert found.level == "red"
    assert part(found, "volume")["ratio"] == pytest.approx(16.1)
    assert part(found, "negative")["share"] == pytest.approx(0.667)
    assert part(found, "spread")["authors"] == 120
    product = 100.0
    for one in found.parts:
        product *= one["factor"]
    assert found.index == pytest.approx(min(product, 100), abs=0.2)


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({}, "red"),
        (wave(60, negative=36, authors=45, ratio=9), "orange"),
        (wave(36, negative=16, authors=28, ratio=4), "yellow"),
        (wave(18, negative=4, authors=15, ratio=2), "blue"),
    ],
)
def test_levels_grow_with_size_share_and_people(change: dict[str, Any], level: str) -> None:
    assert assess(replace(WAVE, **change)).level == level


def test_the_index_never_falls_when_a_factor_grows() -> None:
    small = replace(WAVE, mentions=40, scored=40, negative=15, authors=20, negative_ratio=3)
    index = assess(small).index
    assert assess(replace(small, mentions=60, scored=60, negative=23)).index >= index
    assert assess(replace(small, negative=25)).index > index
    assert assess(replace(small, authors=35)).index > index
    assert assess(replace(small, gravity=GRAVE)).index > 1.5 * index


def test_praise_is_blue_and_called_good_news() -> None:
    praise = replace(WAVE, negative=6, positive=110, negative_ratio=2)
    found = assess(praise)
    assert (found.level, found.good_news) == ("blue", True)
    assert "good_news" in found.caps


def test_one_account_that_floods_is_no_red_alert() -> None:
    flood = assess(replace(WAVE, authors=3))
    assert flood.level in {"blue", "yellow"}
    assert assess(replace(WAVE, authors=12, gravity=GRAVE)).level == "orange"
    assert assess(replace(WAVE, authors=12, gravity=GRAVE)).caps == ["few_authors"]


def test_without_a_baseline_it_stays_blue() -> None:
    found = assess(replace(WAVE, usual=None, negative_ratio=None))
    assert (found.level, found.caps) == ("blue", ["no_baseline"])


def test_unscored_posts_count_as_partly_negative_until_they_are_read() -> None:
    waiting = assess(replace(WAVE, negative=3, positive=1, scored=4, negative_ratio=None))
    assert part(waiting, "negative")["known"] is False
    assert not waiting.good_news
    assert waiting.level in {"yellow", "orange"}


def test_grave_words_of_one_person_weigh_little() -> None:
    one = part(assess(replace(WAVE, gravity=(Gravity("fire", 1.0, 1),))), "severity")
    many = part(assess(replace(WAVE, gravity=GRAVE)), "severity")
    assert one["factor"] < 1.1
    assert many["factor"] == 2.0
    assert many["categories"][0] == {"name": "injury", "authors": 40}
