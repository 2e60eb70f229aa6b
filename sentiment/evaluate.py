"""How good a model is, and how honest its probabilities are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sentiment.base import SentimentModel

BINS = 15


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one label on one labelled set; all but ``confusion`` and ``count`` are 0..1."""

    count: int
    accuracy: float
    macro_recall: float
    """Mean recall over the labels that occur, the measure of SemEval-2017 Task 4."""
    macro_f1: float
    """Mean F1 over the labels that occur among the true ones."""
    calibration_error: float
    """Expected calibration error, 15 even bins (Guo et al. 2017, arXiv:1706.04599)."""
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows are true labels, columns what the model said, both in the order of ``labels``."""


def measure(
    truth: Sequence[str],
    said: Sequence[str],
    labels: Sequence[str],
    sureness: Sequence[float] | None = None,
) -> Figures:
    """Figures for true labels and what was said, both among ``labels``.

    ``sureness`` is the probability of what was said; without it the calibration error is NaN.
    Raises ``ValueError`` when the lengths differ, nothing is given, or a label is unknown.
    """
    if not truth or len(truth) != len(said):
        raise ValueError(f"{len(truth)} true labels and {len(said)} answers cannot be compared")
    places = {label: i for i, label in enumerate(labels)}
    unknown = (set(truth) | set(said)) - places.keys()
    if unknown:
        raise ValueError(f"unknown labels: {', '.join(sorted(unknown))}")
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion, ([places[t] for t in truth], [places[s] for s in said]), 1)
    hits, true, answered = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    occur = true > 0
    recall = hits[occur] / true[occur]
    f1 = 2 * hits[occur] / (true[occur] + answered[occur])
    right = np.array([t == s for t, s in zip(truth, said, strict=True)])
    error = float("nan")
    if sureness is not None:
        error = calibration_error(right, np.asarray(sureness, dtype=np.float64))
    return Figures(
        count=len(truth),
        accuracy=float(right.mean()),
        macro_recall=float(recall.mean()),
        macro_f1=float(f1.mean()),
        calibration_error=error,
        labels=tuple(labels),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def calibration_error(right: NDArray[np.bool_], sureness: NDArray[np.float64]) -> float:
    """Mean distance between how sure the answers of a bin are and how many of them are right."""
    places = np.minimum((sureness * BINS).astype(np.int64), BINS - 1)
    total = 0.0
    for place in np.unique(places):
        part = places == place
        total += abs(float(right[part].mean()) - float(sureness[part].mean())) * float(part.sum())
    return total / len(right)


def evaluate(
    model: SentimentModel,
    frame: pd.DataFrame,
    text_column: str = "text",
    label_column: str = "sentiment",
) -> Figures:
    """Figures of a model's sentiment on a labelled frame; rows with an empty label are left out.

    Labels are negative, neutral and positive; raises ``ValueError`` for others, ``KeyError`` for
    a missing column.
    """
    labels = ("negative", "neutral", "positive")
    frame = frame[frame[label_column].fillna("").astype(str) != ""]
    truth = [str(label) for label in frame[label_column]]
    answers = model.assess([str(text) for text in frame[text_column]])
    return measure(
        truth,
        [answer.sentiment.value for answer in answers],
        labels,
        [max(a.p_negative, a.p_neutral, a.p_positive) for a in answers],
    )
