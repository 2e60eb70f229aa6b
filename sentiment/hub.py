"""Any sequence classifier of the Hugging Face hub in place of the bundled sentiment.

The named model gives the sentiment; intent, emotion, urgency and the vector, of which such models
know nothing, still come from the bundled model.  torch and transformers are imported only when a
model is loaded.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sentiment.base import Assessment, ModelError, Sentiment, SentimentModel
from sentiment.batching import batches
from sentiment.encoder import BundledModel
from sentiment.text import normalise

log = logging.getLogger(__name__)

LONGEST = 512
MOST_WINDOWS = 8
PIECES_AT_ONCE = 1_024
TEXTS_AT_ONCE = 256
UNSURE_BELOW = 0.5
"""Foreign models are not calibrated here; below one half no sentiment has the majority."""

KNOWN: dict[Sentiment, str] = {
    Sentiment.negative: """negative neg very_negative strongly_negative bad 1_star 1_stars 2_star
        2_stars 负面 负向 消极 贬义 negativ negatif négatif negativo ネガティブ""",
    Sentiment.neutral: """neutral neu mixed 3_star 3_stars 中性 中立 neutre neutro ニュートラル""",
    Sentiment.positive: """positive pos very_positive strongly_positive good 4_star 4_stars 5_star
        5_stars 正面 正向 积极 褒义 positiv positif positivo ポジティブ""",
}
"""Names under which hub models publish our labels, in lower case, blanks and signs as ``_``."""
_TABLE = {name: label for label, names in KNOWN.items() for name in names.split()}
_NUMBERED = re.compile(r"(?:label_?)?(\d+)$")
_BY_COUNT = {
    2: "negative positive",
    3: "negative neutral positive",
    5: "negative negative neutral positive positive",
}
"""What ``LABEL_0``, ``LABEL_1`` … mean when a model says no more than that: from bad to good."""


def map_labels(
    published: Sequence[str], explicit: Mapping[str, str] | None = None
) -> list[Sentiment]:
    """Our label for each label a model publishes, in its order.

    ``explicit`` (published name, any case, to negative/neutral/positive) comes first, then the
    table of known names, then numbers from bad to good for 2, 3 or 5 labels.  Raises
    ``ModelError`` when a label remains unknown, when ``explicit`` names one the model does not
    have, or when the model could never say negative or never positive.
    """
    wishes = {_plain(name): label for name, label in (explicit or {}).items()}
    names = [_plain(name) for name in published]
    strange = wishes.keys() - set(names)
    if strange:
        raise ModelError(
            f"the model has no label {', '.join(sorted(strange))}; it has {', '.join(published)}"
        )
    by_count = _BY_COUNT.get(len(names), "").split()
    mapped = []
    for place, name in enumerate(names):
        said = wishes.get(name)
        if said is None and name in _TABLE:
            said = _TABLE[name]
        numbered = _NUMBERED.match(name)
        if said is None and numbered and by_count and int(numbered[1]) == place:
            said = by_count[place]
        if said is None or said not in set(Sentiment):
            raise ModelError(
                f"the label {published[place]!r} is none of ours: say what each means, for example"
                f" labels={{{published[place]!r}: 'negative'}} with negative, neutral or positive"
            )
        mapped.append(Sentiment(said))
    if not {Sentiment.negative, Sentiment.positive} <= set(mapped):
        raise ModelError(
            f"a sentiment model must know negative and positive, but its labels"
            f" {', '.join(published)} mean {', '.join(mapped)}: choose another or give labels"
        )
    return mapped


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", str(name).strip().lower()).strip("_")


class HubModel:
    """A classifier from the hub or a folder; satisfies ``SentimentModel``.  Made by ``load``."""

    def __init__(
        self,
        name: str,
        classifier: Any,
        tokenizer: Any,
        labels: Sequence[Sentiment],
        companion: SentimentModel,
    ) -> None:
        self._name = name
        self._classifier = classifier
        self._tokenizer = tokenizer
        self._companion = companion
        # Sums the model's labels into ours: (its labels, 3).
        self._sums = np.zeros((len(labels), len(Sentiment)))
        for place, label in enumerate(labels):
            self._sums[place, tuple(Sentiment).index(label)] = 1.0
        self._lock = Lock()

    @classmethod
    def load(cls, name: str, labels: Mapping[str, str] | None = None) -> Self:
        """The model called ``name`` on the hub, or in the folder ``name``.

        ``labels`` says what the model's labels mean where they do not speak for themselves.
        Fetches the model when it is not at hand yet; raises ``ModelError``, which names the fix,
        when it cannot be had, is no classifier, or has labels we do not understand.
        """
        try:
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise ModelError(
                "hub models need the packages torch and transformers: install them, or use the"
                " bundled model"
            ) from error
        try:
            tokenizer = AutoTokenizer.from_pretrained(name)
            classifier, info = AutoModelForSequenceClassification.from_pretrained(
                name, output_loading_info=True
            )
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"cannot load the model {name!r}: check its name; when this machine is offline,"
                f" fetch it once elsewhere and give its folder ({_first_line(error)})"
            ) from error
        if info["missing_keys"]:
            missing = ", ".join(sorted(map(str, info["missing_keys"]))[:3])
            raise ModelError(
                f"{name!r} is no trained classifier (it lacks {missing}): name a model made for"
                " text classification"
            )
        published = [classifier.config.id2label[i] for i in range(classifier.config.num_labels)]
        mapped = map_labels(published, labels)
        classifier.eval()
        version = getattr(classifier.config, "_commit_hash", None)
        full = Path(name).name if Path(name).exists() else name
        full = f"{full}@{version[:7]}" if version else full
        return cls(full, classifier, tokenizer, mapped, BundledModel.load())

    @property
    def name(self) -> str:
        """Name on the hub, with the first letters of its commit when that is known."""
        return self._name

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        """Assess ``texts``; see ``SentimentModel`` for what a caller may rely on."""
        assessments = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            part = list(texts[start : start + TEXTS_AT_ONCE])
            found = self._probabilities([normalise(text) for text in part])
            for text, rest, p in zip(part, self._companion.assess(part), found, strict=True):
                assessments.append(self._answer(text, rest, p))
        return assessments

    def _answer(self, text: str, rest: Assessment, p: NDArray[np.float64]) -> Assessment:
        if not normalise(text):
            return replace(rest, model=self._name)
        negative, neutral, positive = p.tolist()
        return replace(
            rest,
            sentiment=tuple(Sentiment)[int(p.argmax())],
            p_negative=negative,
            p_neutral=neutral,
            p_positive=positive,
            unsure=float(p.max()) < UNSURE_BELOW,
            model=self._name,
        )

    def _probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts, 3); of long texts the mean over windows, weighted by their length."""
        jobs: list[list[int]] = []
        owners: list[int] = []
        for owner, text in enumerate(texts):
            windows = self._windows(text)
            jobs += windows
            owners += [owner] * len(windows)
        sums = np.zeros((len(texts), len(Sentiment)))
        weights = np.zeros((len(texts), 1))
        for batch in batches([len(job) for job in jobs], PIECES_AT_ONCE):
            found = self._run([jobs[i] for i in batch]) @ self._sums
            for i, p in zip(batch, found, strict=True):
                sums[owners[i]] += p * len(jobs[i])
                weights[owners[i]] += len(jobs[i])
        means: NDArray[np.float64] = sums / weights
        return means

    def _windows(self, text: str) -> list[list[int]]:
        room = int(getattr(self._classifier.config, "max_position_embeddings", LONGEST))
        # RoBERTa counts positions from its padding number on and has two more than it can use.
        longest = min(LONGEST, room - 2, int(self._tokenizer.model_max_length))
        parts = self._tokenizer(
            text, truncation=True, max_length=longest, return_overflowing_tokens=True
        )["input_ids"]
        if isinstance(parts[0], int):  # tokenizers written in Python give the first window only
            parts = [parts]
        if len(parts) > MOST_WINDOWS:
            parts = parts[: MOST_WINDOWS - 1] + parts[-1:]
        return list(parts)

    def _run(self, jobs: list[list[int]]) -> NDArray[np.float64]:
        import torch

        encoded = self._tokenizer.pad(
            {"input_ids": jobs}, padding=True, pad_to_multiple_of=16, return_tensors="pt"
        )
        names = ("input_ids", "attention_mask")
        with self._lock, torch.inference_mode():
            logits = self._classifier(**{name: encoded[name] for name in names}).logits.double()
            if self._classifier.config.problem_type == "multi_label_classification":
                p = logits.sigmoid()
                p = p / p.sum(-1, keepdim=True)
            else:
                p = logits.softmax(-1)
        array: NDArray[np.float64] = p.numpy()
        return array


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
