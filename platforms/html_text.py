"""The text of HTML: what a reader would see, without anything that a browser would run."""

from __future__ import annotations

import html
import re

import nh3

_BLOCK_END = re.compile(
    r"<\s*(?:br|hr)\b[^>]*>|<\s*/\s*(?:p|div|li|tr|h[1-6]|blockquote|pre|article|section)\s*>",
    re.IGNORECASE,
)
_UNSEEN = {"script", "style", "template", "noscript", "iframe", "object", "head", "title"}
_SPACES = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r"\s*\n\s*\n\s*|\s*\n\s*")


def html_to_text(markup: str) -> str:
    """Plain text, one line per paragraph. The result is text: escape it before showing it."""
    broken = _BLOCK_END.sub("\n", markup)
    stripped = nh3.clean(broken, tags=set(), clean_content_tags=_UNSEEN)
    plain = html.unescape(stripped).replace("\xa0", " ").replace("\0", "")
    return _BREAKS.sub("\n", _SPACES.sub(" ", plain)).strip()
