"""CSV and TSV: delimiter, header, and rows even where quotes are broken."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from platforms.tables.base import Row, TableError, unique_names
from platforms.tables.encodings import LONGEST_LINE, LineReader

_DELIMITERS = (",", "\t", ";", "|")
_PEEK_LINES = 200
_PEEK_CHARACTERS = 2**17
_RECORD_LINES = 1_000  # a quotation that spans more was never closed
_RECORD_CHARACTERS = 2**20

# The csv module's own limit (131,072) is one for the whole process; ours is the line's.
csv.field_size_limit(LONGEST_LINE + 1)


class _Pushback:
    """Lines that can be given back, so that a record that went wrong is read differently."""

    def __init__(self, lines: LineReader) -> None:
        self._lines = iter(lines)
        self._again: deque[str | None] = deque()
        self.taken: list[str] = []
        self._characters = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        many = len(self.taken) > 1 and self._characters >= _RECORD_CHARACTERS
        if many or len(self.taken) >= _RECORD_LINES:
            raise _NeverClosed
        line = self._again.popleft() if self._again else next(self._lines)
        if line is None:
            raise _TooLong
        self.taken.append(line)
        self._characters += len(line)
        return line

    def forget(self) -> None:
        """A record is complete."""
        self.taken = []
        self._characters = 0

    def give_back(self, keep: int, too_long: bool = False) -> None:
        """Give all lines of the record back but the first ``keep``, and the one that failed."""
        if too_long:
            self._again.appendleft(None)
        self._again.extendleft(reversed(self.taken[keep:]))
        self.forget()


class _NeverClosed(Exception):
    pass


class _TooLong(Exception):
    pass


class DelimitedReader:
    """A CSV or TSV file. ``delimiter`` None means that it is detected."""

    def __init__(self, lines: LineReader, name: str, delimiter: str | None) -> None:
        self._lines = lines
        self._source = _Pushback(lines)
        sample = self._peek()
        if not any(line.strip() for line in sample):
            raise TableError(f"{name} has no header line.")
        self.delimiter = delimiter or detect_delimiter(sample)
        if len(self.delimiter) != 1:
            raise TableError("--delimiter: give one character.")
        self._number = 0
        self._width = 0  # cells of the header
        header = self._header(name)
        while header and not header[-1].strip():
            header.pop()
        self.columns = unique_names(header)

    def _peek(self) -> list[str]:
        sample: list[str] = []
        characters = 0
        try:
            for line in islice(self._source, _PEEK_LINES):
                sample.append(line)
                characters += len(line)
                if characters > _PEEK_CHARACTERS:
                    break
        except _TooLong:
            self._source.give_back(0, too_long=True)
        except _NeverClosed:
            self._source.give_back(0)
        else:
            self._source.give_back(0)
        return sample

    def _header(self, name: str) -> list[str]:
        for cells, problem in self._records():
            self._number += 1
            if problem:
                raise TableError(f"{name}: the header line cannot be read ({problem}).")
            if any(cell.strip() for cell in cells):
                return [cell.removeprefix("\ufeff") for cell in cells]
        raise TableError(f"{name} has no header line.")

    def _records(self) -> Iterator[tuple[list[str], str]]:
        """Yield each record's cells, or the raw first line with its problem."""
        reader = self._strict_reader()
        while True:
            self._source.forget()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except _TooLong:
                reader = self._strict_reader()
                yield [], "the line is too long to be a row"
                continue
            except (_NeverClosed, csv.Error):
                cells = []
            taken = self._source.taken
            if cells and (not self._width or len(cells) == self._width or len(taken) == 1):
                self._width = self._width or len(cells)
                yield cells, ""
            elif taken and not taken[0].strip():
                yield [], ""
            else:
                first, alone = taken[0], len(taken) == 1
                self._source.give_back(1)
                reader = self._strict_reader()
                yield self._mended(first, alone)

    def _strict_reader(self) -> Iterator[list[str]]:
        return csv.reader(self._source, delimiter=self.delimiter, strict=True)

    def _mended(self, line: str, alone: bool) -> tuple[list[str], str]:
        """What can be made of a line whose quotation marks do not fit."""
        plain = line.rstrip("\r\n").split(self.delimiter)
        if self.delimiter == "\t" and len(plain) == self._width:
            # Many programs write TSV without quoting: a quotation mark is just text there.
            return plain, ""
        if alone and line.count('"') % 2 == 0:
            loose = next(csv.reader([line], delimiter=self.delimiter), [])
            if len(loose) == self._width:
                return loose, ""
        return [line], "a quotation mark is opened and not closed"

    def rows(self) -> Iterator[Row]:
        width = len(self.columns)
        for cells, problem in self._records():
            self._number += 1
            if problem:
                yield Row(self._number, {self.columns[0]: "".join(cells).rstrip()}, problem)
            elif not cells:
                continue
            elif any(cells[width:]):
                yield Row(
                    self._number,
                    dict(zip(self.columns, cells, strict=False)),
                    f"{len(cells)} cells, but the header has {width}",
                )
            else:
                cells += [""] * (width - len(cells))
                yield Row(self._number, dict(zip(self.columns, cells, strict=False)))

    def progress(self) -> float:
        return self._lines.progress()

    def close(self) -> None:
        self._lines.close()


def detect_delimiter(sample: Sequence[str]) -> str:
    """The delimiter under which the sample's records agree best with its header line.

    A comma where nothing fits better (a file of one column).
    """
    best, best_score = ",", 0.0
    for candidate in _DELIMITERS:
        try:
            records = [cells for cells in csv.reader(sample, delimiter=candidate) if cells]
        except csv.Error:
            continue
        width = len(records[0]) if records else 0
        if width < 2:
            continue
        agreeing = sum(len(cells) == width for cells in records) / len(records)
        if agreeing > best_score + 0.001:
            best, best_score = candidate, agreeing
    return best
