"""Scoring files: every row gets what the model makes of its text."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from platforms.tables import TableError, TableWriter, open_table
from sentiment.base import Assessment, Intent, SentimentModel

ADDED = (
    "sentiment",
    "p_negative",
    "p_neutral",
    "p_positive",
    "intent",
    *(f"p_{intent}" for intent in Intent),
    "emotion",
    "urgency",
    "language",
    "unsure",
    "model",
)
"""Columns that scoring adds; one of the same name in the file is replaced."""

CHUNK = 2048


def score_file(
    model: SentimentModel,
    source: Path,
    target: Path,
    text_column: str,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Copy a table with the model's columns added; rows and other columns keep their order.

    Returns the rows written. Raises TableError when the file or its column does not fit.
    """
    if source.resolve() == target.resolve():
        raise TableError("IN and OUT are the same file; give the result a name of its own.")
    with open_table(source) as table:
        columns = table.all_columns()
        if text_column not in columns:
            near = get_close_matches(text_column, columns, 1, 0.5)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            raise TableError(
                f'--text-column: {source.name} has no column "{text_column}".{hint} '
                f"Its columns are: {', '.join(columns[:40])}."
            )
        kept = [name for name in columns if name not in ADDED]
        rows = 0
        with TableWriter(target, [*kept, *ADDED]) as writer:
            for chunk in table.chunks(CHUNK):
                broken = next((row for row in chunk if row.problem), None)
                if broken is not None:
                    raise TableError(
                        f"{source.name}, row {broken.number}: {broken.problem}. Correct the row, "
                        "then score again; nothing was written."
                    )
                texts = [_text(row.cells.get(text_column)) for row in chunk]
                readings = model.assess(texts)
                writer.write(
                    {**{name: row.cells.get(name) for name in kept}, **_cells(reading)}
                    for row, reading in zip(chunk, readings, strict=True)
                )
                rows += len(chunk)
                if on_progress:
                    on_progress(int(table.progress * table.size), table.size)
    return rows


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _cells(reading: Assessment) -> dict[str, Any]:
    return {
        "sentiment": str(reading.sentiment),
        "p_negative": round(reading.p_negative, 4),
        "p_neutral": round(reading.p_neutral, 4),
        "p_positive": round(reading.p_positive, 4),
        "intent": str(reading.intent),
        **{
            f"p_{intent}": round(p, 4)
            for intent, p in zip(Intent, reading.intent_probabilities, strict=True)
        },
        "emotion": str(reading.emotion),
        "urgency": reading.urgency,
        "language": reading.language,
        "unsure": reading.unsure,
        "model": reading.model,
    }
