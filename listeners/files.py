"""Files of posts: CSV, TSV, JSON Lines, Parquet, XLSX, read in flat memory.

``read_posts`` gives what an import stores, page by page, and writes what cannot be imported to
``<name>.rejects.csv`` with the reason. The rules are in docs/import.md.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from listeners import file_values as values
from listeners.file_columns import FLAGS, Columns, resolve
from listeners.file_values import LONGEST_TEXT, BadCell, TimeReader
from platforms.tables import Row, TableError, TableReader, TableWriter, open_table, restore
from store.posts import Post, PostAuthor

PAGE = 500
"""Posts of an ImportBatch at most: what one writing session should touch."""

_REPOST = re.compile(r"RT @\w+")
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class FileImport:
    """How to read one file; each field is an option of ``groundswell import``.

    ``brand`` is given to rows without a brand of their own. ``platform`` is where the posts come
    from and ``namespace`` the part of it that makes ids unique (docs/identity.md): leave both as
    they are for ids that are unique in all your files. ``zone`` is for times without an offset;
    ``day_first`` for 03/04/2026; ``time`` for files that have no times at all.
    """

    columns: Columns = field(default_factory=Columns)
    brand: str | None = None
    platform: str = "file"
    namespace: str = ""
    zone: ZoneInfo = _UTC
    day_first: bool | None = None
    time: datetime | None = None
    encoding: str | None = None
    delimiter: str | None = None
    rejects: Path | None = None


@dataclass(frozen=True, slots=True)
class ImportBatch:
    """A page of posts, each with the name of the brand it concerns.

    ``rejected`` counts the rows of this page that went to the rejects; ``damaged_lines`` all lines
    so far with bytes that the encoding does not know. ``bytes_read`` of ``bytes_total`` as the
    file lies on the disk.
    """

    rows: list[tuple[Post, str]]
    rejected: int
    bytes_read: int
    bytes_total: int
    damaged_lines: int = 0

    @property
    def progress(self) -> float:
        """The share of the file that has been read, 0 to 1."""
        return self.bytes_read / self.bytes_total if self.bytes_total else 1.0


def read_posts(
    path: Path,
    options: FileImport,
    *,
    now: datetime,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[ImportBatch]:
    """Yield the posts of a file, at most ``PAGE`` at a time, in the order of the file.

    ``on_progress`` is called with bytes read and bytes in all after every page. Raises TableError
    before the first page when the file or the columns do not fit, and at the place where a file
    is cut off.
    """
    with open_table(path, encoding=options.encoding, delimiter=options.delimiter) as table:
        columns = resolve(options.columns, table.columns, path.name)
        columns = _without_row_numbers(columns, options, path)
        _check(columns, options, path.name)
        reader = _PostReader(columns, options, now, is_rejects(path, table.columns))
        refused = options.rejects or rejects_path(path)
        if refused.exists() and refused.samefile(path):
            raise TableError("--rejects names the file that is imported; choose another name.")
        rejects = _Rejects(refused, table.columns)
        try:
            for chunk in table.chunks(PAGE):
                batch = _page(chunk, reader, rejects, table)
                if on_progress:
                    on_progress(batch.bytes_read, batch.bytes_total)
                yield batch
        finally:
            rejects.close()
            reader.close()


def rejects_path(path: Path) -> Path:
    """Where the rows go that could not be imported: beside the file."""
    name = path.name
    for ending in (".gz", ".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".xlsx"):
        name = name.removesuffix(ending)
    return path.with_name(f"{name}.rejects.csv")


def is_rejects(path: Path, present: list[str]) -> bool:
    """Whether a file is one that we wrote, corrected by a person and imported again."""
    return path.name.endswith(".rejects.csv") and present[:2] == ["row", "reason"]


def _page(
    chunk: list[Row], reader: _PostReader, rejects: _Rejects, table: TableReader
) -> ImportBatch:
    posts: list[tuple[Post, str]] = []
    rejected = 0
    for row in chunk:
        # Spreadsheets leave rows of nothing but delimiters at the end.
        if not row.problem and not any(cell not in ("", None) for cell in row.cells.values()):
            continue
        try:
            posts.append(reader.read(row))
        except BadCell as error:
            rejects.add(row, str(error))
            rejected += 1
    return ImportBatch(
        posts,
        rejected,
        int(table.progress * table.size),
        table.size,
        table.damaged_lines,
    )


def _check(columns: Columns, options: FileImport, file: str) -> None:
    if columns.brand is None and not options.brand:
        raise TableError(
            f"Which brand is {file} about? Give --brand NAME, or {FLAGS['brand']} where a column "
            "names it."
        )
    if columns.time is None and options.time is None:
        raise TableError(
            f"{file} has no column that looks like a time. Name it with {FLAGS['time']}, or give "
            "all rows the same moment with --time 2026-03-02T09:00:00+00:00."
        )
    if columns.platform is None:
        try:
            values.platform(options.platform)
        except BadCell as error:
            raise TableError(f"--platform: {str(error).removeprefix('platform: ')}.") from error


def _without_row_numbers(columns: Columns, options: FileImport, path: Path) -> Columns:
    """Drop a guessed id column that only numbers the rows: every such file would have the same.

    Where other rows refer to the numbers they are real ids.
    """
    if columns.id is None or options.columns.id is not None or columns.in_reply_to:
        return columns
    with open_table(path, encoding=options.encoding, delimiter=options.delimiter) as table:
        for chunk in table.chunks(PAGE):
            ids = [values.name(row.cells.get(columns.id)) for row in chunk if not row.problem]
            numbers = [str(n) for n in range(len(ids) + 1)]
            if ids in (numbers[:-1], numbers[1:]) and len(ids) > 1:
                return replace(columns, id=None)
            break
    return columns


class _PostReader:
    """Turns rows into posts; remembers how often a row without an id occurred."""

    def __init__(
        self, columns: Columns, options: FileImport, now: datetime, restoring: bool
    ) -> None:
        self.columns = columns
        self.options = options
        self.times = TimeReader(options.zone, now, options.day_first)
        self.restoring = restoring
        self.counted = {
            name: column
            for name in ("likes", "reposts", "replies", "views")
            if (column := getattr(columns, name))
        }
        self.occurrences = _Occurrences()
        self.platform = "" if columns.platform else values.platform(options.platform)
        self.moment = options.time.astimezone(UTC) if options.time else now

    def read(self, row: Row) -> tuple[Post, str]:
        """The post of a row and its brand's name. Raises BadCell."""
        if row.problem:
            raise BadCell(row.problem)
        cells = row.cells
        if self.restoring:
            cells = {key: restore(c) if isinstance(c, str) else c for key, c in cells.items()}
        text = values.words(self._cell(cells, "text"))
        if not text:
            raise BadCell("text: empty")
        brand = self._brand(cells)
        posted_at = self.times.read(self._cell(cells, "time")) if self.columns.time else self.moment
        direction: values.Direction = "inbound"
        if self.columns.direction:
            direction = values.direction(self._cell(cells, "direction"), self.columns.direction)
        parent = values.identity(self._cell(cells, "in_reply_to"), "in reply to") or None
        author = self._author(cells)
        platform = self.platform or values.platform(self._cell(cells, "platform"))
        external_id = values.identity(self._cell(cells, "id"), "id")
        parent = parent if parent != external_id else None
        if not external_id:
            told_time = posted_at.isoformat() if self.columns.time else ""
            external_id = self._made_up_id(
                (platform, text, told_time, author.external_id if author else "", direction,
                 parent or ""),
                brand,
            )  # fmt: skip
        conversation = values.identity(self._cell(cells, "conversation"), "conversation")
        post = Post(
            platform=platform,
            namespace=self.options.namespace,
            external_id=external_id,
            text=text[:LONGEST_TEXT],
            posted_at=posted_at,
            author=author,
            conversation=conversation or parent or external_id,
            in_reply_to=parent,
            direction=direction,
            kind=_kind(platform, text, parent),
            title=values.words(self._cell(cells, "title"))[:1_000],
            url=_link(self._cell(cells, "url")),
            language=values.language(self._cell(cells, "language")),
            engagement=self._engagement(cells),
        )
        return post, brand

    def close(self) -> None:
        self.occurrences.close()

    def _cell(self, cells: Mapping[str, Any], name: str) -> Any:
        column = getattr(self.columns, name)
        return cells.get(column) if column else None

    def _brand(self, cells: Mapping[str, Any]) -> str:
        brand = values.name(self._cell(cells, "brand")) or (self.options.brand or "").strip()
        if not brand:
            raise BadCell("brand: empty")
        if len(brand) > 200:
            raise BadCell("brand: longer than 200 characters")
        return brand

    def _author(self, cells: Mapping[str, Any]) -> PostAuthor | None:
        shown = values.name(self._cell(cells, "author_name"))
        key = values.identity(self._cell(cells, "author"), "author") or shown[:400]
        if not key:
            return None
        followers = values.count(self._cell(cells, "followers"))
        return PostAuthor(key, handle=key, name=(shown or key)[:400], followers=followers)

    def _engagement(self, cells: Mapping[str, Any]) -> dict[str, int]:
        found = {}
        for name, column in self.counted.items():
            number = values.count(cells.get(column))
            if number is not None:
                found[name] = number
        return found

    def _made_up_id(self, content: tuple[str, ...], brand: str) -> str:
        """A hash of the content and its occurrence, so that a second run finds the same rows.

        The occurrence is counted for each brand: one text listed under two brands is one mention
        that concerns both.
        """
        packed = json.dumps(content, ensure_ascii=False).encode()
        digest = hashlib.sha256(packed)
        occurrence = self.occurrences.count(hashlib.sha256(packed + b"\0" + brand.encode()))
        return f"row-{digest.hexdigest()[:40]}-{occurrence}"


class _Occurrences:
    """Counts how often a content occurred, in a temporary database that spills to the disk.

    A dictionary would grow with the file; here memory is bounded by the page cache.
    """

    def __init__(self) -> None:
        self._database: sqlite3.Connection | None = None

    def count(self, content: hashlib._Hash) -> int:
        """1 for the first occurrence, 2 for the second, …"""
        if self._database is None:
            self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA cache_size = -16384")
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("CREATE TABLE seen (content INTEGER PRIMARY KEY, times INTEGER)")
            self._database.execute("BEGIN")
        key = int.from_bytes(content.digest()[:8], "big", signed=True)
        row = self._database.execute(
            "INSERT INTO seen VALUES (?, 1) "
            "ON CONFLICT (content) DO UPDATE SET times = times + 1 RETURNING times",
            (key,),
        ).fetchone()
        return int(row[0])

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


class _Rejects:
    """The rows that could not be imported, with their number and the reason."""

    def __init__(self, path: Path, columns: list[str]) -> None:
        self._path = path
        self._own = ["row", "reason"]
        self._columns = [name for name in columns if name not in self._own]
        self._writer: TableWriter | None = None
        path.unlink(missing_ok=True)

    def add(self, row: Row, reason: str) -> None:
        if self._writer is None:
            self._writer = TableWriter(
                self._path, self._own + self._columns, safe_for_spreadsheets=True
            )
        cells = {name: row.cells.get(name) for name in self._columns}
        self._writer.write([{"row": row.number, "reason": reason, **cells}])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _kind(platform: str, text: str, parent: str | None) -> str:
    if platform == "email":
        return "email"
    if platform == "rss":
        return "article"
    if _REPOST.match(text):
        return "repost"
    return "reply" if parent else "post"


def _link(value: Any) -> str | None:
    text = values.name(value)
    return text if re.match(r"https?://", text, re.IGNORECASE) and len(text) <= 2_000 else None
