"""What a wave is about: grave words in its posts, and the posts that show it best."""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from store.detections import Evidence

WORDS_FILE = Path(__file__).with_name("severity.toml")
_ALIKE = 0.7
"""Part of the shorter of two posts that makes them say the same."""
_LONGEST_TEXT = 2000
"""Characters of a post that are read; posts come from the internet and may be of any length."""


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of grave matter: its weight (0..1) and the pattern that finds it."""

    name: str
    weight: float
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Gravity:
    """A category that posts touch, and how many different authors do."""

    name: str
    weight: float
    authors: int


class SeverityWordsError(ValueError):
    """The file of grave words cannot be used; the text says where."""


@cache
def categories(path: Path = WORDS_FILE) -> tuple[Category, ...]:
    """The categories of a file of grave words, the gravest first. Raises SeverityWordsError."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        found = [
            Category(name, float(table["weight"]), _pattern(table["en"], table["zh"]))
            for name, table in tables.items()
        ]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise SeverityWordsError(
            f"{path}: every category needs weight, en and zh ({error})"
        ) from error
    return tuple(sorted(found, key=lambda category: -category.weight))


def _pattern(english: Iterable[str], chinese: Iterable[str]) -> re.Pattern[str]:
    words = []
    for word in english:
        stem = _folded(word).rstrip("*")
        ending = r"\w{0,12}" if word.endswith("*") else ""
        words.append(rf"(?<![a-z0-9]){re.escape(stem)}{ending}(?![a-z0-9])")
    for word in chinese:
        plain = re.escape(_folded(word))
        # A number such as 315 is a word of its own, no part of a price or a date.
        words.append(rf"(?<!\d){plain}(?!\d)" if word.isdigit() else plain)
    return re.compile("|".join(words))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:_LONGEST_TEXT]).casefold()


def gravity(posts: Sequence[Evidence], path: Path = WORDS_FILE) -> list[Gravity]:
    """Which grave matters posts touch, by the number of different authors, the weightiest first.

    An unknown author counts as one of their own, so that mail and feeds weigh as well.
    """
    authors: dict[str, set[tuple[str, int]]] = {}
    known = categories(path)
    for post in posts:
        text = _folded(post.text)
        who = ("author", post.author_id) if post.author_id else ("post", post.mention_id)
        for category in known:
            if category.pattern.search(text):
                authors.setdefault(category.name, set()).add(who)
    found = [
        Gravity(category.name, category.weight, len(authors[category.name]))
        for category in known
        if category.name in authors
    ]
    return sorted(found, key=lambda one: -one.weight * math.log1p(one.authors))


def top_posts(posts: Sequence[Evidence], limit: int = 6) -> list[tuple[int, str]]:
    """The posts to show, as (mention id, why): half the most engaged, half the most typical.

    Every author comes once, and of posts that say the same only one does.
    """
    engaged = sorted(posts, key=lambda post: (-engagement(post.engagement), post.mention_id))
    engaged = [post for post in engaged if engagement(post.engagement) > 0]
    typical = _by_typicality(posts)
    chosen: list[tuple[int, str]] = []
    seen_authors: set[int] = set()
    seen_texts: list[frozenset[str]] = []

    def take(candidates: Iterable[Evidence], why: str, upto: int) -> None:
        for post in candidates:
            if len(chosen) >= upto:
                return
            if post.author_id in seen_authors:
                continue
            text = _gist(post.text)
            if any(_alike(text, seen) for seen in seen_texts):
                continue
            chosen.append((post.mention_id, why))
            seen_texts.append(text)
            if post.author_id is not None:
                seen_authors.add(post.author_id)

    take(engaged, "engaged", math.ceil(limit / 2))
    take(typical, "typical", limit)
    return chosen


def engagement(counts: Mapping[str, object]) -> float:
    """One figure for likes, reposts and replies: a repost carries a post on and weighs double."""
    total = 0.0
    for name, value in counts.items():
        if isinstance(value, int | float) and math.isfinite(value) and value > 0:
            spreads = any(part in name for part in ("repost", "share", "quote", "retweet"))
            total += value * (2 if spreads else 1)
    return total


def _gist(text: str) -> frozenset[str]:
    """Threes of letters of what a post says itself, without whom it reposts, links and digits."""
    said = re.sub(r"^.*\brt\s+@\S+", "", _folded(text), flags=re.DOTALL)
    said = said.rpartition("//@")[2]
    bare = "".join(c for c in re.sub(r"https?://\S+|\d+", "", said) if c.isalnum())[:300]
    return frozenset(bare[at : at + 3] for at in range(max(1, len(bare) - 2)))


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether the shorter of two posts is mostly contained in the other."""
    return len(one & other) >= _ALIKE * max(1, min(len(one), len(other)))


def _by_typicality(posts: Sequence[Evidence]) -> list[Evidence]:
    """Posts whose pairs of characters or words many other posts share come first."""
    shingles = {post.mention_id: _shingles(post.text) for post in posts}
    shared = Counter(piece for pieces in shingles.values() for piece in pieces)
    enough = max(1, len(posts))

    def weight(post: Evidence) -> float:
        pieces = shingles[post.mention_id]
        if len(pieces) < 4:
            return 0.0
        common = sum(shared[piece] / enough for piece in pieces if shared[piece] > 1)
        return common / math.sqrt(len(pieces) + 10)

    return sorted(posts, key=lambda post: (-weight(post), post.mention_id))


def _shingles(text: str) -> set[str]:
    words = re.findall(r"[a-z0-9']+|[^\W\d_a-z]", re.sub(r"https?://\S+", "", _folded(text)))
    pairs = {f"{one} {two}" for one, two in pairwise(words)}
    return pairs | {word for word in words if len(word) > 3}
