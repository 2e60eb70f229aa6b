"""Reading tables in chunks.

One small reader per format, all alike: ``columns`` is known once it is open, ``rows`` yields.
"""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, cast
from xml.etree.ElementTree import ParseError

import openpyxl
import pyarrow
import pyarrow.parquet

from platforms.tables.base import Row, TableError, format_of, unique_names
from platforms.tables.delimited import DelimitedReader
from platforms.tables.encodings import LineReader, detect_encoding

CHUNK = 500
"""Rows of a chunk unless told otherwise: what one writing session should touch at most."""

_PEEK = 1_000  # lines of a JSON Lines file that are looked at for its columns
_XLSX_MOST = 4 * 2**30  # bytes unpacked; beyond it is no spreadsheet but a zip bomb


class _Format(Protocol):
    columns: list[str]

    def rows(self) -> Iterator[Row]: ...

    def progress(self) -> float: ...

    def close(self) -> None: ...


class TableReader:
    """An open table. ``columns`` are the names in the order of the file.

    Iterate ``chunks``; ``progress`` goes from 0 to 1 meanwhile. ``damaged_lines`` counts lines
    with bytes that the encoding does not know (they are read with � in their place).
    """

    def __init__(self, path: Path, kind: str, reader: _Format, lines: LineReader | None) -> None:
        self.path = path
        self.kind = kind
        self.size = path.stat().st_size
        self.columns = reader.columns
        self.encoding = lines.encoding if lines else ""
        self._reader = reader
        self._lines = lines

    @property
    def progress(self) -> float:
        """The share of the file that has been read, 0 to 1."""
        return min(1.0, self._reader.progress())

    @property
    def damaged_lines(self) -> int:
        """Lines read so far that held bytes which the encoding does not know."""
        return self._lines.damaged if self._lines else 0

    def chunks(self, size: int = CHUNK) -> Iterator[list[Row]]:
        """Yield the rows, ``size`` at a time. Once only.

        Raises TableError when the file turns out to be cut off or damaged; all rows before that
        place have been yielded by then.
        """
        chunk: list[Row] = []
        try:
            for row in self._reader.rows():
                chunk.append(row)
                if len(chunk) >= size:
                    yield chunk
                    chunk = []
        except _DAMAGE as error:
            if chunk:
                yield chunk
            raise TableError(
                f"{self.path.name} is cut off or damaged; everything before that place was read. "
                f"Get the file once more. ({error})"
            ) from error
        if chunk:
            yield chunk

    def all_columns(self) -> list[str]:
        """``columns``, and in JSON Lines also the keys that first appear further down.

        Reads a JSON Lines file once more from its beginning; costs nothing for other formats.
        """
        if self.kind != "jsonl":
            return self.columns
        names = dict.fromkeys(self.columns)
        with open_table(self.path, encoding=self.encoding) as again:
            for chunk in again.chunks():
                for row in chunk:
                    names.update(dict.fromkeys(row.cells))
        return list(names)

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._reader.close()

    def __enter__(self) -> TableReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_table(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None
) -> TableReader:
    """Open a table by its file name.

    ``encoding`` (of text formats) and ``delimiter`` (of CSV) are detected unless given. Raises
    TableError when the file is not there, is empty, is not what its name says or has no header.
    """
    kind = format_of(path)
    if not path.is_file():
        raise TableError(f"{path}: there is no such file.")
    if path.stat().st_size == 0:
        raise TableError(f"{path.name} is empty.")
    lines: LineReader | None = None
    try:
        if kind == "parquet":
            return TableReader(path, kind, _Parquet(path), None)
        if kind == "xlsx":
            return TableReader(path, kind, _Xlsx(path), None)
        lines = _open_lines(path, encoding)
        reader: _Format
        if kind == "jsonl":
            reader = _JsonLines(lines)
        else:
            reader = DelimitedReader(lines, path.name, "\t" if kind == "tsv" else delimiter)
        return TableReader(path, kind, reader, lines)
    except PermissionError as error:
        raise TableError(f"{path}: this user may not read the file.") from error
    except (*_DAMAGE, pyarrow.ArrowException, zipfile.BadZipFile, KeyError) as error:
        if lines:
            lines.close()
        raise TableError(
            f"{path.name} is not a {kind.upper()} file, or it is damaged: {error}"
        ) from error
    except TableError:
        if lines:
            lines.close()
        raise


def _open_lines(path: Path, encoding: str | None) -> LineReader:
    raw = path.open("rb")
    try:
        packed = path.name.lower().endswith(".gz")
        chosen = encoding or detect_encoding(path, packed)
        content = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        return LineReader(content, raw, path.stat().st_size, chosen)
    except BaseException:
        raw.close()
        raise


class _JsonLines:
    def __init__(self, lines: LineReader) -> None:
        self._lines = lines
        self._numbered = enumerate(lines, 1)
        self._peeked = list(islice(self._parsed(), _PEEK))
        names: dict[str, None] = {}
        for row in self._peeked:
            names.update(dict.fromkeys(row.cells))
        self.columns = list(names)
        if not names:
            raise TableError(
                "No line of the file's beginning is a JSON object. JSON Lines has one object such "
                'as {"text": "…"} on each line.'
            )

    def _parsed(self) -> Iterator[Row]:
        for number, line in self._numbered:
            if line is None:
                yield Row(number, {}, "the line is too long to be a row")
            elif line.strip():
                yield _json_row(number, line)

    def rows(self) -> Iterator[Row]:
        yield from self._peeked
        self._peeked = []
        yield from self._parsed()

    def progress(self) -> float:
        return self._lines.progress()

    def close(self) -> None:
        self._lines.close()


def _json_row(number: int, line: str) -> Row:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Row(number, {}, f"the line is not JSON: {error}"[:300])
    if not isinstance(value, dict):
        return Row(number, {}, "the line is JSON but no object with names and values")
    return Row(number, cast(Mapping[str, Any], value))


class _Parquet:
    def __init__(self, path: Path) -> None:
        self._file = pyarrow.parquet.ParquetFile(path, memory_map=False, pre_buffer=False)
        self.columns = [str(name) for name in self._file.schema_arrow.names]
        self._total = self._file.metadata.num_rows
        self._read = 0

    def rows(self) -> Iterator[Row]:
        for batch in self._file.iter_batches(batch_size=CHUNK):
            for cells in batch.to_pylist():
                self._read += 1
                yield Row(self._read, cells)

    def progress(self) -> float:
        return self._read / self._total if self._total else 1.0

    def close(self) -> None:
        self._file.close()


class _Xlsx:
    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as packed:
            if sum(part.file_size for part in packed.infolist()) > _XLSX_MOST:
                raise TableError(f"{path.name} unpacks to more than 4 GB. Save it as CSV instead.")
        self._book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheet = self._book.worksheets[0]
        self._total = sheet.max_row or 0
        self._number = 0
        self._cells = sheet.iter_rows(values_only=True)
        header: tuple[Any, ...] = ()
        for header in self._cells:
            self._number += 1
            if any(cell not in (None, "") for cell in header):
                break
        named = [str(cell).strip() if cell is not None else "" for cell in header]
        while named and not named[-1]:
            named.pop()
        if not named:
            raise TableError(f"{path.name}: the first sheet is empty.")
        self.columns = unique_names(named)

    def rows(self) -> Iterator[Row]:
        for cells in self._cells:
            self._number += 1
            if any(cell not in (None, "") for cell in cells):
                yield Row(self._number, dict(zip(self.columns, cells, strict=False)))

    def progress(self) -> float:
        return self._number / self._total if self._total else 0.0

    def close(self) -> None:
        self._book.close()


_DAMAGE = (
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    zipfile.BadZipFile,
    ParseError,
    UnicodeError,
    pyarrow.ArrowException,
)
