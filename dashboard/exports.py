"""Tables as files: CSV and XLSX that say what they hold and cannot run as formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import xlsxwriter

from dashboard.hostile import for_spreadsheet

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with the lines above it that say what it is: filter, period, zone, count."""

    name: str
    about: Sequence[tuple[str, str]]
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def as_csv(sheet: Sheet) -> bytes:
    """Comma separated, UTF-8 with a byte order mark, which Excel needs to read Chinese."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for label, value in sheet.about:
        writer.writerow([for_spreadsheet(label), for_spreadsheet(value)])
    writer.writerow([])
    writer.writerow([for_spreadsheet(name) for name in sheet.columns])
    for row in sheet.rows:
        writer.writerow(["" if cell is None else for_spreadsheet(cell) for cell in row])
    return buffer.getvalue().encode("utf-8-sig")


def as_xlsx(sheet: Sheet) -> bytes:
    """An Excel workbook with one sheet. Text is written as text, never as formula or link."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(buffer, options)
    page = book.add_worksheet(sheet.name[:31])
    bold = book.add_format({"bold": True})
    line = 0
    for label, value in sheet.about:
        page.write_string(line, 0, str(for_spreadsheet(label)), bold)
        page.write_string(line, 1, str(for_spreadsheet(value)))
        line += 1
    line += 1
    for column, name in enumerate(sheet.columns):
        page.write_string(line, column, str(for_spreadsheet(name)), bold)
    page.freeze_panes(line + 1, 0)
    for row in sheet.rows:
        line += 1
        for column, cell in enumerate(row):
            if cell is None:
                continue
            if isinstance(cell, (int, float)) and not isinstance(cell, bool):
                page.write_number(line, column, cell)
            else:
                page.write_string(line, column, str(for_spreadsheet(str(cell))))
    page.set_column(0, 0, 22)
    page.set_column(1, max(1, len(sheet.columns) - 1), 16)
    book.close()
    return buffer.getvalue()
