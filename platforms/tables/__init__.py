"""Tables in and out, a chunk at a time, by file name.

CSV, TSV and JSON Lines (also with ``.gz``), Parquet and XLSX. Memory stays flat however long the
file is (XLSX: apart from its shared strings, which the format keeps in one place).
"""

from platforms.tables.base import FORMATS, Row, TableError, format_of
from platforms.tables.reading import TableReader, open_table
from platforms.tables.writing import TableWriter, neutralise, restore

__all__ = [
    "FORMATS",
    "Row",
    "TableError",
    "TableReader",
    "TableWriter",
    "format_of",
    "neutralise",
    "open_table",
    "restore",
]
