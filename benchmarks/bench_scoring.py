"""Texts a second of the bundled model against transformers pipelines, in one run.

    python benchmarks/bench_scoring.py [--texts 1500] [--slow-texts 200] [--file FILE.csv]

The pipelines hold classifiers with random weights, which cost as much as trained ones: one of the
size of the bundled encoder (12 layers of 384) and one of the size of XLM-R base (12 of 768), from
which most published multilingual sentiment models are made.  Both get the bundled tokenizer, so
that all sides read the same pieces.  The bundled model does more in its time: four heads, a
vector and the language.  The slow sides get fewer texts; rates are comparable all the same.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence

import pandas as pd
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    pipeline,
)

from sentiment.encoder import MODEL, TOKENIZER, BundledModel

ENGLISH = """the parcel has still not arrived and nobody answers my mails about it again today
    please tell me when this will be solved because i have waited for two weeks now and need it"""
CHINESE = "快递 三天 还 没到 客服 一直 不 回复 真的 太 失望 了 请 尽快 处理 谢谢 东西 不错"


def made_up(count: int) -> list[str]:
    """Posts of about 30 pieces, two thirds English, one third Chinese, of varied length."""
    chance = random.Random(7)
    english, chinese = ENGLISH.split(), CHINESE.split()
    texts = []
    for number in range(count):
        length = max(4, round(chance.gauss(26, 9)))
        if number % 3:
            texts.append("@brand " + " ".join(chance.choices(english, k=length)))
        else:
            texts.append("".join(chance.choices(chinese, k=length // 2)))
    return texts


def rate(score: Callable[[Sequence[str]], object], texts: Sequence[str], runs: int) -> float:
    """Best of ``runs`` rates, texts a second, after one run over a few texts to warm up."""
    score(texts[:64])
    best = 0.0
    for _ in range(runs):
        started = time.perf_counter()
        score(texts)
        best = max(best, len(texts) / (time.perf_counter() - started))
    return best


def classifier(hidden: int, heads: int) -> Callable[..., object]:
    """A transformers pipeline around a classifier with random weights."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(MODEL / TOKENIZER),
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=512,
        model_input_names=["input_ids", "attention_mask"],
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=12,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        num_labels=3,
    )
    model = BertForSequenceClassification(config).eval()
    made: Callable[..., object] = pipeline(
        "text-classification", model=model, tokenizer=tokenizer, device="cpu"
    )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--texts", type=int, default=1_500)
    parser.add_argument("--slow-texts", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--file", help="CSV with a column named text instead of made-up posts")
    options = parser.parse_args()
    texts = made_up(options.texts)
    if options.file:
        texts = pd.read_csv(options.file)["text"].astype(str).head(options.texts).tolist()
    slow = texts[: options.slow_texts]
    torch.manual_seed(1)
    small, base = classifier(384, 12), classifier(768, 12)
    started = time.perf_counter()
    bundled = BundledModel.load()
    load = time.perf_counter() - started
    half = BundledModel.load_from(MODEL, precision="bf16")
    rates = {
        "bundled model": rate(bundled.assess, texts, options.runs),
        "bundled model, bf16": rate(half.assess, texts, options.runs),
        "pipeline, same size": rate(lambda t: small(list(t)), slow, options.runs),
        "pipeline, same size, batch 32": rate(
            lambda t: small(list(t), batch_size=32), slow, options.runs
        ),
        "pipeline, XLM-R base size": rate(lambda t: base(list(t)), slow, options.runs),
        "pipeline, XLM-R base size, batch 32": rate(
            lambda t: base(list(t), batch_size=32), slow, options.runs
        ),
    }
    ours = rates["bundled model"]
    print(f"loaded in {load:.1f} s; {len(texts)} texts, best of {options.runs}")
    for name, value in rates.items():
        print(f"{name:38}{value:9.1f} texts/s   bundled is {ours / value:5.1f} times as quick")


if __name__ == "__main__":
    main()
