from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openpyxl
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platforms.tables import TableError, TableWriter, neutralise, open_table, restore

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {"id": 1, "text": '好喝 ☕, "really"\nyes', "score": 0.25, "ok": True, "at": NOW},
    {"id": 2, "text": None, "score": None, "ok": False, "at": None},
]


def write(path: Path, rows: list[dict[str, Any]], columns: list[str], **options: Any) -> None:
    with TableWriter(path, columns, **options) as table:
        table.write(rows)


@pytest.mark.parametrize(
    "name",
    ["a.csv", "a.csv.gz", "a.tsv", "a.jsonl", "a.jsonl.gz", "a.ndjson", "a.parquet", "a.xlsx"],
)
def test_what_is_written_can_be_read_again(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, ROWS, list(ROWS[0]))
    with open_table(tmp_path / name) as table:
        rows = [row.cells for chunk in table.chunks() for row in chunk]
        assert table.columns == ["id", "text", "score", "ok", "at"]
    assert rows[0]["text"] == ROWS[0]["text"]
    assert [str(row["id"]) for row in rows] == ["1", "2"]
    assert float(rows[0]["score"]) == 0.25
    assert rows[1]["text"] in (None, "")
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_parquet_has_types_and_utc_times(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", ROWS, list(ROWS[0]))
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert [str(kind) for kind in table.schema.types] == [
        "int64",
        "string",
        "double",
        "bool",
        "timestamp[us, tz=UTC]",
    ]
    assert table.to_pylist() == ROWS


def test_a_parquet_column_widens_when_a_late_value_does_not_fit(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"n": n, "m": None, "k": n} for n in range(25_000)]
    rows[15_000] = {"n": 0.5, "m": "late", "k": "words"}
    write(tmp_path / "a.parquet", rows, ["n", "m", "k"])
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert [str(kind) for kind in table.schema.types] == ["double", "string", "string"]
    assert table.num_rows == 25_000
    assert table["n"][15_000].as_py() == 0.5
    assert table["m"][15_000].as_py() == "late"
    assert [table["k"][place].as_py() for place in (7, 15_000, 24_999)] == ["7", "words", "24999"]
    assert list(tmp_path.iterdir()) == [tmp_path / "a.parquet"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("@northlight hi", "'@northlight hi"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("＝1+1", "'＝1+1"),
        ("-5", "-5"),
        ("+4.5e3", "+4.5e3"),
        ("plain = text", "plain = text"),
        ("'quoted", "'quoted"),
        ("", ""),
    ],
)
def test_what_a_spreadsheet_would_run_is_made_text(cell: str, expected: str) -> None:
    assert neutralise(cell) == expected
    assert restore(expected) == cell


def test_safe_csv_is_harmless_and_numbers_stay_numbers(tmp_path: Path) -> None:
    rows = [{"text": "=1+1", "n": -5, "p": 0.5}, {"text": "a;=2", "n": 3, "p": -1.0}]
    write(tmp_path / "a.csv", rows, ["text", "n", "p"], safe_for_spreadsheets=True)
    assert (tmp_path / "a.csv").read_text() == ('"text","n","p"\n"\'=1+1",-5,0.5\n"a;=2",3,-1.0\n')


def test_safe_xlsx_holds_text_and_no_formula_and_no_link(tmp_path: Path) -> None:
    rows = [{"text": "=1+1", "n": -5}, {"text": "https://x.test", "n": 2.5}]
    write(tmp_path / "a.xlsx", rows, ["text", "n"], safe_for_spreadsheets=True)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert sheet is not None
    assert [(cell.value, cell.data_type) for cell in sheet["A"]] == [
        ("text", "s"),
        ("'=1+1", "s"),
        ("https://x.test", "s"),
    ]
    assert sheet["A3"].hyperlink is None
    assert [cell.value for cell in sheet["B"]] == ["n", -5, 2.5]


def test_unsafe_writing_changes_no_cell(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [{"text": "=1+1"}], ["text"])
    with (tmp_path / "a.csv").open() as file:
        assert list(csv.reader(file)) == [["text"], ["=1+1"]]


def test_an_xlsx_keeps_long_ids_exact_and_cuts_a_cell_that_excel_cannot_hold(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.xlsx", [{"id": 1234567890123456789, "t": "y" * 40_000}], ["id", "t"])
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert sheet is not None
    assert sheet["A2"].value == "1234567890123456789"
    assert len(sheet["B2"].value) == 32_767


def test_json_lines_hold_no_number_that_json_does_not_know(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"p": float("nan"), "at": NOW, "t": "\ud800x"}], ["p", "at", "t"])
    line = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    assert json.loads(line) == {"p": None, "at": "2026-03-02T09:00:00+00:00", "t": "?x"}


def test_a_value_without_a_column_is_an_error_and_not_dropped(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no column for extra"):
        write(tmp_path / "a.csv", [{"text": "a", "extra": 1}], ["text"])


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.parquet", "a.xlsx"])
def test_a_failure_half_way_leaves_the_old_file_as_it_was(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    with pytest.raises(RuntimeError), TableWriter(tmp_path / name, ["n"]) as table:
        table.write([{"n": 1}])
        raise RuntimeError
    assert (tmp_path / name).read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.xlsx"])
def test_no_rows_make_a_file_with_its_columns_only(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, [], ["n", "m"])
    if name == "a.jsonl":
        assert (tmp_path / name).read_text() == ""
        return
    with open_table(tmp_path / name) as table:
        assert table.columns == ["n", "m"]
        assert list(table.chunks()) == []


def test_the_same_rows_give_the_same_packed_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        write(folder / "x.csv.gz", ROWS, list(ROWS[0]))
    assert (tmp_path / "a/x.csv.gz").read_bytes() == (tmp_path / "b/x.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a/x.csv.gz").read_bytes()).startswith(b"id,text")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"cannot be written: No such file or directory"):
        TableWriter(tmp_path / "no" / "a.csv", ["n"])


_cells = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
) | st.sampled_from(['"', '""', "a\r\nb", "\r", "\n", "\t", ",", ";", "'", "=1", "\ufeff", " "])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(_cells, _cells, _cells), max_size=6),
    st.sampled_from(["csv", "tsv", "jsonl", "csv.gz", "parquet"]),
)
def test_any_text_comes_back_as_it_was(rows: list[tuple[str, str, str]], ending: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{ending}"
        names = ["first", "second", "third"]
        write(path, [dict(zip(names, row, strict=True)) for row in rows], names)
        if ending == "jsonl" and not rows:
            return
        with open_table(path, encoding=None if ending == "parquet" else "utf-8") as table:
            found = [row for chunk in table.chunks() for row in chunk]
        assert [row.problem for row in found] == [""] * len(rows)
        assert [tuple(row.cells[name] for name in names) for row in found] == rows
