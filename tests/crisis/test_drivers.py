"""Grave words and the posts that show what a wave is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from crisis.drivers import SeverityWordsError, categories, engagement, gravity, top_posts
from notify.wording import SEVERITY
from store.detections import Evidence
from tests.conftest import START


def post(number: int, text: str, author: int | None = None, **engaged: int) -> Evidence:
    who = number if author is None else author
    return Evidence(number, who, text, "negative", "post", "demo", START, engaged)


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("The charger CAUGHT FIRE on my desk", "fire"),
        ("手机充电时爆炸了", "fire"),
        ("two people were hospitalised", "injury"),
        ("吃完拉肚子，食物中毒", "food_safety"),
        ("these people are scammers", "fraud"),
        ("虛假宣傳，退錢", "fraud"),
        ("看到央视315曝光了你们", "regulator"),
        ("our DATA LEAKED in a data breach", "privacy"),
        ("ｂｏｙｃｏｔｔ this", "boycott"),
        ("辱华品牌", "discrimination"),
        ("刹车失灵差点撞上", "safety"),
    ],
)
def test_grave_words_are_found_in_both_languages(text: str, category: str) -> None:
    assert category in {found.name for found in gravity([post(1, text)])}


@pytest.mark.parametrize(
    "text",
    [
        "I got fired up about the colour",
        "order 315 came late",
        "价格 3150 元",
        "the suede shoes",
        "",
    ],
)
def test_words_inside_other_words_do_not_count(text: str) -> None:
    assert gravity([post(1, text)]) == []


def test_authors_are_counted_once_and_the_weightiest_comes_first() -> None:
    posts = [post(n, "it caught fire", author=7) for n in range(5)]
    posts += [post(10 + n, "never buying again") for n in range(3)]
    found = {one.name: one.authors for one in gravity(posts)}
    assert found == {"fire": 1, "boycott": 3}


def test_every_category_has_words_for_staff_in_both_languages() -> None:
    assert {category.name for category in categories()} == set(SEVERITY)
    assert all(0 < category.weight <= 1 for category in categories())


def test_a_broken_file_of_words_is_named(tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text("[fire]\nweight = 1.0\n", encoding="utf-8")
    with pytest.raises(SeverityWordsError, match=r"words\.toml"):
        categories(path)


def test_top_posts_come_from_different_authors_and_say_different_things() -> None:
    posts = [post(n, "battery swollen after two weeks", author=n) for n in range(1, 8)]
    posts += [
        post(20, "my battery is swollen after only two weeks, and support is silent", likes=2),
        post(21, "support is silent about the swollen battery", author=20, likes=900),
        post(22, "look at this https://example.org/x", likes=40, reposts=100),
        post(23, "lol"),
    ]
    chosen = top_posts(posts, limit=4)
    ids = [mention for mention, _ in chosen]
    assert chosen[0] == (21, "engaged")
    assert chosen[1] == (22, "engaged")
    assert 20 not in ids  # its author is there already
    assert len(set(ids) & set(range(1, 8))) == 1  # seven copies of one text
    assert {why for _, why in chosen} == {"engaged", "typical"}


def test_reposts_and_slight_changes_of_a_post_are_not_shown_beside_it() -> None:
    posts = [
        post(1, "WARNING: the valve of the cup comes loose, my son nearly choked", likes=50),
        post(2, "wild!! RT @ann: WARNING: the valve of the cup comes loose, my son nearly choked"),
        post(3, "家里的水杯全扔了，不敢拿孩子的命赌😱"),
        post(4, "@品牌 家里的水杯 全扔了 不敢拿孩子的命赌…"),
        post(5, "转发微博//@豆豆:家里的水杯全扔了，不敢拿孩子的命赌"),
    ]
    chosen = [mention for mention, _ in top_posts(posts)]
    assert len(chosen) == 2
    assert chosen[0] == 1
    assert chosen[1] in {3, 4, 5}


def test_top_posts_of_nothing_are_none() -> None:
    assert top_posts([]) == []


def test_engagement_counts_reposts_twice_and_survives_rubbish() -> None:
    assert engagement({"likes": 3, "reposts": 2, "replies": 1}) == 8
    assert engagement({"likes": -5, "shares": float("nan"), "x": "many"}) == 0


def test_a_hostile_post_takes_no_time() -> None:
    posts = [post(n, "fire " * 200_000) for n in range(20)]
    assert gravity(posts)[0].authors == 20
    assert top_posts(posts)
