"""Texts of invented posts: lines with gaps, filled and roughened as people write."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from listeners.scenarios.plan import FOLDER

_GAP = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"\{(\d+)-(\d+)\}")
_SHORT = {"please": "pls", "because": "bc", "you": "u", "thanks": "thx", "people": "ppl"}
_OFFICIAL = {"media", "statement"}

# What a careful reader would say of the lines of each pool: sentiment and intent.
MEANT = {
    "praise": ("positive", "praise"),
    "launch": ("positive", "praise"),
    "agree": ("positive", "praise"),
    "thanks": ("positive", "praise"),
    "relief": ("positive", "praise"),
    "defend": ("positive", "praise"),
    "complaint": ("negative", "complaint"),
    "app_down": ("negative", "complaint"),
    "me_too": ("negative", "complaint"),
    "still_waiting": ("negative", "complaint"),
    "witness": ("negative", "complaint"),
    "worry": ("negative", "complaint"),
    "bots": ("negative", "complaint"),
    "snark": ("negative", "complaint"),
    "enquiry": ("neutral", "enquiry"),
    "ask": ("neutral", "enquiry"),
    "suggestion": ("neutral", "suggestion"),
    "chatter": ("neutral", "other"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A text, the line it was made from (``en/praise/3``), and whether it names both brands."""

    text: str
    template: str
    names_other: bool = False


class Voice:
    """Everything said in one language of one scenario."""

    def __init__(self, scenario: str, language: str, slots: Mapping[str, Sequence[str]]) -> None:
        self.language = language
        common, own = _read("common", language), _read(scenario, language)
        self.pools: dict[str, list[str]] = {**common.get("texts", {}), **own.get("texts", {})}
        self._slots = {**common.get("slots", {}), **own.get("slots", {}), **slots}
        self._decor: dict[str, dict[str, list[str]]] = {
            **common.get("decor", {}),
            **own.get("decor", {}),
        }
        self._brands: dict[str, list[str]] = own.get("brand_forms", {})

    def line(
        self, pool: str, brand: str, other: str, rng: Random, place: int | None = None
    ) -> Line:
        """One text of a pool about a brand; ``place`` picks the line instead of chance."""
        lines = self.pools[pool]
        number = rng.randrange(len(lines)) if place is None else place
        text = self._filled(lines[number], rng)
        if pool not in _OFFICIAL and not pool.startswith(("answer", "bots")):
            text = self._roughened(self._decorated(text, pool, rng), pool, rng)
        text = self._with_brands(text, brand, other, rng, official=pool in _OFFICIAL)
        template = f"{self.language}/{pool}/{number}"
        return Line(text.strip(), template, "{other}" in lines[number])

    def note(self, rng: Random) -> str:
        """A few words that somebody puts before a repost."""
        notes = self.pools.get("repost_note", [])
        if not notes:
            return ""
        words = rng.choice(notes)
        if rng.random() < 0.4:
            words += rng.choice([" ", "... ", "。" if self.language == "zh" else ". "])
            words += rng.choice(notes)
        return words + rng.choice(["", "", "!", "!!", " 😱", " 😡", " 🙏", " 👀", "…"])

    def _filled(self, text: str, rng: Random) -> str:
        def gap(found: re.Match[str]) -> str:
            options = self._slots.get(found[1])
            return rng.choice(options) if options else found[0]

        text = _NUMBER.sub(lambda found: str(rng.randint(int(found[1]), int(found[2]))), text)
        if "{tag}" in text:
            text = text.replace("{tag}", f"#boycott{rng.randint(2, 9)} {rng.randint(1000, 99999)}")
        return _GAP.sub(gap, text)

    def _decorated(self, text: str, pool: str, rng: Random) -> str:
        decor = self._decor.get(pool, {})
        before, after = decor.get("before", []), decor.get("after", [])
        if before and rng.random() < 0.28:
            opener = rng.choice(before)
            if opener.endswith((": ", ", ", "but ")) and not text.startswith(("I ", "I'", "{")):
                text = text[0].lower() + text[1:]
            text = opener + text
        if after and rng.random() < 0.5:
            text = _joined(text, rng.choice(after))
        return text

    def _roughened(self, text: str, pool: str, rng: Random) -> str:
        if self.language == "zh":
            if rng.random() < 0.15:
                text = text.replace("，", " ")
            if rng.random() < 0.3 and text[-1] not in "？?！!。😍😡👎🙄":
                soft = MEANT.get(pool, ("",))[0] != "negative"
                text += rng.choice(["。", "！", "～" if soft else "。", "…", "！！"])
            return text
        if self.language == "ja":
            return text + rng.choice(["", "", "。", "！", "…"])
        if rng.random() < 0.35:
            text = re.sub(r"(?<!\.)\.$", "", text)
        if self.language == "en":
            if rng.random() < 0.16:
                text = text.lower()
            if rng.random() < 0.08:
                text = re.sub(
                    r"\b(" + "|".join(_SHORT) + r")\b", lambda word: _SHORT[word[0]], text
                )
            if rng.random() < 0.06:
                text = _with_slip(text, rng)
        return text

    def _with_brands(self, text: str, brand: str, other: str, rng: Random, official: bool) -> str:
        for gap, key in (("{brand}", brand), ("{other}", other)):
            while gap in text:
                forms = self._brands[key]
                text = text.replace(gap, forms[0] if official else rng.choice(forms), 1)
        text = re.sub(r" +([,.!?:，。！？：’'])", r"\1", re.sub(r"  +", " ", text))
        if text[:1].isascii() and not text.startswith(("@", "#")) and rng.random() < 0.85:
            text = text[:1].upper() + text[1:]
        return text


def _joined(text: str, after: str) -> str:
    """A text and what somebody adds to it, parted where nothing else parts them."""
    if after[:1] == " " and after[1:2].isupper() and text[-1:].isalnum():
        return f"{text}.{after}"
    if "\u4e00" <= after[:1] <= "\u9fff" and "\u4e00" <= text[-1:] <= "\u9fff":
        return f"{text}，{after}"
    if after[:1] == "，" and text[-1:] in "！？!?…”":
        return text + after[1:]
    return text.rstrip("。") + after


def _with_slip(text: str, rng: Random) -> str:
    """The text with two letters of one longer word swapped."""
    words = text.split(" ")
    places = [n for n, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    if not places:
        return text
    place = rng.choice(places)
    word = words[place]
    at = rng.randrange(1, len(word) - 2)
    words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


@cache
def _read(folder: str, language: str) -> dict[str, Any]:
    path = FOLDER / folder / f"{language}.toml"
    return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
