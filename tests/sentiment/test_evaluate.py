import math

import numpy as np
import pandas as pd
import pytest

from sentiment.encoder import BundledModel
from sentiment.evaluate import calibration_error, evaluate, measure

LABELS = ("negative", "neutral", "positive")


def test_figures_match_a_count_by_hand() -> None:
    truth = ["negative", "negative", "neutral", "positive"]
    said = ["negative", "neutral", "neutral", "negative"]
    figures = measure(truth, said, LABELS)
    assert figures.count == 4
    assert figures.accuracy == pytest.approx(0.5)
    assert figures.macro_recall == pytest.approx((0.5 + 1 + 0) / 3)
    assert figures.macro_f1 == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert figures.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 0))
    assert math.isnan(figures.calibration_error)


def test_labels_that_never_occur_do_not_lower_the_means() -> None:
    figures = measure(["negative", "positive"], ["negative", "positive"], LABELS)
    assert figures.macro_recall == figures.macro_f1 == 1.0


def test_calibration_compares_sureness_with_being_right() -> None:
    right = np.array([True] * 8 + [False] * 2)
    assert calibration_error(right, np.full(10, 0.8)) == pytest.approx(0.0)
    assert calibration_error(right, np.full(10, 1.0)) == pytest.approx(0.2)


def test_unknown_labels_and_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown labels: angry"):
        measure(["angry"], ["negative"], LABELS)
    with pytest.raises(ValueError, match="cannot be compared"):
        measure(["negative"], [], LABELS)


def test_a_frame_is_evaluated_without_its_unlabelled_rows(model: BundledModel) -> None:
    frame = pd.DataFrame(
        {
            "text": ["太差了，再也不买了", "I love it, thank you", "whatever"],
            "sentiment": ["negative", "positive", ""],
        }
    )
    figures = evaluate(model, frame)
    assert figures.count == 2
    assert figures.accuracy == 1.0
    assert 0 <= figures.calibration_error <= 1
