"""The invented people who write: names, handles, followers, where they are at home."""

from __future__ import annotations

import tomllib
from bisect import bisect
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from random import Random

from listeners.scenarios.plan import FOLDER
from store.posts import PostAuthor

STYLES = {"microblog": 0.66, "forum": 0.2, "reviews": 0.14}
"""Places in which people write, with their share of the people."""

BOTS = 40
_COUNT = {"en": 700, "zh": 700}
_FEW = 70


@dataclass(frozen=True, slots=True)
class Person:
    """An author and the style of place that is theirs."""

    author: PostAuthor
    style: str


class People:
    """The same crowd for the same seed. Few write often, most write once or twice."""

    def __init__(self, seed: str, languages: Mapping[str, float]) -> None:
        self._by_place: dict[tuple[str, str], list[Person]] = defaultdict(list)
        self._all: dict[str, list[Person]] = {}
        for language in languages:
            rng = Random(f"{seed}:people:{language}")
            people = [
                _person(language, number, rng) for number in range(_COUNT.get(language, _FEW))
            ]
            self._all[language] = people
            for person in people:
                self._by_place[language, person.style].append(person)
        rng = Random(f"{seed}:bots")
        self.bots = [
            Person(
                PostAuthor(
                    f"bot{number:03d}",
                    handle=f"user{rng.randint(10**7, 10**8)}",
                    name=f"user{rng.randint(10**5, 10**6)}",
                    followers=rng.randint(0, 6),
                ),
                "microblog",
            )
            for number in range(BOTS)
        ]

    def anyone(self, language: str, rng: Random) -> Person:
        """Somebody who writes a language."""
        return _pick(self._all[language], rng)

    def at(self, language: str, style: str, rng: Random) -> Person:
        """Somebody who writes a language in one style of place."""
        return _pick(self._by_place[language, style] or self._all[language], rng)


def _pick(people: list[Person], rng: Random) -> Person:
    weights = _weights(len(people))
    return people[bisect(weights, rng.random() * weights[-1])]


@cache
def _weights(count: int) -> list[float]:
    return list(accumulate((rank + 12) ** -0.7 for rank in range(count)))


def _person(language: str, number: int, rng: Random) -> Person:
    handle, name = _names(language, rng)
    style = rng.choices(list(STYLES), list(STYLES.values()))[0]
    followers = int(rng.lognormvariate(5.0, 1.4))
    if rng.random() < 0.008:
        followers = rng.randint(40_000, 400_000)
    author = PostAuthor(f"{language}{number:04d}", handle=handle, name=name, followers=followers)
    return Person(author, style)


def _names(language: str, rng: Random) -> tuple[str, str]:
    words = _words()[language]

    def pick(kind: str) -> str:
        return rng.choice(words[kind])

    if language in {"zh", "ja"}:
        name = rng.choice(
            [
                pick("adjective") + pick("noun"),
                pick("first") + pick("last"),
                pick("first") + pick("noun"),
                pick("noun") + str(rng.randint(1, 999)),
            ]
        )
        return name, name
    first, last = pick("first"), pick("last")
    handle = rng.choice(
        [
            f"{pick('adjective')}{pick('noun')}{rng.randint(1, 99)}",
            f"{first}_{last}",
            f"{first}.{pick('noun')}",
            f"the{pick('noun')}{first}",
            f"{first}{rng.randint(60, 2010)}",
        ]
    ).lower()
    return handle, rng.choice([f"{first} {last}", first, f"{first} {last[0]}.", handle])


@cache
def _words() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((FOLDER / "common" / "people.toml").read_text("utf-8"))
