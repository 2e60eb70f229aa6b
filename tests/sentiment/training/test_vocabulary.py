import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from sentiment.training.vocabulary import choose, is_needed_character, pieces_in, prune

PIECES: list[tuple[str, float]] = [
    ("<s>", 0.0),
    ("<pad>", 0.0),
    ("</s>", 0.0),
    ("<unk>", 0.0),
    ("▁", -2.0),
    ("▁good", -3.0),
    ("▁go", -4.0),
    ("od", -4.5),
    ("▁ბევრი", -4.6),
    ("g", -5.0),
    ("o", -5.0),
    ("d", -5.0),
    ("差", -6.0),
    ("差评", -6.5),
    ("评", -7.0),
    ("😀", -8.0),
    ("▁mother", -9.0),
    ("ბ", -9.0),
    ("<mask>", 0.0),
]


def tokenizer_json() -> str:
    description: dict[str, Any] = {
        "version": "1.0",
        "truncation": {
            "direction": "Right",
            "max_length": 4,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number, name in (
                (0, "<s>"),
                (1, "<pad>"),
                (2, "</s>"),
                (3, "<unk>"),
                (18, "<mask>"),
            )
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "</s>", "type_id": 0}},
            ],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 0}},
            ],
            "special_tokens": {
                "<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]},
            },
        },
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": PIECES, "byte_fallback": False},
    }
    return json.dumps(description)


def test_pieces_are_counted_as_the_tokenizer_cuts() -> None:
    counts = pieces_in(Tokenizer.from_str(tokenizer_json()), ["good good", "差评"])
    assert counts["▁good"] == 2
    assert counts["差评"] == 1


def test_single_characters_of_our_scripts_always_stay() -> None:
    keep = choose(PIECES, Counter(), 4)
    kept = {PIECES[number][0] for number in keep.tolist()}
    assert {"<s>", "<pad>", "</s>", "<unk>", "▁", "g", "差", "评", "😀"} <= kept
    assert "ბ" not in kept
    assert "▁ბევრი" not in kept


def test_what_was_seen_stays_and_western_pieces_fill_the_rest() -> None:
    keep = choose(PIECES, Counter({"差评": 2, "▁go": 1}), 14)
    kept = {PIECES[number][0] for number in keep.tolist()}
    assert {"差评", "▁go"} <= kept
    assert "▁good" in kept
    assert "▁mother" not in kept


def test_the_pruned_tokenizer_is_valid_and_cuts_lost_words_into_known_pieces() -> None:
    keep = choose(PIECES, Counter({"od": 2, "▁go": 2}), 4)
    pruned = Tokenizer.from_str(prune(tokenizer_json(), keep))
    assert pruned.get_vocab_size() == len(keep)
    encoding = pruned.encode("good 差评 😀")
    assert encoding.tokens == ["<s>", "▁go", "od", "▁", "差", "评", "▁", "😀", "</s>"]
    assert encoding.ids[0] == 0
    assert encoding.ids[-1] == 2
    assert max(pruned.encode("差评").ids) < len(keep)


def test_rows_of_the_embedding_follow_the_pieces() -> None:
    keep = choose(PIECES, Counter(), 4)
    pruned = Tokenizer.from_str(prune(tokenizer_json(), keep))
    for number, old in enumerate(keep.tolist()):
        assert pruned.id_to_token(number) == PIECES[old][0]
    assert np.all(np.diff(keep) > 0)


@pytest.mark.parametrize("character", ["a", "é", "差", "ア", "ب", "ह", "я", "7", "¥", "🔥", "！"])
def test_letters_signs_and_emoji_are_needed(character: str) -> None:
    assert is_needed_character(character)


@pytest.mark.parametrize("character", ["ბ", "հ", "ሀ"])
def test_letters_of_other_scripts_are_not(character: str) -> None:
    assert not is_needed_character(character)
