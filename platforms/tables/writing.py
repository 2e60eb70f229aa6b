"""Writing tables in chunks, whole or not at all.

A file appears under its name when it is complete; until then it is ``<name>.part``.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, TextIO, cast

import pyarrow
import pyarrow.parquet
import xlsxwriter
from xlsxwriter.exceptions import XlsxFileError

from platforms.tables.base import TableError, format_of

_GROUP = 10_000  # rows of a Parquet row group
_XLSX_ROWS = 1_048_576
_XLSX_CELL = 32_767
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?%?")


def neutralise(cell: str) -> str:
    """The cell with an apostrophe before it where a spreadsheet would take it for a formula.

    Text that is just a number stays. See https://owasp.org/www-community/attacks/CSV_Injection.
    """
    if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def restore(cell: str) -> str:
    """The cell as it was before ``neutralise``."""
    if cell.startswith("'") and cell[1:].startswith(_FORMULA) and not _NUMBER.fullmatch(cell[1:]):
        return cell[1:]
    return cell


class _Format(Protocol):
    def write(self, row: Sequence[Any]) -> None: ...

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


class TableWriter:
    """A table being written, in the format of its file name.

    Values may be None, text, numbers, truth values, dates, aware times, lists and dicts. Times are
    written in ISO 8601, in Parquet as timestamps; lists and dicts as JSON in CSV, TSV and XLSX.
    ``safe_for_spreadsheets`` neutralises formulas in CSV, TSV and XLSX. Leaving the ``with`` block
    by an exception leaves neither a new file nor a change to an old one.
    """

    def __init__(
        self, path: Path, columns: Sequence[str], *, safe_for_spreadsheets: bool = False
    ) -> None:
        self.path = path
        self.columns = list(columns)
        self.written = 0
        self._known = frozenset(self.columns)
        self._part = path.with_name(path.name + ".part")
        kind = format_of(path)
        if len(self._known) < len(self.columns):
            raise TableError(f"{path.name}: a column name occurs twice in {self.columns}.")
        try:
            self._format = self._open(
                kind, path.name.lower().endswith(".gz"), safe_for_spreadsheets
            )
        except OSError as error:
            raise TableError(f"{path} cannot be written: {error.strerror}.") from error

    def _open(self, kind: str, packed: bool, safe: bool) -> _Format:
        if kind == "parquet":
            return _Parquet(self._part, self.columns)
        if kind == "xlsx":
            return _Xlsx(self._part, self.columns, safe)
        text = _open_text(self._part, packed)
        if kind == "jsonl":
            return _JsonLines(text, self.columns)
        return _Delimited(text, self.columns, "\t" if kind == "tsv" else ",", safe)

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows. A column that a row does not have stays empty.

        Raises TableError for a value under an unknown column (nothing is dropped silently), and
        when the disk is full or the format can hold no more rows.
        """
        for row in rows:
            if not row.keys() <= self._known:
                extra = sorted(set(row) - self._known)
                raise TableError(f"{self.path.name} has no column for {', '.join(extra)}.")
            try:
                self._format.write([row.get(name) for name in self.columns])
            except OSError as error:
                raise TableError(f"{self.path} cannot be written: {error.strerror}.") from error
            self.written += 1

    def close(self) -> None:
        """Complete the file and put it under its name."""
        try:
            self._format.finish()
            os.replace(self._part, self.path)
        except OSError as error:
            self.abandon()
            raise TableError(f"{self.path} cannot be written: {error}.") from error

    def abandon(self) -> None:
        """Give up and remove what was written."""
        self._format.abandon()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()


def _open_text(path: Path, packed: bool) -> TextIO:
    if packed:
        # mtime 0: the same rows give the same bytes.
        zipped = gzip.GzipFile(path, "wb", compresslevel=6, mtime=0)
        return io.TextIOWrapper(zipped, encoding="utf-8", errors="replace", newline="")
    return path.open("w", encoding="utf-8", errors="replace", newline="")


def _as_text(value: Any) -> Any:
    """A value for a cell of text: numbers stay numbers."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


class _PlainEnds:
    """Takes lines that end in CR LF and writes them with LF.

    csv.writer only quotes a cell with a CR in it when lines are to end in one.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text

    def write(self, line: str) -> int:
        return self._text.write(line.removesuffix("\r\n") + "\n")


class _Delimited:
    def __init__(self, text: TextIO, columns: list[str], delimiter: str, safe: bool) -> None:
        self._text = text
        self._safe = safe
        # Everything quoted: a spreadsheet set to another delimiter must not cut a cell in two.
        quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if safe else csv.QUOTE_MINIMAL
        self._writer = csv.writer(
            _PlainEnds(text), delimiter=delimiter, quoting=quoting, lineterminator="\r\n"
        )
        self.write(columns)

    def write(self, row: Sequence[Any]) -> None:
        cells = [_as_text(value) for value in row]
        if self._safe:
            cells = [neutralise(cell) if isinstance(cell, str) else cell for cell in cells]
        self._writer.writerow(cells)

    def finish(self) -> None:
        self._text.close()

    def abandon(self) -> None:
        self._text.close()


class _JsonLines:
    def __init__(self, text: TextIO, columns: list[str]) -> None:
        self._text = text
        self._columns = columns

    def write(self, row: Sequence[Any]) -> None:
        cells = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in zip(self._columns, row, strict=True)
        }
        line = json.dumps(cells, ensure_ascii=False, default=_as_text)
        self._text.write(line + "\n")

    def finish(self) -> None:
        self._text.close()

    def abandon(self) -> None:
        self._text.close()


class _Xlsx:
    def __init__(self, path: Path, columns: list[str], safe: bool) -> None:
        path.touch()
        self._path = path
        self._safe = safe
        self._book = xlsxwriter.Workbook(
            str(path),
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "nan_inf_to_errors": True,
            },
        )
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._next = 0
        self.write(columns)

    def write(self, row: Sequence[Any]) -> None:
        if self._next >= _XLSX_ROWS:
            raise TableError(
                f"A spreadsheet ends at row {_XLSX_ROWS:,}. Choose a name that ends in .csv or "
                ".parquet, or a shorter period."
            )
        for column, value in enumerate(row):
            cell = _as_text(value)
            if isinstance(cell, str):
                cell = neutralise(cell) if self._safe else cell
                if len(cell) > _XLSX_CELL:
                    cell = cell[: _XLSX_CELL - 1] + "…"
                if cell:
                    self._sheet.write_string(self._next, column, cell)
            elif isinstance(cell, int) and abs(cell) > 2**53:
                self._sheet.write_string(self._next, column, str(cell))
            else:
                self._sheet.write_number(self._next, column, cell)
        self._next += 1

    def finish(self) -> None:
        try:
            self._book.close()
        except XlsxFileError as error:
            raise OSError(str(error)) from error

    def abandon(self) -> None:
        # Only closing removes the temporary files that hold the rows.
        with suppress(OSError):
            self.finish()


class _Parquet:
    """Types follow the first rows; a later value that does not fit widens its column."""

    def __init__(self, path: Path, columns: list[str]) -> None:
        path.touch()
        self._path = path
        self._columns = columns
        self._waiting: list[Sequence[Any]] = []
        self._types: list[pyarrow.DataType] | None = None
        self._writer: pyarrow.parquet.ParquetWriter | None = None

    def write(self, row: Sequence[Any]) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        held = self._types or [pyarrow.null()] * len(self._columns)
        arrays = [
            _array([row[place] for row in self._waiting], held[place])
            for place in range(len(self._columns))
        ]
        types = [array.type for array in arrays]
        if self._writer is None:
            self._start(types)
        elif types != self._types:
            self._widen(types)
        assert self._writer is not None
        self._writer.write_table(pyarrow.table(arrays, names=self._columns))
        self._waiting = []

    def _start(self, types: list[pyarrow.DataType]) -> None:
        schema = pyarrow.schema(list(zip(self._columns, types, strict=True)))
        self._writer = pyarrow.parquet.ParquetWriter(self._path, schema)
        self._types = types

    def _widen(self, types: list[pyarrow.DataType]) -> None:
        assert self._writer is not None
        self._writer.close()
        narrow = self._path.with_name(self._path.name + ".narrow")
        os.replace(self._path, narrow)
        try:
            self._start(types)
            with pyarrow.parquet.ParquetFile(narrow) as file:
                for batch in file.iter_batches(batch_size=_GROUP):
                    arrays = [
                        _array(column.to_pylist(), wanted)
                        for column, wanted in zip(batch.columns, types, strict=True)
                    ]
                    self._writer.write_table(pyarrow.table(arrays, names=self._columns))
        finally:
            narrow.unlink()

    def finish(self) -> None:
        if self._waiting or self._writer is None:
            self._flush()
        assert self._writer is not None
        self._writer.close()

    def abandon(self) -> None:
        if self._writer is not None:
            self._writer.close()


_TIME = pyarrow.timestamp("us", tz="UTC")


def _array(values: list[Any], held: pyarrow.DataType) -> pyarrow.Array:
    """The values in the column's type, or in the narrowest one that takes both."""
    types = [held]
    if held == pyarrow.null():
        types = _candidates(values)
    elif held == pyarrow.int64():
        types.append(pyarrow.float64())
    kinds = {type(value) for value in values if value is not None}
    for wanted in types:
        if wanted == pyarrow.int64() and not kinds <= {int}:
            continue  # Arrow would cut the fractions off without a word
        try:
            return pyarrow.array(values, type=wanted)
        except (pyarrow.ArrowException, TypeError, ValueError, OverflowError):
            continue
    words = [None if value is None else str(_as_text(value)) for value in values]
    clean = [word and word.encode("utf-8", "replace").decode() for word in words]
    return pyarrow.array(clean, type=pyarrow.string())


def _candidates(values: list[Any]) -> list[pyarrow.DataType]:
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return [pyarrow.null()]
    if kinds == {str}:
        return [pyarrow.string()]
    if kinds == {bool}:
        return [pyarrow.bool_()]
    if kinds <= {int, float}:
        return [pyarrow.int64(), pyarrow.float64()] if kinds == {int} else [pyarrow.float64()]
    if all(isinstance(value, datetime) and value.tzinfo for value in values if value is not None):
        return [_TIME]
    try:
        return [cast(pyarrow.DataType, pyarrow.infer_type(values))]
    except (pyarrow.ArrowException, TypeError, ValueError):
        return []
