"""What reading and writing tables have in common: rows, file names, the error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class TableError(Exception):
    """A table that cannot be read or written; the text says what to do about it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    ``number`` is where a person finds it: the row as a spreadsheet counts (the header is 1) in CSV,
    TSV and XLSX; the line in JSON Lines; counted from 1 in Parquet. ``cells`` has text in CSV and
    TSV and the file's own types elsewhere. ``problem`` says why the row could not be read as
    written; then ``cells`` holds what could.
    """

    number: int
    cells: Mapping[str, Any]
    problem: str = ""


FORMATS = (
    ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz",
    ".parquet", ".xlsx",
)  # fmt: skip
"""The endings of file names that can be read and written."""


def format_of(path: Path) -> str:
    """The format by file name: ``csv``, ``tsv``, ``jsonl``, ``parquet`` or ``xlsx``.

    Raises TableError for any other ending.
    """
    name = path.name.lower()
    for ending in FORMATS:
        if name.endswith(ending):
            kind = ending.removesuffix(".gz").removeprefix(".")
            return "jsonl" if kind == "ndjson" else kind
    hint = ""
    if name.endswith(".xls"):
        hint = " Save the old Excel file as .xlsx first."
    elif name.endswith(".json"):
        hint = " One JSON object on each line, named .jsonl, can be read."
    raise TableError(
        f"{path.name}: files are read and written by their ending, one of {', '.join(FORMATS)}."
        + hint
    )


def unique_names(names: Iterable[str]) -> list[str]:
    """Column names without doubles: a second ``text`` is ``text (2)``, an empty one ``column 3``.

    >>> unique_names(["text", "", "text"])
    ['text', 'column 2', 'text (2)']
    """
    found: dict[str, None] = {}
    for position, given in enumerate(names, 1):
        name = given.strip() or f"column {position}"
        candidate, serial = name, 1
        while candidate in found:
            serial += 1
            candidate = f"{name} ({serial})"
        found[candidate] = None
    return list(found)
