"""What happens to a text before a model reads it: normalising, masking, cutting into windows."""

import html
import re
from collections.abc import Sequence

LONGEST = 16_000
"""Characters of a text that are read: of a longer one the first and the last half of these."""

_LINK = re.compile(r"(?:https?:/{0,2}|www\.)[!-;=?-~]+", re.IGNORECASE)
# Weibo names may be Chinese and end at a blank, colon or slash; without such an end the rest of
# the sentence would be swallowed.
_NAMED = re.compile(r"(?<![\w.])@[\w·-]{1,30}(?=[\s:：,，/)）]|$)")
_LATIN_NAMED = re.compile(r"(?<![\w.])@[A-Za-z0-9_]+")
_TOPIC = re.compile(r"\{%#(.*?)#%\}")
_REPEATED = re.compile(r"(.)\1{3,}", re.DOTALL)
_EMOTICON = re.compile(r"\[[^\[\]\s]{1,8}\]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_BLANKS = re.compile(r"\s+")


def shorten(text: str) -> str:
    """The text itself, or the two ends of a very long one (at most ``LONGEST`` characters)."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return text[:half] + " " + text[-half:]


def normalise(text: str) -> str:
    """The text as the model was trained to see it; never raises.

    Names become ``@user`` and links ``http`` as in TweetEval
    (https://github.com/cardiffnlp/tweeteval), so that a person or an address never decides a
    label.  Entities are unescaped, lone surrogates and control characters go, a character said
    more than three times is said three times, blanks are single.  Emoji and Weibo emoticons such
    as ``[怒]`` stay: they carry feeling.
    """
    text = shorten(text).encode("utf-8", "ignore").decode("utf-8")
    text = html.unescape(text).encode("utf-8", "ignore").decode("utf-8")
    text = _CONTROL.sub("", text)
    text = _TOPIC.sub(r"#\1#", text)
    text = _LINK.sub("http", text)
    text = _NAMED.sub("@user", text)
    text = _LATIN_NAMED.sub("@user", text)
    text = _REPEATED.sub(r"\1\1\1", text)
    return _BLANKS.sub(" ", text).strip()


def mask_emoticons(text: str) -> str:
    """The text without bracketed emoticons.

    For training sets whose labels were read off these emoticons: left in, a model learns the
    bracket and nothing else.
    """
    return _BLANKS.sub(" ", _EMOTICON.sub(" ", text)).strip()


def windows(pieces: Sequence[int], size: int, most: int) -> list[Sequence[int]]:
    """Cut ``pieces`` into at most ``most`` windows of at most ``size`` pieces.

    Windows follow each other without a gap as long as ``most`` allows; of longer texts they are
    taken at even distances, the beginning and the end always among them.  An empty text has one
    empty window.
    """
    count = len(pieces)
    if count <= size:
        return [pieces]
    needed = min(most, -(-count // size))
    step = (count - size) / (needed - 1) if needed > 1 else 0.0
    starts = [round(i * step) for i in range(needed)]
    return [pieces[start : start + size] for start in starts]
