"""What the dashboard's pages cost at a given number of mentions.

    python benchmarks/bench_pages.py [MENTIONS]       (default 200000)

Writes rows straight into a temporary SQLite database, spread evenly over 90 days, and times the
queries behind each page; the best of three is printed.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from sqlalchemy.orm import Session

from dashboard import periods
from store import mention_list, tickets, trends
from store.database import Store
from store.mention_list import MentionFilter
from store.models import Author, Brand, Conversation, Mention, MentionBrand, Rollup
from store.rollups import floor
from store.trends import TrendFilter

DAYS = 90
PAGE = 20_000


def fill(store: Store, mentions: int, now: datetime) -> int:
    """Write brands, mentions and rollups; gives the number of rollup rows."""
    dice, begin = random.Random(1), now - timedelta(days=DAYS)
    counts: Counter[tuple[object, ...]] = Counter()
    with store.write() as session:
        session.execute(insert(Brand), [
            {"id": key, "name": f"Brand {key}", "created_at": begin, "handles": []}
            for key in (1, 2)
        ])  # fmt: skip
        session.execute(insert(Author), [
            {"id": key, "platform": "bluesky", "external_id": f"a{key}", "first_seen_at": begin}
            for key in range(1, 10_001)
        ])  # fmt: skip
    for first in range(1, mentions + 1, PAGE):
        rows: dict[type, list[dict[str, object]]] = {
            Conversation: [],
            Mention: [],
            MentionBrand: [],
        }
        for key in range(first, min(first + PAGE, mentions + 1)):
            at = begin + timedelta(days=DAYS) * (key / (mentions + 1))
            platform = dice.choice(["bluesky", "mastodon", "reddit", "email", "rss"])
            language = dice.choice(["en", "zh", "de"])
            sentiment = dice.choice(trends.SENTIMENTS[:3])
            intent, brand = dice.choice(trends.INTENTS), 1 if key % 3 else 2
            post = {"id": key, "platform": platform, "external_id": f"m{key}"}
            rows[Conversation].append({**post, "created_at": at})
            rows[Mention].append({
                **post, "author_id": dice.randrange(1, 10_001), "conversation_id": key,
                "live": False, "text": f"Post {key} about a kettle", "language": language,
                "posted_at": at, "collected_at": at, "assessed_at": at, "triaged_at": at,
            })  # fmt: skip
            rows[MentionBrand].append({
                "brand_id": brand, "mention_id": key, "posted_at": at, "sentiment": sentiment,
                "intent": intent, "counted_sentiment": sentiment, "counted_intent": intent,
                "counted_language": language, "leads": True,
            })  # fmt: skip
            for of in (0, brand):
                counts[of, floor(at), platform, language, sentiment, intent] += 1
        with store.write() as session:
            for model, values in rows.items():
                session.execute(insert(model), values)
    names = ("brand_id", "bucket", "platform", "language", "sentiment", "intent")
    cells = [
        dict(zip(names, key, strict=True), width=300, mentions=count)
        for key, count in counts.items()
    ]
    for first in range(0, len(cells), PAGE):
        with store.write() as session:
            session.execute(insert(Rollup), cells[first : first + PAGE])
    return len(cells)


def clock(store: Store, name: str, work: Callable[[Session], object]) -> None:
    """Print the best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        with store.read() as session:
            work(session)
        best = min(best, time.perf_counter() - began)
    print(f"{name:<44}{best * 1000:>9.0f} ms")


def main() -> None:
    """Fill, then time each page's queries."""
    mentions = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'pages.db'}")
        store.upgrade()
        cells = fill(store, mentions, now)
        print(f"{mentions:,} mentions, {cells:,} rollup rows")
        for key in ("1d", "7d", "30d", "90d"):
            period = periods.make(key, now, ZoneInfo("Asia/Shanghai"))
            asked = TrendFilter((0,), period.start, period.end)
            lines = MentionFilter((1, 2), period.start, period.end)
            clock(
                store,
                f"Trends {key}: chart",
                partial(trends.series, asked=asked, edges=period.edges),
            )
            clock(store, f"Trends {key}: slices", partial(trends.cube, asked=asked))
            clock(store, f"Mentions {key}: first page", partial(mention_list.page, asked=lines))
        inbox = tickets.TicketFilter(brand_ids=(1, 2), statuses=("open",))
        clock(store, "Inbox: first page", partial(tickets.list_tickets, which=inbox))
        store.close()


if __name__ == "__main__":
    main()
