"""The training loop: masked multi-task loss, checkpoints, a log of every run."""

import json
import math
import random
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sentiment.text import normalise
from sentiment.training.network import (
    Network,
    encode,
    freeze_embeddings,
    load_base,
    parameters_without,
    split_heads,
)
from sentiment.training.sets import HEADS, Row

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Plan:
    """The numbers of one run."""

    seed: int = 13
    epochs: int = 1
    batch: int = 32
    longest: int = 96
    multiple: int = 16
    rate: float = 1e-4
    head_rate: float = 1e-3
    decay: float = 0.01
    warm_up: int = 200
    clip: float = 1.0
    minutes: float = 600.0
    """The learning rate reaches zero after all steps or after these minutes of training."""
    checkpoint_minutes: float = 4.0
    bf16: bool = False
    """Quicker on processors with AMX; without it float32 may well be quicker: measure."""
    head_weights: tuple[float, ...] = (1.0, 1.2, 0.6, 0.8)
    """Weight of each head's loss, in the order of ``HEADS``."""


def masks(rows: list[Row]) -> NDArray[np.float32]:
    """Possible labels of all heads, (rows, 18); a head of which nothing is known is all zero."""
    result = np.zeros((len(rows), sum(len(labels) for labels in HEADS.values())), np.float32)
    at = 0
    for head, labels in HEADS.items():
        known = np.array([getattr(row, head) for row in rows])
        for i in range(len(labels)):
            result[:, at + i] = (known >> i) & 1
        at += len(labels)
    return result


def class_weights(possible: NDArray[np.float32]) -> NDArray[np.float32]:
    """A weight for each label: the root of its rarity among the plain labels of its head.

    Between 0.5 and 2.5; 1 for labels that never occur plainly.
    """
    weights = np.ones(possible.shape[1], np.float32)
    at = 0
    for labels in HEADS.values():
        part = possible[:, at : at + len(labels)]
        counts = part[part.sum(1) == 1].sum(0)
        if counts.sum() > 0:
            even = counts.sum() / (counts > 0).sum()
            rarity = np.sqrt(even / np.maximum(counts, 1))
            weights[at : at + len(labels)] = np.where(counts > 0, rarity.clip(0.5, 2.5), 1.0)
        at += len(labels)
    return weights


def loss_of(
    logits: Tensor, possible: Tensor, weights: Tensor, row_weights: Tensor, heads: Tensor
) -> Tensor:
    """Mean over the texts of -log(probability of the possible labels), summed over the heads.

    Heads of which nothing is known add nothing.  ``possible`` is (texts, 18), ``weights`` (18,),
    ``row_weights`` (texts,), ``heads`` (4,).
    """
    total = logits.new_zeros(())
    parts = zip(
        split_heads(logits).values(),
        split_heads(possible).values(),
        split_heads(weights).values(),
        heads,
        strict=True,
    )
    for scores, allowed, rarity, factor in parts:
        known = allowed.sum(-1) > 0
        log_p = scores.float().log_softmax(-1)
        of_allowed = log_p.masked_fill(allowed == 0, -1e9).logsumexp(-1)
        weight = (allowed * rarity).sum(-1) / allowed.sum(-1).clamp(min=1)
        total = total - factor * (of_allowed * weight * row_weights)[known].sum()
    return total / len(logits)


def batches(lengths: list[int], size: int, seed: int) -> list[list[int]]:
    """Batches of row numbers: neighbours in length within large random groups, then shuffled."""
    generator = random.Random(seed)
    order = list(range(len(lengths)))
    generator.shuffle(order)
    group = size * 60
    result = []
    for start in range(0, len(order), group):
        part = sorted(order[start : start + group], key=lambda i: lengths[i])
        result += [part[i : i + size] for i in range(0, len(part), size)]
    generator.shuffle(result)
    return result


def pad(encoded: list[Ids], multiple: int) -> tuple[Tensor, Tensor]:
    """Ids and mask of (texts, longest rounded up to ``multiple``): few shapes, few kernels."""
    longest = max(len(ids) for ids in encoded)
    longest += -longest % multiple
    ids = np.ones((len(encoded), longest), np.int64)
    mask = np.zeros((len(encoded), longest), np.int64)
    for i, row in enumerate(encoded):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def logits_of(network: Network, encoded: list[Ids], batch: int = 64) -> NDArray[np.float32]:
    """Logits of all heads for each text, (texts, 18), float32, without gradients."""
    network.eval()
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    result = np.zeros((len(encoded), network.heads.out_features), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            ids, mask = pad([encoded[i] for i in part], 16)
            result[part] = network(ids, mask).float().numpy()
    return result


class Run:
    """One training run in a folder: base encoder, checkpoint, log.  Can be resumed."""

    def __init__(self, folder: Path, rows: list[Row], held_out: list[Row], plan: Plan) -> None:
        self.folder = folder
        self.plan = plan
        torch.manual_seed(plan.seed)
        encoder, tokenizer = load_base(folder)
        freeze_embeddings(encoder)
        self.network = Network(encoder, encoder.config.hidden_size)
        self.encoded = encode(tokenizer, [normalise(row.text) for row in rows], plan.longest)
        self.possible = torch.from_numpy(masks(rows))
        self.weights = torch.from_numpy(class_weights(masks(rows)))
        self.row_weights = torch.tensor([row.weight for row in rows])
        self.held_out = _few(held_out, 500)
        self.held_out_encoded = encode(
            tokenizer, [normalise(row.text) for row in self.held_out], plan.longest
        )
        named = [(n, p) for n, p in self.network.named_parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            [
                {
                    "params": [p for n, p in named if n.startswith("encoder.") and p.ndim > 1],
                    "lr": plan.rate,
                },
                {
                    "params": [p for n, p in named if n.startswith("encoder.") and p.ndim == 1],
                    "lr": plan.rate,
                    "weight_decay": 0.0,
                },
                {
                    "params": [p for n, p in named if not n.startswith("encoder.")],
                    "lr": plan.head_rate,
                },
            ],
            weight_decay=plan.decay,
            fused=True,
        )
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.batches: list[list[int]] = []
        for epoch in range(plan.epochs):
            lengths = [len(ids) for ids in self.encoded]
            self.batches += batches(lengths, plan.batch, plan.seed + epoch)
        self.step = 0
        self.seconds = 0.0

    def train(self) -> None:
        """Train to the end of the plan, from the checkpoint if there is one."""
        self._resume()
        size = {"rows": len(self.encoded), "steps": len(self.batches)}
        self._log(event="start", **size, **asdict(self.plan))
        started = time.monotonic() - self.seconds
        last_save = time.monotonic()
        self.network.train()
        losses: list[float] = []
        while self.step < len(self.batches):
            self.seconds = time.monotonic() - started
            progress = max(self.step / len(self.batches), self.seconds / (60 * self.plan.minutes))
            if progress >= 1:
                break
            losses.append(self._one(self.batches[self.step], progress))
            self.step += 1
            if self.step % 100 == 0:
                self._log(
                    event="step",
                    step=self.step,
                    loss=round(sum(losses) / len(losses), 4),
                    seconds=round(self.seconds),
                    progress=round(progress, 4),
                )
                losses.clear()
            if time.monotonic() - last_save > 60 * self.plan.checkpoint_minutes:
                self._save()
                last_save = time.monotonic()
        self._save()
        self._log(event="end", step=self.step, seconds=round(self.seconds), **self.validate())

    def validate(self) -> dict[str, Any]:
        """Accuracy on the held-out rows by set and head, plain labels only."""
        logits = logits_of(self.network, self.held_out_encoded)
        return {"accuracy": accuracies(self.held_out, logits)}

    def _one(self, batch: list[int], progress: float) -> float:
        warmth = min(1.0, (self.step + 1) / max(1, self.plan.warm_up))
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * min(warmth, 1.0 - progress)
        ids, mask = pad([self.encoded[i] for i in batch], self.plan.multiple)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.plan.bf16):
            logits = self.network(ids, mask)
        loss = loss_of(
            logits,
            self.possible[batch],
            self.weights,
            self.row_weights[batch],
            torch.tensor(self.plan.head_weights),
        )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        trainable = [p for p in self.network.parameters() if p.requires_grad]
        torch.nn.utils.clip_grad_norm_(trainable, self.plan.clip)
        self.optimiser.step()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value} at step {self.step}")
        return value

    def _save(self) -> None:
        path = self.folder / "checkpoint.pt"
        torch.save(
            {
                "network": parameters_without(self.network),
                "optimiser": self.optimiser.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
            path.with_suffix(".part"),
        )
        path.with_suffix(".part").replace(path)

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            self.network.load_state_dict(state["network"], strict=False)
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.seconds = state["step"], state["seconds"]
            torch.manual_seed(self.plan.seed + self.step)

    def _log(self, **entry: Any) -> None:
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")


def _few(rows: list[Row], most: int) -> list[Row]:
    """At most ``most`` rows of each set and language, the first ones."""
    counts: Counter[tuple[str, str]] = Counter()
    taken = []
    for row in rows:
        counts[row.source, row.language] += 1
        if counts[row.source, row.language] <= most:
            taken.append(row)
    return taken


def accuracies(rows: list[Row], logits: NDArray[np.float32]) -> dict[str, float]:
    """Share of right labels by "set/language head", over the rows with one possible label."""
    right: dict[str, list[bool]] = {}
    at = 0
    for head, labels in HEADS.items():
        said = logits[:, at : at + len(labels)].argmax(1)
        at += len(labels)
        for row, label in zip(rows, said.tolist(), strict=True):
            known = getattr(row, head)
            if known.bit_count() == 1:
                name = f"{row.source}/{row.language} {head}"
                right.setdefault(name, []).append(known >> label == 1)
    return {name: round(sum(values) / len(values), 4) for name, values in sorted(right.items())}


def load_trained(folder: Path) -> tuple[Network, Any]:
    """Network at its last checkpoint, ready for scoring, and its tokenizer."""
    encoder, tokenizer = load_base(folder)
    network = Network(encoder, encoder.config.hidden_size)
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    network.load_state_dict(state["network"], strict=False)
    return network.eval(), tokenizer
