"""Streams of counts as brands have them, made up, with known events.

They tune and test the detectors without any real brand's data, and show in a drill what an alert
looks like. A stream is: a daily and weekly rhythm, a slow wander, more variance than a Poisson
process (posts come in small cascades whose sizes have a heavy tail), recurring pulses of bots, and
events that ramp up and decay. Every number comes from one seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

STEP = timedelta(minutes=5)
START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday


@dataclass(frozen=True, slots=True)
class Event:
    """Something happens to a brand.

    ``size`` is the peak rate in multiples of the stream's mean rate. The rate rises in a straight
    line for ``ramp`` and then halves every ``half_life``. ``negative_share`` is the share of
    negative posts among those that the event adds.
    """

    at: datetime
    size: float
    ramp: timedelta = timedelta(minutes=30)
    half_life: timedelta = timedelta(hours=3)
    negative_share: float = 0.7

    def rate(self, moment: datetime) -> float:
        """Multiples of the stream's mean rate that the event adds at a moment."""
        since = (moment - self.at) / timedelta(hours=1)
        ramp = self.ramp / timedelta(hours=1)
        if since < 0:
            return 0.0
        if since < ramp:
            return self.size * since / ramp
        half_life = self.half_life / timedelta(hours=1)
        return self.size * math.exp(-math.log(2) * (since - ramp) / half_life)


@dataclass(frozen=True, slots=True)
class Pulse:
    """Bots that post ``posts`` at once, every ``every``, starting ``offset`` into the stream."""

    every: timedelta
    posts: int
    offset: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Stream:
    """What a stream is made of. ``mean`` is posts per five minutes on an ordinary day."""

    mean: float = 20.0
    days: float = 14.0
    start: datetime = START
    daily: float = 0.6
    """Swing of the day: 0 none, 1 silence at night and twice the mean in the evening."""
    weekend: float = 0.8
    """Rate at weekends as a multiple of weekdays."""
    wander: float = 0.15
    """Spread of the slow wander of the log rate (hours)."""
    cascades: float = 0.1
    """Share of posts that come in cascades of their own (Pareto sizes, shape 1.3)."""
    negative_share: float = 0.15
    events: Sequence[Event] = ()
    pulses: Sequence[Pulse] = ()
    gaps: Sequence[tuple[datetime, datetime]] = ()
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Count:
    """One bucket of five minutes: posts, how many of them negative, whether we could look."""

    at: datetime
    posts: int
    negative: int
    complete: bool = True


@dataclass(slots=True)
class _Cascades:
    random: random.Random
    running: list[tuple[float, float]] = field(default_factory=list)

    def step(self, expected: float) -> float:
        """The rate that running cascades add; new ones bring ``expected`` posts on average."""
        mean_size = 10.0
        for _ in range(_poisson(self.random, expected / mean_size)):
            size = min(3 * self.random.paretovariate(1.3), 1000.0)
            decay = math.exp(-1 / self.random.uniform(1.0, 6.0))
            self.running.append((size * (1 - decay), decay))
        rate = sum(now for now, _ in self.running)
        self.running = [(now * decay, decay) for now, decay in self.running if now * decay > 0.05]
        return rate


def simulate(stream: Stream) -> Iterator[Count]:
    """Yield the stream's buckets in order; those inside a gap are left out."""
    chance = random.Random(stream.seed)
    cascades = _Cascades(chance)
    wander = 0.0
    pulses = [(pulse, stream.start + pulse.offset) for pulse in stream.pulses]
    for index in range(round(stream.days * 288)):
        at = stream.start + index * STEP
        wander = 0.995 * wander + stream.wander * math.sqrt(1 - 0.995**2) * chance.gauss(0, 1)
        rhythm = _rhythm(stream, at)
        ordinary = stream.mean * rhythm * math.exp(wander - stream.wander**2 / 2)
        quiet = _poisson(chance, ordinary * (1 - stream.cascades))
        viral = _poisson(chance, cascades.step(ordinary * stream.cascades))
        posts = quiet + viral
        negative = _binomial(chance, posts, stream.negative_share)
        for event in stream.events:
            added = _poisson(chance, stream.mean * event.rate(at))
            posts += added
            negative += _binomial(chance, added, event.negative_share)
        for number, (pulse, due) in enumerate(pulses):
            if at >= due:
                posts += _poisson(chance, pulse.posts)
                pulses[number] = (pulse, due + pulse.every)
        if not any(since <= at < until for since, until in stream.gaps):
            yield Count(at, posts, negative)


def _rhythm(stream: Stream, at: datetime) -> float:
    hour = at.hour + at.minute / 60
    swing = math.sin((hour - 10) / 24 * 2 * math.pi) + 0.3 * math.sin(hour / 12 * 2 * math.pi)
    week = stream.weekend if at.weekday() >= 5 else 1.0
    return float(max(0.03, 1 + stream.daily * swing) * week)


def _poisson(chance: random.Random, mean: float) -> int:
    if mean <= 0:
        return 0
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def _binomial(chance: random.Random, trials: int, share: float) -> int:
    if trials > 200:
        spread = math.sqrt(trials * share * (1 - share))
        return min(trials, max(0, round(chance.gauss(trials * share, spread))))
    return sum(chance.random() < share for _ in range(trials))


def varied(seed: int, days: float = 21.0, events: int = 5) -> Stream:
    """A brand drawn at random: size, rhythm, noise, perhaps bots, and ``events`` events.

    The first fifth of the stream has no event, so that a baseline can form; events lie at least a
    day apart.
    """
    chance = random.Random(seed)
    mean = 2 ** chance.uniform(0, 8)
    free = days * 0.8 / max(events, 1)
    happened = []
    for index in range(events):
        day = days * 0.2 + index * free + chance.uniform(0, max(free - 1, 0.01))
        happened.append(
            Event(
                at=START + timedelta(minutes=5 * round(day * 288)),
                size=chance.uniform(4, 12) * max(1.0, 4 / math.sqrt(mean)),
                ramp=timedelta(minutes=chance.choice([5, 15, 30, 60, 120])),
                half_life=timedelta(hours=chance.choice([0.5, 1, 2, 4, 8])),
                negative_share=chance.uniform(0.4, 0.9),
            )
        )
    pulses = []
    if chance.random() < 0.3:
        pulses.append(
            Pulse(
                every=timedelta(hours=chance.choice([6, 12, 24, 36])),
                posts=round(mean * chance.uniform(4, 12)) + 5,
                offset=timedelta(hours=chance.uniform(0, 24)),
            )
        )
    return Stream(
        mean=mean,
        days=days,
        daily=chance.uniform(0.2, 0.8),
        weekend=chance.uniform(0.5, 1.1),
        wander=chance.uniform(0.05, 0.3),
        cascades=chance.uniform(0.02, 0.35),
        negative_share=chance.uniform(0.05, 0.3),
        events=tuple(happened),
        pulses=tuple(pulses),
        seed=seed,
    )
