"""Generates the posts of a scenario, hour by hour, in the order of their times.

Every hour has its own random numbers, so that any stretch of a stream can be made again without
what came before it: the same scenario, seed, start and run always give the same posts.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from math import floor
from random import Random

from listeners.scenarios.drafts import (
    FOLLOWERS,
    HOUR,
    Draft,
    account,
    engagement,
    pull,
    steady_times,
    times_within,
    title,
    weighted,
)
from listeners.scenarios.people import People, Person
from listeners.scenarios.plan import Anchor, Episode, Plan, ScenarioBrand, load_plan, names
from listeners.scenarios.voices import Line, Voice
from store.posts import Post

PLATFORM = "demo"
DEFAULT_SEED = 7

_SPILL = 4  # hours after its own in which a post is answered
_CLOCKS = {"en": 0, "zh": 8, "de": 1, "es": 1, "fr": 1, "ja": 9}  # hours from UTC
_HOURS = [
    0.25, 0.15, 0.1, 0.1, 0.15, 0.35, 0.8, 1.4, 1.8, 1.6, 1.3, 1.2,
    1.5, 1.5, 1.2, 1.1, 1.1, 1.2, 1.4, 1.5, 1.5, 1.3, 0.95, 0.55,
]  # fmt: skip
_WEEKDAYS = [1.0, 1.0, 1.05, 1.05, 1.15, 0.95, 0.8]


class Scenario:
    """One scenario's stream. ``started_at`` is the moment to which all its times are relative.

    ``run`` keeps the posts of one showing apart from those of another: it is the first part of
    their namespace.
    """

    def __init__(
        self, name: str, started_at: datetime, *, seed: int = DEFAULT_SEED, run: str = ""
    ) -> None:
        self.name = name
        self.plan: Plan = load_plan(name)
        self.started_at = started_at
        self.run = run or f"{name}-{started_at:%Y%m%d%H%M%S}"
        self.seed = f"{name}:{seed}"
        self._people = People(self.seed, self.plan.languages)
        self._voices = {
            language: Voice(name, language, self.plan.slots) for language in self.plan.languages
        }
        self._brands = {brand.key: brand for brand in self.plan.brands}
        self._anchors = {
            episode.key: [
                self._anchor(episode, number, anchor)
                for number, anchor in enumerate(episode.anchors)
            ]
            for episode in self.plan.episodes
        }

    @property
    def brands(self) -> list[ScenarioBrand]:
        """The invented brands, to be created with their kind, handles and query."""
        return self.plan.brands

    @property
    def begins_at(self) -> datetime:
        """When its history begins."""
        return self.started_at - timedelta(days=self.plan.days)

    @property
    def crisis_begins_at(self) -> datetime:
        """When its crisis begins, a little before ``started_at``; history ends here."""
        return self.started_at + timedelta(minutes=floor(self.plan.crisis.starts) - 2)

    def posts(self, since: datetime, until: datetime) -> Iterator[Post]:
        """Yield the posts with ``since <= posted_at < until``, oldest first."""
        # Moments are whole microseconds and minutes are not: the ends are told by the moment.
        margin = 0.001
        for draft in self.drafts(self._minute(since) - margin, self._minute(until) + margin):
            post = self._post(draft)
            if since <= post.posted_at < until:
                yield post

    def drafts(self, since: float, until: float) -> Iterator[Draft]:
        """Yield drafts by minutes from the start: ``since <= minute < until``, in order."""
        waiting: list[tuple[float, str, Draft]] = []
        first = max(floor(since / HOUR) - _SPILL, -24 * self.plan.days)
        for hour in range(first, floor(until / HOUR) + 1):
            for draft in self._hour(hour):
                if since <= draft.minute < until:
                    heapq.heappush(waiting, (draft.minute, draft.key, draft))
            while waiting and waiting[0][0] < (hour + 1) * HOUR:
                yield heapq.heappop(waiting)[2]
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _minute(self, moment: datetime) -> float:
        return (moment - self.started_at).total_seconds() / 60

    # One hour

    def _hour(self, hour: int) -> Iterator[Draft]:
        rng = Random(f"{self.seed}:{self.started_at:%Y%m%d%H}:{hour}")
        numbers = count()
        for minute, language in self._everyday_times(hour, rng):
            brand = rng.choices(self.plan.brands, [b.share for b in self.plan.brands])[0]
            pool = weighted(self.plan.mix, rng)
            yield from self._thread(hour, numbers, minute, language, brand.key, pool, rng)
        for episode in self.plan.episodes:
            for anchor in self._anchors[episode.key]:
                if hour * HOUR <= anchor.minute < (hour + 1) * HOUR:
                    yield anchor
            for minute in times_within(
                hour, max(rate for _, rate in episode.curve), episode.rate, rng
            ):
                yield from self._of_episode(hour, numbers, minute, episode, rng)

    def _everyday_times(self, hour: int, rng: Random) -> Iterator[tuple[float, str]]:
        begin = self.started_at + timedelta(hours=hour)
        for language, share in self.plan.languages.items():
            local = begin + timedelta(hours=_CLOCKS[language])
            rhythm = _HOURS[local.hour] * _WEEKDAYS[local.weekday()]
            rate = self.plan.per_day / 1440 * share * rhythm
            for minute in steady_times(hour, rate, rng):
                yield minute, language

    # A post and what follows it

    def _thread(
        self,
        hour: int,
        numbers: Iterator[int],
        minute: float,
        language: str,
        brand: str,
        pool: str,
        rng: Random,
    ) -> Iterator[Draft]:
        language = self._speaking(pool, language, rng)
        person = self._people.anyone(language, rng)
        root = self._draft(hour, numbers, minute, language, brand, pool, person, rng)
        yield root
        yield from self._answers(hour, numbers, root, brand, rng)
        for follower in FOLLOWERS.get(pool, ()):
            if rng.random() < follower.share:
                yield self._follower(hour, numbers, root, brand, follower.pool, language, rng)

    def _follower(
        self,
        hour: int,
        numbers: Iterator[int],
        root: Draft,
        brand: str,
        pool: str,
        language: str,
        rng: Random,
        person: Person | None = None,
        parent: Draft | None = None,
    ) -> Draft:
        language = self._speaking(pool, language, rng)
        person = person or self._people.at(language, root.style, rng)
        parent = parent or root
        minute = parent.minute + min(rng.lognormvariate(3.0, 0.9), HOUR * (_SPILL - 2))
        return self._draft(
            hour, numbers, minute, language, brand, pool, person, rng, root=root, parent=parent
        )

    def _answers(
        self, hour: int, numbers: Iterator[int], root: Draft, brand: str, rng: Random
    ) -> Iterator[Draft]:
        """What the brand's own account answers, and what the customer says to that."""
        chance = {"complaint": 0.55, "enquiry": 0.6, "praise": 0.14, "app_down": 0.6}
        own = self._brands[brand].kind == "own"
        if not own or rng.random() >= chance.get(root.pool, 0.0):
            return
        pool = {"app_down": "answer_complaint"}.get(root.pool, f"answer_{root.pool}")
        language = "zh" if root.language == "zh" else "en"
        official = self._official(brand, language, root.style)
        answer = self._follower(hour, numbers, root, brand, pool, language, rng, official)
        if answer.minute > self.plan.answers_until:
            return
        yield answer
        if root.pool != "praise" and rng.random() < 0.5:
            glad = rng.random() < (0.9 if root.pool == "enquiry" else 0.55)
            reaction = "thanks" if glad else "still_waiting"
            yield self._follower(
                hour, numbers, root, brand, reaction, root.language, rng, root.person, answer
            )

    def _of_episode(
        self, hour: int, numbers: Iterator[int], minute: float, episode: Episode, rng: Random
    ) -> Iterator[Draft]:
        pool = weighted(episode.mix_at(minute), rng)
        language = weighted(self.plan.languages, rng)
        if pool in {"echo", "repost"}:
            known = [anchor for anchor in self._anchors[episode.key] if anchor.minute < minute]
            if known:
                anchor = rng.choices(known, [pull(anchor, minute) for anchor in known])[0]
                repeat = self._repost if pool == "repost" else self._echo
                yield repeat(hour, numbers, minute, anchor, episode.brand, rng)
                return
            pool = "worry"
        language = self._speaking(pool, language, rng)
        if pool == "bots":
            person = rng.choice(self._people.bots)
        elif pool == "media" and self.plan.media:
            writers = [media for media in self.plan.media if media.language in {"en", "zh"}]
            media = rng.choice(writers)
            language = media.language
            person = account(media.handle, media.name, media.followers, "news")
        else:
            person = self._people.anyone(language, rng)
        post = self._draft(hour, numbers, minute, language, episode.brand, pool, person, rng)
        yield post
        yield from self._answers(hour, numbers, post, episode.brand, rng)

    def _echo(
        self,
        hour: int,
        numbers: Iterator[int],
        minute: float,
        anchor: Draft,
        brand: str,
        rng: Random,
    ) -> Draft:
        pool = rng.choices(["worry", "ask", "snark"], [0.65, 0.25, 0.1])[0]
        pool = "ask" if anchor.pool == "statement" and pool == "snark" else pool
        person = self._people.anyone(anchor.language, rng)
        language = self._speaking(pool, anchor.language, rng)
        return self._draft(
            hour, numbers, minute, language, brand, pool, person, rng, root=anchor, parent=anchor
        )

    def _repost(
        self,
        hour: int,
        numbers: Iterator[int],
        minute: float,
        anchor: Draft,
        brand: str,
        rng: Random,
    ) -> Draft:
        voice = self._voices[anchor.language]
        note = voice.note(rng) if rng.random() < 0.9 else ""
        handle = anchor.person.author.handle
        if anchor.language == "zh":
            text = f"{note or '转发微博'} //@{handle}:{anchor.line.text}"
        else:
            text = f"{note} RT @{handle}: {anchor.line.text}".strip()
        crowd = rng.random() < 0.12
        person = (
            rng.choice(self._people.bots) if crowd else self._people.anyone(anchor.language, rng)
        )
        return Draft(
            minute=minute,
            key=_key(hour, numbers),
            style=anchor.style,
            person=person,
            line=Line(text, f"repost/{anchor.key}"),
            pool="repost",
            language=anchor.language,
            brands=(brand,),
            kind="repost",
            root=anchor.key,
            parent=anchor.key,
            engagement=engagement(person, rng),
        )

    def _draft(
        self,
        hour: int,
        numbers: Iterator[int],
        minute: float,
        language: str,
        brand: str,
        pool: str,
        person: Person,
        rng: Random,
        root: Draft | None = None,
        parent: Draft | None = None,
    ) -> Draft:
        other = next((key for key in self._brands if key != brand), brand)
        line = self._voices[language].line(pool, brand, other, rng)
        outbound = pool.startswith(("answer", "statement"))
        if parent and (outbound or rng.random() < 0.5):
            addressed = f"@{parent.person.author.handle} {line.text}"
            line = replace(line, text=addressed)
        style = root.style if root else person.style
        return Draft(
            minute=minute,
            key=_key(hour, numbers),
            style=style,
            person=person,
            line=line,
            pool=pool,
            language=language,
            brands=(brand, other) if line.names_other else (brand,),
            kind="article" if pool == "media" else ("reply" if root else "post"),
            title=title(style, pool, language, rng) if root is None else "",
            root=root.root or root.key if root else "",
            parent=parent.key if parent else "",
            outbound=outbound,
            engagement=engagement(person, rng),
        )

    def _anchor(self, episode: Episode, number: int, anchor: Anchor) -> Draft:
        rng = Random(f"{self.seed}:{episode.key}:{number}")
        if anchor.media:
            media = next(one for one in self.plan.media if one.handle == anchor.media)
            person = account(media.handle, media.name, media.followers, "news")
        elif anchor.outbound:
            person = self._official(episode.brand, anchor.language, "microblog")
        else:
            known = self._people.at(anchor.language, "microblog", rng).author
            person = account(known.handle, known.name, anchor.followers, "microblog", "witness-")
        other = next((key for key in self._brands if key != episode.brand), episode.brand)
        line = self._voices[anchor.language].line(
            anchor.pool, episode.brand, other, rng, None if anchor.place is None else anchor.place
        )
        reach = person.author.followers or 0
        return Draft(
            minute=anchor.at,
            key=f"{episode.key}-{number:02d}",
            style=person.style,
            person=person,
            line=line,
            pool=anchor.pool,
            language=anchor.language,
            brands=(episode.brand,),
            kind="article" if anchor.media else "post",
            outbound=anchor.outbound,
            engagement={"likes": 200 + reach // 90, "reposts": 120 + reach // 200},
        )

    def _speaking(self, pool: str, language: str, rng: Random) -> str:
        """The language, or one of the two in which every pool has lines."""
        if pool in self._voices[language].pools:
            return language
        return "zh" if language == "ja" and rng.random() < 0.3 else "en"

    def _official(self, brand: str, language: str, style: str) -> Person:
        handles = self._brands[brand].handles
        handle = (handles[-1] if language == "zh" else handles[0]).removeprefix("@")
        return account(handle, handle, 84_000, style, "own-")

    def _post(self, draft: Draft) -> Post:
        author = draft.person.author
        return Post(
            platform=PLATFORM,
            namespace=f"{self.run}/{draft.style}",
            external_id=draft.key,
            text=draft.line.text,
            posted_at=self.started_at + timedelta(minutes=draft.minute),
            author=author,
            conversation=draft.root or draft.key,
            in_reply_to=draft.parent or None,
            direction="outbound" if draft.outbound else "inbound",
            kind=draft.kind,
            title=draft.title,
            language=draft.language,
            engagement=dict(draft.engagement),
            channel_ref={
                "post": draft.key,
                "root": draft.root or draft.key,
                "handle": author.handle,
                "style": draft.style,
                "brands": list(draft.brands),
            },
        )


def scenario(
    name: str, started_at: datetime, *, seed: int = DEFAULT_SEED, run: str = ""
) -> Scenario:
    """A scenario by name; ``names()`` lists them. Raises KeyError for an unknown one."""
    return Scenario(name, started_at, seed=seed, run=run)


def _key(hour: int, numbers: Iterator[int]) -> str:
    # Hours of the history are negative; a fixed shift keeps keys in the order of time.
    return f"{hour + 100_000:06d}-{next(numbers):03d}"


__all__ = ["DEFAULT_SEED", "PLATFORM", "Draft", "Scenario", "names", "scenario"]
