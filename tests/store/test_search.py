"""The text index finds Chinese words of two characters as well as words with spaces."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from store.assessments import claim_unassessed, record_assessments
from store.database import Store
from store.models import Mention
from store.search import contains
from tests.builders import AReading, a_brand, a_post, take_in
from tests.conftest import START

TEXTS = {
    "refund": "我要退款！客服一直不回",
    "queue": "退了再说，这款不好",
    "delay": "The flight was DELAYED again, café closed",
    "full": "ＡＢＣ１２３ full width",
    "japanese": "返金してほしいです",
    "quote": 'it\'s "quoted" & odd | text:*',
    "empty": "🙂🙂",
}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("退款", {"refund"}),
        ("退", {"refund", "queue"}),
        ("客服 退款", {"refund"}),
        ("一直不回", {"refund"}),
        ("delayed", {"delay"}),
        ("Cafe", {"delay"}),
        ("delayed 退款", set()),
        ("abc123", {"full"}),
        ("返金", {"japanese"}),
        ("it's quoted", {"quote"}),
        ("' OR 1=1 --", set()),
        ('"', set()),
        ("🙂", set()),
        ("", set()),
    ],
)
def test_words_find_the_mentions_that_hold_them_all(
    store: Store, words: str, found: set[str]
) -> None:
    with store.write() as session:
        take_in(session, [a_post(key, words) for key, words in TEXTS.items()], a_brand(session))
        waiting = claim_unassessed(session, "w", START)
        record_assessments(session, [(w, AReading()) for w in waiting], START)
    with store.read() as session:
        query = select(Mention.external_id).where(contains(session, words))
        assert set(session.scalars(query)) == found


def test_an_edited_mention_is_found_by_its_new_words_only(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        for text, edited_at in (("old words", None), ("new words", START)):
            take_in(session, [a_post("1", text, edited_at=edited_at)], brand)
            waiting = claim_unassessed(session, "w", START)
            record_assessments(session, [(w, AReading()) for w in waiting], START)
        assert session.scalar(select(Mention.id).where(contains(session, "new"))) is not None
        assert session.scalar(select(Mention.id).where(contains(session, "old"))) is None
