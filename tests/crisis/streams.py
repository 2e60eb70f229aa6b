"""A brand's stream in a database: history as rollups, live posts as rows, watched as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crisis.simulator import STEP, Count, Event, Stream, simulate
from crisis.watch import WatchResult, watch_brand
from store.bulk import execute_many, table_of, upsert
from store.database import Store
from store.models import (
    Author,
    Conversation,
    Mention,
    MentionBrand,
    Rollup,
    RollupAuthor,
    Source,
)
from store.rollups import floor
from tests.builders import a_brand
from tests.conftest import START

T = TypeVar("T")
TEXTS = (
    "the parcel never came and nobody answers",
    "客服一直不回复，太失望了",
    "broken again, third time",
)


@dataclass
class Listened:
    """A brand with one source that is polled every minute."""

    store: Store
    brand: int
    source: int | None

    def history(self, counts: Iterable[Count]) -> None:
        """Write what was counted before anyone listened, as an import leaves it in the rollups."""
        with self.store.write() as session:
            rows = [row for count in counts for row in _rollup_rows(self.brand, count)]
            execute_many(session, upsert(session, Rollup), rows)

    def collect(
        self,
        counts: Iterable[Count],
        **how: object,
    ) -> None:
        """Store posts; see ``_store_posts``."""
        with self.store.write() as session:
            for count in counts:
                _store_posts(session, self.brand, count, **how)  # type: ignore[arg-type]

    def cover(self, until: datetime) -> None:
        """The source has seen everything up to a moment."""
        with self.store.write() as session:
            _cover(session, self.source, until)

    def watch(self, now: datetime) -> WatchResult:
        """Run the stage until nothing is left to close."""
        result = self.store.transact(lambda session: watch_brand(session, self.brand, now))
        while result.more:
            result = self.store.transact(lambda session: watch_brand(session, self.brand, now))
        return result

    def live(self, counts: Iterable[Count], **how: object) -> list[tuple[datetime, WatchResult]]:
        """Play a stream: each bucket is collected, covered and watched half a minute later."""
        results = []
        for count in counts:
            now = count.at + STEP + timedelta(seconds=30)

            def step(session: Session, count: Count = count, now: datetime = now) -> WatchResult:
                _store_posts(session, self.brand, count, **how)  # type: ignore[arg-type]
                _cover(session, self.source, now)
                return watch_brand(session, self.brand, now)

            results.append((now, self.store.transact(step)))
        return results

    def read(self, question: Callable[[Session], T]) -> T:
        """Ask something of the database."""
        with self.store.read() as session:
            return question(session)


def listened(store: Store, *, source: bool = True, **brand: object) -> Listened:
    """A new brand, listened to from now on unless told otherwise."""
    with store.write() as session:
        brand_id = a_brand(session, **brand)  # type: ignore[arg-type]
        row = Source(
            name=f"source {brand_id}", connector="demo", brand_id=brand_id, created_at=START
        )
        if source:
            session.add(row)
            session.flush()
        return Listened(store, brand_id, row.id if source else None)


def stream(
    days: float, start: datetime, *events: Event, mean: float = 8, seed: int = 3
) -> list[Count]:
    """A calm stream with events, without cascades."""
    made = Stream(
        mean=mean, days=days, start=start, daily=0.3, wander=0.05, cascades=0, seed=seed,
        negative_share=0.15, events=events,
    )  # fmt: skip
    return list(simulate(made))


def _rollup_rows(brand: int, count: Count) -> list[dict[str, object]]:
    return [
        {
            "brand_id": brand, "bucket": count.at, "platform": "demo", "language": "en",
            "sentiment": sentiment, "intent": "other", "width": 300, "mentions": mentions,
        }
        for sentiment, mentions in (
            ("negative", count.negative), ("neutral", count.posts - count.negative)
        )
        if mentions
    ]  # fmt: skip


def _cover(session: Session, source: int | None, until: datetime) -> None:
    session.execute(update(Source).where(Source.id == source).values(covered_until=until))


def _store_posts(
    session: Session,
    brand: int,
    count: Count,
    live: bool = True,
    unscored: bool = False,
    positive: float = 0.0,
    authors: int = 10_000,
    text: str | None = None,
    engagement: int = 0,
) -> None:
    """Store a bucket's posts. ``positive`` is the share that praises of those not negative."""
    if not count.posts:
        return
    first = (session.scalar(select(func.max(Mention.id))) or 0) + 1
    people = [number % authors + 1 for number in range(first, first + count.posts)]
    execute_many(
        session,
        upsert(session, Author).on_conflict_do_nothing(),
        [
            {"id": person, "platform": "demo", "namespace": "", "external_id": f"a{person}",
             "handle": "", "name": "", "first_seen_at": START}
            for person in sorted(set(people))
        ],
    )  # fmt: skip
    numbers = range(first, first + count.posts)
    execute_many(
        session,
        upsert(session, Conversation),
        [
            {
                "id": n,
                "platform": "demo",
                "namespace": "",
                "external_id": f"c{n}",
                "title": "",
                "created_at": START,
            }
            for n in numbers
        ],
    )
    mentions, brands = [], []
    counted: dict[str, int] = {}
    cheerful = round((count.posts - count.negative) * positive)
    for place, (number, person) in enumerate(zip(numbers, people, strict=True)):
        sentiment = (
            "negative" if place < count.negative
            else "positive" if place < count.negative + cheerful else "neutral"
        )  # fmt: skip
        shown = None if unscored else sentiment
        words = text or f"{TEXTS[number % len(TEXTS)]} {number}"
        moment = count.at + timedelta(seconds=place % 290)
        mentions.append(
            {
                "id": number, "platform": "demo", "external_id": str(number), "author_id": person,
                "conversation_id": number, "live": live, "text": words, "posted_at": moment,
                "collected_at": moment, "channel_ref": {}, "namespace": "", "direction": "inbound",
                "kind": "post", "title": "", "language": "en",
                "engagement": {"likes": engagement * (number % 7)},
            }
        )  # fmt: skip
        brands.append(
            {
                "brand_id": brand, "mention_id": number, "posted_at": moment, "sentiment": shown,
                "counted_sentiment": shown or "unscored", "counted_intent": "other",
                "counted_language": "en", "leads": False,
            }
        )  # fmt: skip
        counted[shown or "unscored"] = counted.get(shown or "unscored", 0) + 1
    execute_many(session, upsert(session, Mention), mentions)
    execute_many(session, upsert(session, MentionBrand), brands)
    write = upsert(session, Rollup)
    execute_many(
        session,
        write.on_conflict_do_update(
            index_elements=list(table_of(Rollup).primary_key.columns),
            set_={"mentions": Rollup.mentions + write.excluded.mentions},
        ),
        [
            {"brand_id": brand, "bucket": floor(count.at), "platform": "demo", "language": "en",
             "sentiment": name, "intent": "other", "width": 300, "mentions": mentions_}
            for name, mentions_ in sorted(counted.items())
        ],
    )  # fmt: skip
    tally: dict[int, int] = {}
    for person in people:
        tally[person] = tally.get(person, 0) + 1
    write = upsert(session, RollupAuthor)
    execute_many(
        session,
        write.on_conflict_do_update(
            index_elements=list(table_of(RollupAuthor).primary_key.columns),
            set_={"mentions": RollupAuthor.mentions + write.excluded.mentions},
        ),
        [
            {"brand_id": brand, "bucket": floor(count.at), "author_id": person, "mentions": n}
            for person, n in sorted(tally.items())
        ],
    )
