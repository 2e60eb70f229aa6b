"""How long a text is, as a platform counts it."""

from __future__ import annotations

from typing import Literal

import regex

_GRAPHEME = regex.compile(r"\X")


def length(text: str, counts: Literal["graphemes", "characters", "utf16"]) -> int:
    """The length of a text in graphemes (what a reader sees as one sign), code points, or UTF-16
    units.
    """
    if counts == "graphemes":
        return sum(1 for _ in _GRAPHEME.finditer(text))
    if counts == "utf16":
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text)
