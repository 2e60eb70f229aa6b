"""Bulk ingest with deduplication against a bare executemany into the same tables and indexes.

    python benchmarks/bench_ingest.py [--rows 100000] [--runs 3]

Both sides write the same rows (authors, conversations, mentions, brands of a mention, rollups) to
a fresh SQLite file with all indexes and foreign keys. The bare side is handed ready-made rows with
ids; ours starts from posts, looks for duplicates, threads and authors, counts, and commits every
500 posts. The text index is filled afterwards and reported apart. Peak memory is of our side.
"""

from __future__ import annotations

import argparse
import gc
import random
import shutil
import sqlite3
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import select

from store.database import WRITE_BATCH, Store
from store.ingest import BrandHit, Incoming, ingest
from store.models import Brand, Mention
from store.posts import Post, PostAuthor
from store.search import index_texts

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TABLES = ("author", "conversation", "mention", "mention_brand", "rollup", "rollup_author")


def posts(rows: int) -> Iterator[Post]:
    """Posts like a care stream: a third are replies, one author in four, two per cent twice."""
    chance = random.Random(7)
    words = ["the", "order", "has", "not", "come", "nobody", "answers", "订单", "还没到", "客服"]
    for i in range(rows):
        key = i if chance.random() > 0.02 else max(0, i - chance.randrange(1, 1000))
        name = f"u{key * 31 % (rows // 4)}"
        yield Post(
            platform="bench",
            external_id=str(key),
            text=" ".join(words[(key * 7 + i * i) % len(words)] for i in range(18)),
            posted_at=NOW - timedelta(days=14) + timedelta(seconds=key * 12),
            author=PostAuthor(name, handle=f"@{name}"),
            in_reply_to=str(key - 1 - key % 7) if key % 3 == 1 and key > 9 else None,
            language="en",
            url=f"https://example.org/{key}",
            engagement={"likes": key % 9},
        )


def ours(template: Path, folder: Path, rows: int) -> tuple[float, float, Path]:
    """Seconds to take the posts in, seconds to fill the text index, the file."""
    path = folder / "ours.db"
    shutil.copy(template, path)
    store = Store(f"sqlite:///{path}")
    hits = [BrandHit(1)]
    stream = iter(list(posts(rows)))
    gc.collect()
    start = time.perf_counter()
    while page := list(islice(stream, WRITE_BATCH)):
        with store.write() as session:
            ingest(session, [Incoming(post, hits) for post in page], live=False, now=NOW)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    last = 0
    while True:
        with store.write() as session:
            texts = dict(
                session.execute(
                    select(Mention.id, Mention.text)
                    .where(Mention.id > last)
                    .order_by(Mention.id)
                    .limit(WRITE_BATCH)
                ).all()
            )
            if not texts:
                break
            index_texts(session, texts)
            last = max(texts)
    indexing = time.perf_counter() - start
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return seconds, indexing, path


def bare(template: Path, folder: Path, source: Path) -> float:
    """Seconds of executemany for the very rows that our side wrote, 500 to a transaction."""
    read = sqlite3.connect(source)
    rows = {name: read.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
    read.close()
    path = folder / "bare.db"
    shutil.copy(template, path)
    write = sqlite3.connect(path, isolation_level=None)
    write.execute("PRAGMA synchronous = NORMAL")
    write.execute("PRAGMA foreign_keys = ON")
    write.execute("PRAGMA cache_size = -65536")
    gc.collect()
    start = time.perf_counter()
    for name in TABLES:  # parents first, because foreign keys are on
        for at in range(0, len(rows[name]), WRITE_BATCH):
            part = rows[name][at : at + WRITE_BATCH]
            marks = ",".join("?" * len(part[0]))
            write.execute("BEGIN IMMEDIATE")
            write.executemany(f"INSERT INTO {name} VALUES ({marks})", part)
            write.execute("COMMIT")
    seconds = time.perf_counter() - start
    write.close()
    path.unlink()
    return seconds


def peak(template: Path, folder: Path, rows: int) -> float:
    """Peak Python memory in MB while taking in a stream of posts."""
    path = folder / "peak.db"
    shutil.copy(template, path)
    store = Store(f"sqlite:///{path}")
    stream = posts(rows)
    tracemalloc.start()
    while page := list(islice(stream, WRITE_BATCH)):
        with store.write() as session:
            ingest(session, [Incoming(p, [BrandHit(1)]) for p in page], live=False, now=NOW)
    found = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    store.close()
    path.unlink()
    return found


def main() -> None:
    """Print medians, the ratio and the memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = folder / "template.db"
        store = Store(f"sqlite:///{template}")
        store.upgrade()
        with store.write() as session:
            session.add(Brand(name="Bench", created_at=NOW))
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        store.close()
        ratios = []
        for run in range(options.runs):
            seconds, indexing, path = ours(template, folder, options.rows)
            peer = bare(template, folder, path)
            path.unlink()
            ratios.append(seconds / peer)
            print(
                f"run {run + 1}: ours {seconds:.1f} s ({options.rows / seconds:,.0f} posts/s), "
                f"bare executemany {peer:.1f} s, ratio {seconds / peer:.2f}; "
                f"text index afterwards {indexing:.1f} s"
            )
        print(f"median ratio {sorted(ratios)[len(ratios) // 2]:.2f} (limit 2.5)")
        small, large = (peak(template, folder, rows) for rows in (10_000, 30_000))
        print(f"peak memory: {small:.1f} MB at 10,000 posts, {large:.1f} MB at 30,000")


if __name__ == "__main__":
    main()
