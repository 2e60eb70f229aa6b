"""Figures of an exported model on held-out rows, and the tables of its card."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sentiment.encoder import MODEL, BundledModel
from sentiment.evaluate import Figures, measure
from sentiment.text import normalise
from sentiment.training import loop, network
from sentiment.training.sets import HEADS, Row, share

MOST = 400
"""Rows of one set and language that are evaluated unless told otherwise."""


def is_calibration(text: str) -> bool:
    """Half of the held-out texts set the temperatures; only the other half is reported."""
    return share(text, "calibration:") < 0.5


def few(rows: Sequence[Row], most: int) -> list[Row]:
    """At most ``most`` rows of each set and language, chosen by hash."""
    counts: dict[tuple[str, str], int] = {}
    taken = []
    for row in sorted(rows, key=lambda row: share(row.text, "report:")):
        place = (row.source, row.language)
        counts[place] = counts.get(place, 0) + 1
        if counts[place] <= most:
            taken.append(row)
    return taken


def figures(
    folder: Path | None, rows: Sequence[Row], most: int = MOST
) -> dict[str, dict[str, Any]]:
    """By head, then by "set/language", the figures on the rows with one known label.

    Rows that set the temperatures are left out.
    """
    model = BundledModel.load_from(folder or MODEL)
    rows = few([row for row in rows if not is_calibration(row.text)], most)
    probabilities = model.probabilities(model.understand([row.text for row in rows]).logits)
    result: dict[str, dict[str, Any]] = {}
    for head, labels in HEADS.items():
        groups: dict[str, list[int]] = {}
        for number, row in enumerate(rows):
            if getattr(row, head).bit_count() == 1:
                groups.setdefault(f"{row.source}/{row.language}", []).append(number)
        result[head] = {}
        for name, numbers in sorted(groups.items()):
            truth = [labels[getattr(rows[n], head).bit_length() - 1] for n in numbers]
            p = probabilities[head][numbers]
            said = [labels[i] for i in p.argmax(1)]
            result[head][name] = asdict(measure(truth, said, labels, p.max(1).tolist()))
    return result


def complaints(folder: Path | None, rows: Sequence[Row], most: int = MOST) -> dict[str, Figures]:
    """Complaint or not, by set, on all held-out rows that say so; the first label is no."""
    model = BundledModel.load_from(folder or MODEL)
    rows = few([row for row in rows if not is_calibration(row.text)], most)
    p = model.probabilities(model.understand([row.text for row in rows]).logits)["intent"][:, 0]
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        if row.intent and (row.intent == 1 or not row.intent & 1):
            groups.setdefault(row.source, []).append(number)
    return {
        name: measure(
            ["yes" if rows[n].intent == 1 else "no" for n in numbers],
            ["yes" if p[n] >= 0.5 else "no" for n in numbers],
            ("no", "yes"),
            np.maximum(p[numbers], 1 - p[numbers]).tolist(),
        )
        for name, numbers in sorted(groups.items())
    }


def agreement(
    run: Path, folder: Path | None, rows: Sequence[Row], most: int = 100
) -> dict[str, dict[str, float]]:
    """By precision and head, the share of texts whose label is that of the run in torch, float32.

    At most ``most`` texts of each set and language; longer ones than a training text are left out.
    """
    trained, tokenizer = loop.load_trained(run)
    longest = loop.Plan().longest
    texts = [row.text for row in few(rows, most)]
    encoded = network.encode(tokenizer, [normalise(text) for text in texts], longest)
    short = [number for number, ids in enumerate(encoded) if len(ids) < longest]
    expected = loop.logits_of(trained, [encoded[number] for number in short])
    result: dict[str, dict[str, float]] = {}
    for precision in ("f32", "bf16"):
        model = BundledModel.load_from(folder or MODEL, precision=precision)
        found = model.understand([texts[number] for number in short]).logits
        shares = {}
        at = 0
        for head, labels in HEADS.items():
            part = slice(at, at + len(labels))
            at += len(labels)
            same = found[:, part].argmax(1) == expected[:, part].argmax(1)
            shares[head] = round(float(same.mean()), 4)
        result[precision] = shares
    return result


def tables(figures_by_head: dict[str, dict[str, Any]]) -> str:
    """Markdown tables: one line for each head and set."""
    lines = [
        "| head | set / language | rows | accuracy | macro-recall | macro-F1 | ECE |",
        "|---|---|---|---|---|---|---|",
    ]
    for head, sets in figures_by_head.items():
        for name, f in sets.items():
            numbers = (f["accuracy"], f["macro_recall"], f["macro_f1"], f["calibration_error"])
            cells = " | ".join(f"{number:.3f}" for number in numbers)
            lines.append(f"| {head} | {name} | {f['count']} | {cells} |")
    return "\n".join(lines)
