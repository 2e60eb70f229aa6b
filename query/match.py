"""Which brands a text mentions.

A query is a list of terms: ``"northlight coffee" OR northlight OR 北光咖啡 NOT "northern light*"``.
One of them must occur, and none of those after NOT or a minus sign.

- Case, full-width forms and typographic quotes make no difference (NFKC and case folding).
- A term in letters stands alone as a word: ``rose`` is not found in *prose*, but beside Chinese.
- A term in Chinese, Japanese, Korean or Thai is found anywhere, since no blanks part their words.
- ``"two words"`` must follow each other. ``*`` stands for any letters: ``light*``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from store.ingest import BrandHit

_UNSPACED = (
    "\u0e00-\u0eff\u1780-\u17ff"  # Thai, Lao, Khmer
    "\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\uac00-\ud7a3"  # Korean, Japanese syllables
    "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_LETTER = rf"[^\W{_UNSPACED}]"
_WORD = re.compile(rf"{_LETTER}+")
_RUN = re.compile(f"[{_UNSPACED}]+")
_WILD = r"\w{0,40}"
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe0f\ufeff]")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "「": '"', "」": '"'})
_TOKEN = re.compile(r'\s*(?P<minus>-)?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s",;，；、()（）]+))')
_BETWEEN = re.compile(r"[\s,;，；、]*")


class QueryError(ValueError):
    """A query that cannot be understood. ``column`` counts characters from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"Column {column}: {message}")
        self.column = column


def normalise(text: str) -> str:
    """The text as it is compared: NFKC, case folded, plain quotes, nothing invisible."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    return folded.translate(_QUOTES)


@dataclass(frozen=True, slots=True)
class Term:
    """One term, normalised, and the pattern that finds it in a normalised text."""

    text: str
    pattern: re.Pattern[str]

    def key(self) -> str:
        """A word or pair of characters that is in every text in which the term is found.

        Empty where there is none (``*light``).
        """
        for word in _WORD.finditer(self.text):
            before, after = self.text[: word.start()][-1:], self.text[word.end() :][:1]
            if "*" not in (before, after):
                return word[0]
        runs = [run[0] for run in _RUN.finditer(self.text)]
        longest = max(runs, key=len, default="")
        return longest[:2]


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query. ``text`` is what the person wrote."""

    text: str
    any_of: tuple[Term, ...]
    none_of: tuple[Term, ...]

    def matches(self, text: str) -> bool:
        """Whether the text is a mention."""
        return self.matches_normalised(normalise(text))

    def matches_normalised(self, text: str) -> bool:
        """The same for a text that ``normalise`` gave."""
        return any(term.pattern.search(text) for term in self.any_of) and not any(
            term.pattern.search(text) for term in self.none_of
        )


def compile_query(text: str) -> Query:
    """Understand a query. Raises QueryError, which says where it went wrong."""
    wanted: list[Term] = []
    unwanted: list[Term] = []
    negate_at: int | None = None
    for word, column, quoted, minus in _tokens(text):
        if not quoted and not minus and word in {"OR", "|"}:
            if negate_at is not None:
                raise QueryError("a term must follow NOT.", negate_at)
            continue
        if not quoted and not minus and word == "NOT":
            negate_at = column
            continue
        if not quoted and word in {"AND", "&"}:
            raise QueryError(
                'AND is not understood here; words that belong together go in quotes: "a b".',
                column,
            )
        term = _term(word, column)
        (unwanted if minus or negate_at is not None else wanted).append(term)
        negate_at = None
    if negate_at is not None:
        raise QueryError("a term must follow NOT.", negate_at)
    if not wanted:
        raise QueryError("give at least one word that makes a post a mention.", 1)
    return Query(text, tuple(wanted), tuple(unwanted))


def _tokens(text: str) -> Iterator[tuple[str, int, bool, bool]]:
    plain = text.translate(_QUOTES).replace("＂", '"').replace("\u3000", " ")
    place = _end_of_gap(plain, 0)
    while place < len(plain):
        found = _TOKEN.match(plain, place)
        if found is None:
            if plain[place : place + 2].lstrip("-")[:1] == '"':
                raise QueryError("this quotation mark is not closed.", place + 1)
            raise QueryError(f"{plain[place]!r} is not understood here.", place + 1)
        quoted = found["phrase"] is not None
        yield (
            found["phrase"] if quoted else found["word"],
            place + 1,
            quoted,
            found["minus"] is not None,
        )
        place = _end_of_gap(plain, found.end())


def _end_of_gap(text: str, place: int) -> int:
    gap = _BETWEEN.match(text, place)
    return gap.end() if gap else place


def _term(word: str, column: int) -> Term:
    text = " ".join(normalise(word).split())
    if not text.replace("*", "").strip():
        raise QueryError("this term is empty or matches everything.", column)
    pieces = [re.escape(piece) for piece in text.split("*")]
    pattern = re.sub(r"(?:\\ )+", r"\\s+", _WILD.join(pieces))
    if re.match(rf"{_LETTER}|[@#]", text):
        pattern = rf"(?<!{_LETTER}){pattern}"
    if re.search(rf"{_LETTER}$", text):
        pattern = rf"{pattern}(?!{_LETTER})"
    return Term(text, re.compile(pattern))


class BrandMatcher:
    """Finds the brands of a text among many queries.

    ``queries``: brand id, query id and query. A text is looked at once; only queries with a word
    or pair of characters that is in the text are tried.
    """

    def __init__(self, queries: Iterable[tuple[int, int | None, Query]]) -> None:
        self._queries = list(queries)
        self._by_key: dict[str, set[int]] = defaultdict(set)
        self._always: set[int] = set()
        for place, (_, _, query) in enumerate(self._queries):
            for term in query.any_of:
                key = term.key()
                if key:
                    self._by_key[key].add(place)
                else:
                    self._always.add(place)

    def brands_of(self, text: str) -> list[BrandHit]:
        """Each brand that the text mentions once, with the first of its queries that found it."""
        plain = normalise(text)
        found: dict[int, BrandHit] = {}
        for place in sorted(self.tried(plain)):
            brand, query_id, query = self._queries[place]
            if brand not in found and query.matches_normalised(plain):
                found[brand] = BrandHit(brand, query_id)
        return [found[brand] for brand in sorted(found)]

    def tried(self, plain: str) -> set[int]:
        """The places of the queries that may match a normalised text."""
        places = set(self._always)
        for key in _keys(plain):
            places |= self._by_key.get(key, _NOTHING)
        return places


_NOTHING: frozenset[int] = frozenset()


def _keys(text: str) -> set[str]:
    keys = set(_WORD.findall(text))
    for run in _RUN.findall(text):
        keys.update(run)
        keys.update(first + second for first, second in pairwise(run))
    return keys
