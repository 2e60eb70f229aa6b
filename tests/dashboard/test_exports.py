"""Exports say what they hold, hold the same in both forms, and run nothing."""

from __future__ import annotations

import csv
import io

from openpyxl import load_workbook

from dashboard.exports import Sheet, as_csv, as_xlsx

SHEET = Sheet(
    "Trends",
    [("Brand", "=cmd|' /C calc'!A0"), ("Mentions", "3")],
    ["From", "Mentions", "Note"],
    [["2026-03-01", 3, "=1+1"], ["2026-03-02", 0, None]],
)


def test_a_csv_opens_in_a_spreadsheet_with_its_chinese_and_without_formulas() -> None:
    made = as_csv(SHEET)
    assert made.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(made.decode("utf-8-sig"))))
    assert rows == [
        ["Brand", "'=cmd|' /C calc'!A0"],
        ["Mentions", "3"],
        [],
        ["From", "Mentions", "Note"],
        ["2026-03-01", "3", "'=1+1"],
        ["2026-03-02", "0", ""],
    ]


def test_an_xlsx_holds_numbers_as_numbers_and_formulas_as_text() -> None:
    page = load_workbook(io.BytesIO(as_xlsx(SHEET))).active
    assert page is not None
    rows = [list(row) for row in page.iter_rows(values_only=True)]
    assert rows[3] == ["From", "Mentions", "Note"]
    assert rows[4] == ["2026-03-01", 3, "'=1+1"]
    assert {cell.data_type for row in page.iter_rows() for cell in row} <= {"s", "n"}
