"""A smaller vocabulary: keep the pieces our languages use, drop the rest.

A multilingual encoder of this size is mostly embedding table.  A Unigram tokenizer stays valid
when pieces are taken out of it: a word whose piece is gone is cut into shorter ones, and as every
single character of our scripts is kept, nothing becomes unknown that was known before.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

MARK = "▁"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_WESTERN = set("abcdefghijklmnopqrstuvwxyzäöüßàâæçéèêëîïôœùûÿáíñóúìòãõ'-")
_SCRIPTS = ("LATIN", "CJK", "HIRAGANA", "KATAKANA", "ARABIC", "DEVANAGARI", "CYRILLIC", "HANGUL")


def script(character: str) -> str:
    """First word of the character's Unicode name: LATIN, CJK, HANGUL …, empty if it has none."""
    return unicodedata.name(character, "").split(" ")[0]


def is_needed_character(character: str) -> bool:
    """Whether a piece of this one character stays: our scripts, digits, signs, emoji."""
    kind = unicodedata.category(character)[0]
    return kind in "NPSZ" or (kind in "LM" and script(character) in (*_SCRIPTS, "THAI", "GREEK"))


def pieces_in(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[str]:
    """How often each piece occurs in ``texts``."""
    counts: Counter[int] = Counter()
    remaining = iter(texts)
    while batch := list(islice(remaining, 4096)):
        for encoding in tokenizer.encode_batch(batch, add_special_tokens=False):
            counts.update(encoding.ids)
    return Counter({str(tokenizer.id_to_token(i)): n for i, n in counts.items()})


def choose(
    vocabulary: Sequence[tuple[str, float]], seen: Counter[str], size: int
) -> NDArray[np.int64]:
    """Numbers of the pieces to keep, ascending, about ``size`` of them.

    First the special ones, single characters of our scripts and all that was seen; then the most
    probable pieces spelled in the letters of our western languages.  When there are too many, those
    seen only once go first.
    """
    kept: set[int] = set()
    once: list[int] = []
    western: list[int] = []
    for number, (piece, _) in enumerate(vocabulary):
        bare = piece.replace(MARK, "")
        if (
            piece in SPECIAL
            or not bare
            or (len(bare) == 1 and is_needed_character(bare))
            or seen[piece] > 1
        ):
            kept.add(number)
        elif seen[piece] == 1:
            once.append(number)
        elif set(bare.lower()) <= _WESTERN:
            western.append(number)
    for number in (*once, *western):  # ascending: the most probable first
        if len(kept) >= size:
            break
        kept.add(number)
    return np.array(sorted(kept), dtype=np.int64)


def prune(tokenizer_json: str, keep: NDArray[np.int64]) -> str:
    """The ``tokenizer.json`` that has only the pieces numbered ``keep``, renumbered from 0.

    ``keep`` must hold the special pieces.  Scores, normaliser and templates stay as they are.
    """
    description: dict[str, Any] = json.loads(tokenizer_json)
    vocabulary = description["model"]["vocab"]
    pieces = [vocabulary[number] for number in keep.tolist()]
    numbers = {piece: number for number, (piece, _) in enumerate(pieces)}
    description["model"]["vocab"] = pieces
    description["model"]["unk_id"] = numbers["<unk>"]
    description["added_tokens"] = [
        token | {"id": numbers[token["content"]]}
        for token in description["added_tokens"]
        if token["content"] in numbers
    ]
    templates = description.get("post_processor", {}).get("special_tokens", {})
    for name, template in templates.items():
        template["ids"] = [numbers[name]]
    description["truncation"] = description["padding"] = None
    return json.dumps(description, ensure_ascii=False)
