import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
)

from sentiment.base import ModelError, Sentiment, SentimentModel
from sentiment.hub import HubModel, map_labels

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "the", "food", "was"]


def build(folder: Path, names: list[str], classifier: bool = True) -> Path:
    """A tiny model with random weights, as transformers saves it."""
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )
    kind: Any = BertForSequenceClassification if classifier else BertModel
    kind(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> HubModel:
    folder = build(tmp_path_factory.mktemp("hub") / "tiny", ["LABEL_0", "LABEL_1", "LABEL_2"])
    return HubModel.load(str(folder))


def test_it_satisfies_the_same_contract(tiny: HubModel) -> None:
    contract: SentimentModel = tiny
    assert contract.name == "tiny"
    texts = ["the food was good", "bad", "", "😀", "good " * 500, "\ud800", "x" * 100_000]
    answers = contract.assess(texts)
    assert len(answers) == len(texts)
    for answer in answers:
        total = answer.p_negative + answer.p_neutral + answer.p_positive
        assert total == pytest.approx(1.0, abs=1e-6)
        assert answer.model == "tiny"
    assert contract.assess([]) == []


def test_its_labels_do_not_depend_on_neighbours(tiny: HubModel) -> None:
    texts = ["good", "the food was bad", "good bad " * 20, "was " * 300]
    together = [answer.sentiment for answer in tiny.assess(texts)]
    assert [tiny.assess([text])[0].sentiment for text in texts] == together
    assert [a.sentiment for a in tiny.assess(texts[::-1])][::-1] == together


def test_its_probabilities_are_those_of_transformers(tiny: HubModel) -> None:
    ids = torch.tensor([[2, 6, 7, 8, 4, 3]])
    with torch.inference_mode():
        expected = tiny._classifier(input_ids=ids).logits.softmax(-1)[0].tolist()
    (answer,) = tiny.assess(["the food was good"])
    found = [answer.p_negative, answer.p_neutral, answer.p_positive]
    assert found == pytest.approx(expected, abs=1e-5)


def test_what_a_foreign_model_does_not_know_comes_from_the_bundled_one(tiny: HubModel) -> None:
    (answer,) = tiny.assess(["How can I reset my password?"])
    assert answer.intent == "enquiry"
    assert answer.language == "en"


@pytest.mark.parametrize(
    ("published", "mapped"),
    [
        (["LABEL_0", "LABEL_1", "LABEL_2"], "negative neutral positive"),
        (["LABEL_0", "LABEL_1"], "negative positive"),
        (["NEGATIVE", "POSITIVE"], "negative positive"),
        (["POS", "NEU", "NEG"], "positive neutral negative"),
        (
            ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"],
            "negative negative neutral positive positive",
        ),
        (
            ["Very Negative", "Negative", "Neutral", "Positive", "Very Positive"],
            "negative negative neutral positive positive",
        ),
        (["负面", "中性", "正面"], "negative neutral positive"),
        (["positive", "mixed", "negative"], "positive neutral negative"),
    ],
)
def test_published_labels_are_understood(published: list[str], mapped: str) -> None:
    assert map_labels(published) == [Sentiment(label) for label in mapped.split()]


def test_explicit_labels_come_first_and_may_ignore_case() -> None:
    found = map_labels(["anger", "joy"], {"Anger": "negative", "JOY": "positive"})
    assert found == [Sentiment.negative, Sentiment.positive]


@pytest.mark.parametrize(
    ("published", "explicit", "message"),
    [
        (["anger", "joy"], None, r"labels=\{'anger'"),
        (["negative", "positive"], {"postive": "positive"}, "no label postive"),
        (["negative", "positive"], {"positive": "great"}, "none of ours"),
        (["neutral", "positive"], None, "must know negative and positive"),
        (["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"], None, "LABEL_0"),
    ],
)
def test_labels_that_cannot_be_understood_name_the_fix(
    published: list[str], explicit: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        map_labels(published, explicit)


def test_an_unreachable_model_names_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="give its folder"):
        HubModel.load("nobody/no-such-model")


def test_a_model_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    folder = build(tmp_path / "bare", ["LABEL_0", "LABEL_1", "LABEL_2"], classifier=False)
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["BertModel"]
    with pytest.raises(ModelError, match="no trained classifier"):
        HubModel.load(str(folder))
