"""Peak memory of reading an import file: a ten times longer one must not need more.

    python benchmarks/bench_import_memory.py [--megabytes 50 500] [--format csv]

Writes files of posts without an id column (the dearer case: every row's occurrences are counted),
reads each in a process of its own through ``listeners.files.read_posts``, and prints rows, seconds
and the peak of resident memory. Exit code 1 when the longest file needs more than 1.3 times the
memory of the shortest.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from listeners.files import FileImport, read_posts

GROWTH = 1.3
NOW = datetime(2026, 11, 1, tzinfo=UTC)
HEADER = "author,created_at,text\n"


def lines() -> Iterator[str]:
    """Rows of about 150 bytes in two languages; every tenth text occurs before."""
    chance = random.Random(7)
    words = ["the", "order", "has", "not", "come", "nobody", "answers", "订单", "还没到", "客服"]
    number = 0
    while True:
        text = " ".join(chance.choices(words, k=20))
        if number % 10 == 0:
            text = "where is my order"
        minute = number // 60 % 60
        yield f'user{number % 50_021},2026-10-{1 + number % 28:02d}T10:{minute:02d}:00Z,"{text}"\n'
        number += 1


def write(path: Path, megabytes: int) -> None:
    """A file of so many megabytes of text (before packing)."""
    packed = path.suffix == ".gz"
    with gzip.open(path, "wt", encoding="utf-8") if packed else path.open("w") as file:
        file.write(HEADER)
        written = 0
        for line in lines():
            file.write(line)
            written += len(line.encode())
            if written >= megabytes * 2**20:
                return


def read(path: Path) -> dict[str, float]:
    """Read a file to its end; what it took."""
    began = time.perf_counter()
    rows = sum(len(page.rows) for page in read_posts(path, FileImport(brand="Bench"), now=NOW))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    return {"rows": rows, "seconds": time.perf_counter() - began, "peak_mb": peak * unit / 2**20}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--format", choices=["csv", "csv.gz", "tsv"], default="csv")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        print(json.dumps(read(given.read)))
        return 0
    peaks = []
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        for megabytes in sorted(given.megabytes):
            path = Path(folder) / f"{megabytes}.{given.format}"
            write(path, megabytes)
            answer = subprocess.run(
                [sys.executable, __file__, "--read", str(path)],
                check=True,
                capture_output=True,
                text=True,
                cwd=root,
                env={**os.environ, "PYTHONPATH": str(root)},
            )
            found = json.loads(answer.stdout)
            path.unlink()
            peaks.append(found["peak_mb"])
            print(
                f"{megabytes:>6} MB  {found['rows']:>10,.0f} rows  {found['seconds']:>7.1f} s  "
                f"{megabytes / found['seconds']:>5.1f} MB/s  peak {found['peak_mb']:.0f} MB"
            )
    growth = peaks[-1] / peaks[0]
    print(f"The longest needs {growth:.2f} times the memory of the shortest (at most {GROWTH}).")
    return 0 if growth <= GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
