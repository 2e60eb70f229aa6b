"""The encoder's layers as an OpenVINO graph, built from plain arrays.

The bundled weights are rows of 8-bit numbers with one scale each; they are widened to float32
when the graph is built, so that every processor computes with the same weights and only speed,
not labels, depends on its instructions.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino.opset13 as ops
from numpy.typing import NDArray
from openvino import Model, Node, PartialShape, Type

Floats = NDArray[np.float32]
MASKED = -1e4
"""Added to the attention score of a padding piece; its share after softmax is nought."""


def quantise(weights: Floats) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Rows as int8 and their scales: row x scale is within half a step of the weights."""
    scales = np.abs(weights).max(axis=1) / 127.0
    scales = np.where(scales == 0, 1.0, scales).astype(np.float32)
    rows = np.clip(np.rint(weights / scales[:, None]), -127, 127).astype(np.int8)
    return rows, scales


def widen(rows: NDArray[np.int8], scales: NDArray[np.float32]) -> Floats:
    """The float32 matrix that ``quantise`` stored."""
    wide: Floats = rows.astype(np.float32) * scales[:, None].astype(np.float32)
    return wide


def build(
    arrays: Mapping[str, Floats], layers: int, heads: int, epsilon: float, pooled: list[int]
) -> Model:
    """A model of embeddings (texts, pieces, hidden) and mask (texts, pieces), both float32.

    Its output, (texts, len(pooled) x hidden), holds the mean states of the ``pooled`` layers
    (1-based) side by side.  ``arrays`` has the weights under the keys of transformers'
    ``BertModel``.
    """
    hidden = arrays["embeddings.LayerNorm.weight"].shape[0]
    embeddings = ops.parameter(PartialShape([-1, -1, hidden]), Type.f32, name="embeddings")
    mask = ops.parameter(PartialShape([-1, -1]), Type.f32, name="mask")
    pieces = ops.gather(ops.shape_of(embeddings), _ints([1]), _ints(0))
    places = arrays["embeddings.position_embeddings.weight"]
    places = places + arrays["embeddings.token_type_embeddings.weight"][0]
    place = ops.slice(ops.constant(places[None]), _ints([0]), pieces, _ints([1]), _ints([1]))
    states = _norm(ops.add(embeddings, place), arrays, "embeddings.LayerNorm", epsilon)
    column = ops.unsqueeze(mask, _ints([-1]))
    length = ops.maximum(ops.reduce_sum(column, _ints([1])), _floats(1.0))
    penalty = ops.multiply(
        ops.subtract(ops.unsqueeze(mask, _ints([1, 2])), _floats(1.0)), _floats(-MASKED)
    )
    means = []
    for number in range(layers):
        layer = f"encoder.layer.{number}."
        attended = _attention(states, penalty, arrays, layer, heads)
        states = _norm(
            ops.add(states, attended), arrays, layer + "attention.output.LayerNorm", epsilon
        )
        wide = ops.gelu(_linear(states, arrays, layer + "intermediate.dense"), "erf")
        narrow = _linear(wide, arrays, layer + "output.dense")
        states = _norm(ops.add(states, narrow), arrays, layer + "output.LayerNorm", epsilon)
        if number + 1 in pooled:
            total = ops.reduce_sum(ops.multiply(states, column), _ints([1]))
            means.append(ops.divide(total, length))
    together = ops.concat(means, -1) if len(means) > 1 else means[0]
    return Model([together], [embeddings, mask], "encoder")


def _attention(
    states: Node, penalty: Node, arrays: Mapping[str, Floats], layer: str, heads: int
) -> Node:
    hidden = arrays[layer + "attention.self.query.bias"].shape[0]
    parts = []
    for part in ("query", "key", "value"):
        flat = _linear(states, arrays, f"{layer}attention.self.{part}")
        split = ops.reshape(flat, _ints([0, 0, heads, hidden // heads]), special_zero=True)
        parts.append(ops.transpose(split, _ints([0, 2, 1, 3])))
    mixed = ops.scaled_dot_product_attention(*parts, penalty)
    joined = ops.transpose(mixed, _ints([0, 2, 1, 3]))
    flat = ops.reshape(joined, _ints([0, 0, hidden]), special_zero=True)
    return _linear(flat, arrays, layer + "attention.output.dense")


def _linear(states: Node, arrays: Mapping[str, Floats], name: str) -> Node:
    weights = ops.constant(arrays[name + ".weight"])
    product = ops.matmul(states, weights, False, True)
    return ops.add(product, ops.constant(arrays[name + ".bias"]))


def _norm(states: Node, arrays: Mapping[str, Floats], name: str, epsilon: float) -> Node:
    even = ops.mvn(states, _ints([-1]), True, epsilon, "inside_sqrt")
    scaled = ops.multiply(even, ops.constant(arrays[name + ".weight"]))
    return ops.add(scaled, ops.constant(arrays[name + ".bias"]))


def _ints(values: Any) -> Node:
    return ops.constant(np.array(values, dtype=np.int64))


def _floats(values: Any) -> Node:
    return ops.constant(np.array(values, dtype=np.float32))
