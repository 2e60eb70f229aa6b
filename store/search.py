"""The text index, made for Chinese as well as for languages with spaces.

Trigram indexes miss two-character Chinese words such as 退款. So a text is indexed as Latin words
plus single Chinese characters and pairs of neighbours; a Chinese search word becomes its pairs, all
of which must be there. SQLite keeps the tokens in FTS5 (unicode61), PostgreSQL in a tsvector.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.orm import Session

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af"
_PIECES = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+", re.UNICODE)
_IS_HAN = re.compile(rf"[{_HAN}]")
_MAX_WORD = 60


def fold(words: str) -> str:
    """Width and case folded, accents taken off Latin letters."""
    decomposed = unicodedata.normalize("NFKD", words).casefold()
    plain = "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", plain)


def tokens(words: str) -> list[str]:
    """The tokens under which a text is found."""
    found: list[str] = []
    for piece in _PIECES.findall(fold(words)):
        if _IS_HAN.match(piece):
            found += piece
            found += (piece[i : i + 2] for i in range(len(piece) - 1))
        else:
            found.append(piece[:_MAX_WORD])
    return found


def _wanted(words: str) -> list[str]:
    found: list[str] = []
    for piece in _PIECES.findall(fold(words)):
        if _IS_HAN.match(piece) and len(piece) > 1:
            found += (piece[i : i + 2] for i in range(len(piece) - 1))
        else:
            found.append(piece[:_MAX_WORD])
    return found


def index_texts(session: Session, texts: Mapping[int, str]) -> None:
    """Put texts into the index under their mention ids, replacing what stood there."""
    if not texts:
        return
    forget_text(session, list(texts))
    rows = [{"id": key, "tokens": " ".join(tokens(words))} for key, words in texts.items()]
    if session.get_bind().dialect.name == "sqlite":
        session.execute(
            text("INSERT INTO mention_text (rowid, tokens) VALUES (:id, :tokens)"), rows
        )
        return
    session.execute(
        text(
            "INSERT INTO mention_text (mention_id, document) "
            "SELECT id, array_to_tsvector(ARRAY(SELECT DISTINCT unnest(string_to_array(words, ' '))"
            ")) FROM unnest(CAST(:ids AS bigint[]), CAST(:words AS text[])) AS rows (id, words)"
        ),
        {"ids": [row["id"] for row in rows], "words": [row["tokens"] or "\u2205" for row in rows]},
    )


def forget_text(session: Session, mention_ids: Sequence[int]) -> None:
    """Take mentions out of the index."""
    column = "rowid" if session.get_bind().dialect.name == "sqlite" else "mention_id"
    statement = text(f"DELETE FROM mention_text WHERE {column} IN :ids")  # noqa: S608
    session.execute(statement.bindparams(bindparam("ids", expanding=True)), {"ids": mention_ids})


def contains(session: Session, words: str) -> TextClause:
    """A condition on the mention table: the text of the row holds all these words.

    Words without a single letter or digit match nothing.
    """
    wanted = _wanted(words)
    if not wanted:
        return text("1 = 0")
    if session.get_bind().dialect.name == "sqlite":
        expression = " AND ".join(f'"{token}"' for token in wanted)
        found = "SELECT rowid FROM mention_text WHERE mention_text MATCH :words"
    else:
        expression = " & ".join(f"'{token}'" for token in wanted)
        found = "SELECT mention_id FROM mention_text WHERE document @@ CAST(:words AS tsquery)"
    return text(f"mention.id IN ({found})").bindparams(words=expression)
