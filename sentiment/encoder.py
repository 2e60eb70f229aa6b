"""The bundled model: offline, on a plain CPU, without a deep-learning framework.

One pass of a multilingual encoder gives sentiment, intent, emotion, urgency and a sentence
vector.  What the folder ``model/`` holds, and how good it is, says its MODEL_CARD.md.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
import openvino
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from sentiment import graph
from sentiment.base import Assessment, Emotion, Intent, ModelError, Sentiment
from sentiment.batching import batches, padded
from sentiment.language import identify
from sentiment.text import normalise, windows

MODEL = Path(__file__).with_name("model")
CONFIG = "config.json"
LAYERS = "layers.safetensors"
EMBEDDINGS = "embeddings.safetensors"
TOKENIZER = "tokenizer.json"

AT_ONCE = 1_024
"""Texts that are cut into pieces together; bounds the memory of a long list."""
PIECES_AT_ONCE = 2_048
"""Pieces, padding included, in one run of the graph."""
HEADS = {"sentiment": len(Sentiment), "intent": len(Intent), "emotion": len(Emotion), "urgency": 4}
"""Labels of each head, in the order of the rows of the head matrix."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Config:
    """What ``config.json`` of an exported model says."""

    name: str
    layers: int
    attention_heads: int
    epsilon: float
    pooled: list[int]
    """Layers (1-based) whose mean states make the sentence vector; the last one feeds the heads."""
    window: int
    """Pieces of a text in one window, without the start and end signs."""
    most_windows: int
    temperatures: dict[str, float]
    """By head: logits are divided by it, so that 0.8 means right in eight of ten cases."""
    unsure_below: float
    """A sentiment whose probability is lower is marked as unsure."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """The configuration at ``path``; raises ``ModelError`` when it lacks something."""
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(
                f"{path} is missing or damaged ({error}): install the package again, or write the"
                " model with `python -m sentiment.training export`"
            ) from error


@dataclass(frozen=True, slots=True)
class Understanding:
    """Numbers for a list of texts: logits (texts, 18) before temperature, vectors (texts, 384)."""

    logits: Floats
    vectors: Floats


class BundledModel:
    """The bundled model; satisfies ``SentimentModel``.  Made by ``load``."""

    def __init__(
        self,
        config: Config,
        tokenizer: Tokenizer,
        embeddings: dict[str, NDArray[Any]],
        arrays: dict[str, NDArray[Any]],
        compiled: openvino.CompiledModel,
    ) -> None:
        self.config = config
        self._tokenizer = tokenizer
        self._rows: NDArray[np.int8] = embeddings["rows"]
        self._scales: Floats = embeddings["scales"].astype(np.float32)
        self._heads: Floats = arrays["heads.weight"].astype(np.float32)
        self._head_bias: Floats = arrays["heads.bias"].astype(np.float32)
        self._vector: Floats = arrays["vector.weight"].astype(np.float32)
        self._vector_bias: Floats = arrays["vector.bias"].astype(np.float32)
        self._request = compiled.create_infer_request()
        self._lock = Lock()
        ends = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
        if ends[0] is None or ends[1] is None:
            raise ModelError(f"the tokenizer of {config.name} has no <s> and </s>: export it again")
        self._start, self._end = ends[0], ends[1]

    @classmethod
    def load(cls, threads: int | None = None) -> Self:
        """The model in ``sentiment/model``, on ``threads`` threads (default: all our cores).

        Takes about a second.  Raises ``ModelError`` when its files are missing or damaged.
        """
        return cls.load_from(MODEL, threads)

    @classmethod
    def load_from(
        cls, folder: Path, threads: int | None = None, precision: str | None = None
    ) -> Self:
        """An exported model in ``folder``.

        ``precision`` is ``"f32"`` or ``"bf16"``; by default bf16 where the processor has
        matrix instructions for it, which is quicker there and says the same.
        """
        config = Config.read(folder / CONFIG)
        try:
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            embeddings = load_file(folder / EMBEDDINGS)
            arrays = load_file(folder / LAYERS)
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(
                f"the model in {folder} is incomplete ({error}): install the package again, or"
                " write it with `python -m sentiment.training export`"
            ) from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        wide = {
            name.removesuffix(".rows"): graph.widen(rows, arrays[name[:-4] + "scales"])
            for name, rows in arrays.items()
            if name.endswith(".rows")
        }
        model = graph.build(
            {**arrays, **wide},
            config.layers,
            config.attention_heads,
            config.epsilon,
            config.pooled,
        )
        core = openvino.Core()
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": threads or cores(),
                "INFERENCE_PRECISION_HINT": precision or best_precision(core),
            },
        )
        return cls(config, tokenizer, embeddings, {**arrays, **wide}, compiled)

    @property
    def name(self) -> str:
        """Name and version of the model."""
        return self.config.name

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        """Assess ``texts``; see ``SentimentModel`` for what a caller may rely on."""
        assessments: list[Assessment] = []
        for start in range(0, len(texts), AT_ONCE):
            part = texts[start : start + AT_ONCE]
            understanding = self.understand(part)
            assessments += self._answers(part, understanding)
        return assessments

    def understand(self, texts: Sequence[str]) -> Understanding:
        """Logits and unit vectors of ``texts``, for evaluation, calibration and search.

        Long texts are read in windows whose results are averaged by their length.
        """
        means = self.states(texts)
        last = means[:, -self._heads.shape[1] :]
        # einsum sums each text by itself: a matrix product may sum differently for other counts.
        logits = np.einsum("th,oh->to", last, self._heads) + self._head_bias
        vectors = np.einsum("th,oh->to", means, self._vector) + self._vector_bias
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return Understanding(logits.astype(np.float32), vectors.astype(np.float32))

    def states(self, texts: Sequence[str]) -> Floats:
        """Mean states of the pooled layers, (texts, len(pooled) x hidden): what all rests on."""
        jobs, owners = self._cut(texts)
        states = np.zeros((len(jobs), self._vector.shape[1]), dtype=np.float32)
        for batch in batches([len(job) for job in jobs], PIECES_AT_ONCE):
            states[batch] = self._run([jobs[i] for i in batch])
        weights = np.array([float(len(job)) for job in jobs], dtype=np.float32)
        means = np.zeros((len(texts), states.shape[1]), dtype=np.float32)
        totals = np.zeros(len(texts), dtype=np.float32)
        np.add.at(means, owners, states * weights[:, None])
        np.add.at(totals, owners, weights)
        means /= np.maximum(totals, 1.0)[:, None]
        return means

    def _cut(self, texts: Sequence[str]) -> tuple[list[list[int]], NDArray[np.int64]]:
        encodings = self._tokenizer.encode_batch(
            [normalise(text) for text in texts], add_special_tokens=False
        )
        jobs: list[list[int]] = []
        owners: list[int] = []
        for number, encoding in enumerate(encodings):
            for window in windows(encoding.ids, self.config.window, self.config.most_windows):
                jobs.append([self._start, *window, self._end])
                owners.append(number)
        return jobs, np.array(owners, dtype=np.int64)

    def _run(self, jobs: list[list[int]]) -> Floats:
        width = padded(len(jobs[0]))
        ids = np.full((len(jobs), width), self._end, dtype=np.int64)
        mask = np.zeros((len(jobs), width), dtype=np.float32)
        for row, job in enumerate(jobs):
            ids[row, : len(job)] = job
            mask[row, : len(job)] = 1.0
        embeddings = self._rows[ids].astype(np.float32) * self._scales[ids][..., None]
        with self._lock:
            output = self._request.infer({"embeddings": embeddings, "mask": mask})
            states: Floats = np.array(next(iter(output.values())), dtype=np.float32)
        return states

    def probabilities(self, logits: Floats) -> dict[str, Floats]:
        """Probabilities by head, (texts, labels), of logits (texts, 18), after temperature."""
        result = {}
        at = 0
        for head, count in HEADS.items():
            scores = logits[:, at : at + count] / self.config.temperatures[head]
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            result[head] = scores / scores.sum(axis=1, keepdims=True)
            at += count
        return result

    def _answers(self, texts: Sequence[str], found: Understanding) -> Iterator[Assessment]:
        probabilities = self.probabilities(found.logits)
        vectors = found.vectors.astype("<f2")
        sentiments, intents, emotions = tuple(Sentiment), tuple(Intent), tuple(Emotion)
        for number, text in enumerate(texts):
            p = {head: tuple(values[number].tolist()) for head, values in probabilities.items()}
            if not normalise(text):
                p = _NOTHING
            feeling = p["sentiment"]
            sentiment, intent = sentiments[_largest(feeling)], intents[_largest(p["intent"])]
            # Urgency is learnt from few labels; of pleased praise the guide knows it to be nought.
            pleased = sentiment is Sentiment.positive and intent is Intent.praise
            yield Assessment(
                sentiment=sentiment,
                p_negative=feeling[0],
                p_neutral=feeling[1],
                p_positive=feeling[2],
                intent=intent,
                intent_probabilities=p["intent"],
                emotion=emotions[_largest(p["emotion"])],
                emotion_probabilities=p["emotion"],
                urgency=0 if pleased else _largest(p["urgency"]),
                language=identify(text),
                unsure=max(feeling) < self.config.unsure_below,
                model=self.name,
                vector=vectors[number].tobytes(),
            )


_NOTHING: dict[str, tuple[float, ...]] = {
    "sentiment": (0.0, 1.0, 0.0),
    "intent": (0.0, 0.0, 0.0, 0.0, 1.0),
    "emotion": (0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    "urgency": (1.0, 0.0, 0.0, 0.0),
}
"""What there is to say of a text in which nothing is said."""


def cores() -> int:
    """Cores this process may use: containers and task sets count, hyper-threads do too."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def best_precision(core: openvino.Core, processor: Path = Path("/proc/cpuinfo")) -> str:
    """``"bf16"`` where the processor multiplies matrices in it (AMX), else ``"f32"``.

    AVX-512 alone can compute with bf16 too, but was seen to be slower in it than in float32.
    """
    try:
        tiles = "amx_bf16" in processor.read_text("utf-8")
    except OSError:  # not Linux
        tiles = False
    able = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if tiles and able else "f32"


def _largest(values: tuple[float, ...]) -> int:
    return values.index(max(values))
