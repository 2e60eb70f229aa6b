"""From a trained run to the files that score without torch."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from sentiment import encoder, graph
from sentiment.batching import padded
from sentiment.encoder import BundledModel, Config
from sentiment.training.loop import load_trained
from sentiment.training.network import load_base
from sentiment.training.report import few, is_calibration
from sentiment.training.sets import HEADS, Row

WINDOW = 126
MOST_WINDOWS = 8
PREFIX = "query: "
"""What the base encoder was trained with in front of a text that is compared."""
VECTOR_ROWS = 3_000
CALIBRATION_ROWS = 200
RIDGE = 0.1
UNSURE_SHARE = 0.15
"""The share of held-out texts that is to be marked as unsure."""

Floats = NDArray[np.float32]


def export(run: Path, held_out: Sequence[Row], folder: Path, name: str) -> Config:
    """Write the run's last checkpoint to ``folder`` and return its configuration.

    Layers and embeddings become 8-bit rows with one scale each.  The sentence vector is a linear
    reading of three layers, fitted so that it lies where the *untrained* base encoder puts the
    text: training for feelings blurs topics, and search needs topics.  Temperatures and the
    threshold of ``unsure`` come from half of the held-out rows.
    """
    network, _ = load_trained(run)
    encoder_ = network.encoder
    state = {key: value.numpy() for key, value in encoder_.state_dict().items()}
    settings: Any = encoder_.config
    layers = int(settings.num_hidden_layers)
    pooled = sorted({max(1, layers // 3), max(1, 2 * layers // 3), layers})
    config = Config(
        name=name,
        layers=layers,
        attention_heads=int(settings.num_attention_heads),
        epsilon=float(settings.layer_norm_eps),
        pooled=pooled,
        window=WINDOW,
        most_windows=MOST_WINDOWS,
        temperatures=dict.fromkeys(HEADS, 1.0),
        unsure_below=0.0,
    )
    width = int(settings.hidden_size)
    identity = np.tile(np.eye(width, dtype=np.float32), (1, len(pooled))) / len(pooled)
    arrays = {
        "heads.weight": network.heads.weight.detach().numpy(),
        "heads.bias": network.heads.bias.detach().numpy(),
        "vector.weight": identity,
        "vector.bias": np.zeros(width, dtype=np.float32),
    }
    write(folder, config, state, arrays, run / "tokenizer.json")
    if held_out:
        texts = vector_texts(held_out)[:VECTOR_ROWS]
        arrays |= _vector(run, folder, texts)
        write(folder, config, state, arrays, run / "tokenizer.json")
        config = _calibrate(folder, config, held_out)
        _write_config(folder, config)
    return config


def write(
    folder: Path,
    config: Config,
    state: dict[str, Floats],
    arrays: dict[str, Floats],
    tokenizer: Path,
) -> None:
    """Write weights of transformers' ``BertModel`` and our head arrays as an exported model."""
    folder.mkdir(parents=True, exist_ok=True)
    # safetensors writes the memory as it lies: a transposed view would come back scrambled.
    stored: dict[str, NDArray[Any]] = {
        name: np.ascontiguousarray(values) for name, values in arrays.items()
    }
    words = state["embeddings.word_embeddings.weight"]
    positions = padded(config.window + 2)
    for key, values in state.items():
        if key.endswith(("word_embeddings.weight", "position_ids", "token_type_ids")):
            continue
        if values.ndim == 2 and key.startswith("encoder."):
            stored[key + ".rows"], stored[key + ".scales"] = graph.quantise(values)
        elif "position_embeddings" in key:
            stored[key] = np.ascontiguousarray(values[:positions], dtype=np.float32)
        else:
            stored[key] = np.ascontiguousarray(values, dtype=np.float32)
    save_file(stored, folder / encoder.LAYERS)
    rows, scales = graph.quantise(words)
    save_file({"rows": rows, "scales": scales}, folder / encoder.EMBEDDINGS)
    if tokenizer.resolve() != (folder / encoder.TOKENIZER).resolve():
        shutil.copyfile(tokenizer, folder / encoder.TOKENIZER)
    for file in (encoder.LAYERS, encoder.EMBEDDINGS):
        (folder / file).chmod(0o644)  # safetensors writes for its owner only
    _write_config(folder, config)


def _write_config(folder: Path, config: Config) -> None:
    (folder / encoder.CONFIG).write_text(json.dumps(asdict(config), indent=2) + "\n", "utf-8")


def _vector(run: Path, folder: Path, texts: Sequence[str]) -> dict[str, Floats]:
    """Weights that read the base encoder's sentence vector off the trained one's layers."""
    aims = base_vectors(run, folder, texts)
    states = BundledModel.load_from(folder, precision="f32").states(texts)
    centre, aim = states.mean(0), aims.mean(0)
    x, y = (states - centre).astype(np.float64), (aims - aim).astype(np.float64)
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram)
    weights = np.linalg.solve(gram, x.T @ y).T.astype(np.float32)
    return {"vector.weight": weights, "vector.bias": (aim - weights @ centre).astype(np.float32)}


def base_vectors(run: Path, folder: Path, texts: Sequence[str]) -> Floats:
    """Unit vectors of ``texts`` by the base encoder of the run, (texts, hidden)."""
    base, _ = load_base(run)
    state = {key: value.numpy() for key, value in base.state_dict().items()}
    config = Config.read(folder / encoder.CONFIG)
    width = state["embeddings.LayerNorm.weight"].shape[0]
    heads = sum(len(labels) for labels in HEADS.values())
    arrays = {
        "heads.weight": np.zeros((heads, width), np.float32),
        "heads.bias": np.zeros(heads, np.float32),
        "vector.weight": np.concatenate(
            [np.zeros((width, width * (len(config.pooled) - 1))), np.eye(width)], axis=1
        ).astype(np.float32),
        "vector.bias": np.zeros(width, np.float32),
    }
    beside = run / "base-export"
    write(beside, config, state, arrays, run / "tokenizer.json")
    base_model = BundledModel.load_from(beside, precision="f32")
    return base_model.understand([PREFIX + text for text in texts]).vectors


def vector_texts(held_out: Sequence[Row]) -> list[str]:
    """Held-out texts in the order of a hash, no set with more than its share.

    The first ``VECTOR_ROWS`` fit the vectors, those after them test the fit.
    """
    return [row.text for row in few(held_out, max(1, VECTOR_ROWS // 10))]


def vector_fidelity(run: Path, folder: Path, rows: Sequence[Row]) -> dict[str, float]:
    """How well the exported vectors stand in for the base encoder's, on texts not fitted on.

    ``cosine`` is the mean cosine of both vectors of a text after the mean of all was taken off,
    ``neighbour`` the share of texts whose nearest other text is the same, ``in_ten`` the share
    whose nearest text by the base encoder is among the ten nearest by the exported vectors.
    """
    texts = vector_texts(rows)[VECTOR_ROWS : VECTOR_ROWS + VECTOR_ROWS // 4]
    aims = base_vectors(run, folder, texts)
    found = BundledModel.load_from(folder).understand(texts).vectors
    centred = [values - values.mean(0) for values in (aims, found)]
    centred = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in centred]
    near = [values @ values.T - 2 * np.eye(len(texts)) for values in (aims, found)]
    first, ten = near[0].argmax(1), np.argsort(-near[1], axis=1)[:, :10]
    return {
        "texts": float(len(texts)),
        "cosine": round(float((centred[0] * centred[1]).sum(1).mean()), 3),
        "neighbour": round(float((first == ten[:, 0]).mean()), 3),
        "in_ten": round(float((ten == first[:, None]).any(1).mean()), 3),
    }


def _calibrate(folder: Path, config: Config, held_out: Sequence[Row]) -> Config:
    rows = few([row for row in held_out if is_calibration(row.text)], CALIBRATION_ROWS)
    model = BundledModel.load_from(folder)
    logits = model.understand([row.text for row in rows]).logits
    temperatures = {}
    at = 0
    for head, labels in HEADS.items():
        scores = logits[:, at : at + len(labels)]
        at += len(labels)
        known = np.array([getattr(row, head) for row in rows])
        plain = np.array([int(bits).bit_count() == 1 for bits in known])
        truth = np.array([int(bits).bit_length() - 1 for bits in known])
        temperatures[head] = best_temperature(scores[plain], truth[plain])
    calibrated = Config(**(asdict(config) | {"temperatures": temperatures}))
    _write_config(folder, calibrated)
    p = BundledModel.load_from(folder).probabilities(logits)["sentiment"].max(1)
    unsure_below = round(float(np.quantile(p, UNSURE_SHARE)), 3)
    return Config(**(asdict(calibrated) | {"unsure_below": unsure_below}))


def best_temperature(logits: Floats, truth: NDArray[np.int64]) -> float:
    """The temperature between 0.5 and 4 that makes the true labels likeliest; 1 without rows."""
    if not len(truth):
        return 1.0
    candidates = np.geomspace(0.5, 4.0, 43)
    losses = []
    for temperature in candidates:
        scores = logits / temperature
        scores = scores - scores.max(1, keepdims=True)
        log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        losses.append(-float(log_p[np.arange(len(truth)), truth].mean()))
    return round(float(candidates[int(np.argmin(losses))]), 3)
