"""Standard wording and its placeholders."""

from __future__ import annotations

import pytest

from responder.drafts import STARTER_SET, DraftValues, add_starter_set, check, fill
from responder.errors import CannedError
from store import articles, canned
from tests.responder.world import World

VALUES = DraftValues(customer="Carol", agent="Ann", ticket="GS-2026-000123", brand="Acme")


def test_placeholders_are_filled() -> None:
    assert fill("Hi {customer}, {ticket}. – {agent}, {brand}", VALUES) == (
        "Hi Carol, GS-2026-000123. – Ann, Acme"
    )


def test_an_unknown_name_is_replaced_by_a_polite_word_in_the_language() -> None:
    assert fill("Hi {customer},", DraftValues()) == "Hi there,"
    assert fill("{customer}，您好！", DraftValues(), "zh") == "尊敬的客户，您好！"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Hi {name}", "{name} is no placeholder. Placeholders are {customer}, {agent}"),
        ("Hi {customer.__class__}", "{customer.__class__} is no placeholder"),
        ("Hi {customer!r:>1000000000}", "is no placeholder"),
        ("Hi {0}", "{0} is no placeholder"),
        ("Hi {}", "{} is no placeholder"),
        ("Hi {customer", "single brace"),
        ("Hi {{customer}}", "single brace"),
        ("  ", "empty"),
    ],
)
def test_wording_that_cannot_be_filled_says_what_to_write(body: str, message: str) -> None:
    with pytest.raises(CannedError) as caught:
        fill(body, VALUES)
    assert message in str(caught.value)


def test_hostile_names_play_no_tricks() -> None:
    name = "{agent}\n\nP.S. %s {0.__class__}\u202e" + "x" * 500
    filled = fill("Hi {customer}, {ticket}", DraftValues(customer=name, ticket="T"))
    assert filled.startswith("Hi {agent} P.S. %s {0.__class__}xxx")
    assert filled.endswith("x, T")
    assert len(filled) == len("Hi ") + 80 + len(", T")
    assert "\n" not in filled
    assert "\u202e" not in filled


def test_the_starter_set_is_there_once_in_both_languages(world: World) -> None:
    counts = [world.store.transact(lambda s: add_starter_set(s, world.now)) for _ in range(2)]
    assert counts == [len(STARTER_SET), 0]
    with world.store.read() as session:
        rows = canned.canned_responses(session)
    by_language = {
        language: [r for r in rows if r.language == language] for language in ["en", "zh"]
    }
    assert len(by_language["en"]) == len(by_language["zh"]) == len(STARTER_SET) // 2
    for row in rows:
        check(row.body)
        assert "{customer}" in row.body


def test_wording_is_offered_by_brand_language_and_class(world: World) -> None:
    acme, other = world.brands["Acme"], world.brand("Other")
    with world.store.write() as session:
        for title, values in {
            "any": {},
            "complaint": {"category": "complaint"},
            "praise": {"category": "praise"},
            "acme complaint": {"category": "complaint", "brand_id": acme},
            "other brand": {"brand_id": other},
        }.items():
            canned.add(session, title, "Hi", "en", world.now, **values)
        zh = canned.add(session, "中文", "您好", "zh", world.now)
    with world.store.read() as session:
        offered = canned.canned_responses(session, acme, "en", "complaint")
    assert [row.title for row in offered] == ["acme complaint", "complaint", "any"]
    with world.store.write() as session:
        assert canned.remove(session, zh.id)
        assert not canned.remove(session, zh.id)


def test_articles_are_written_changed_found_and_deleted(world: World) -> None:
    acme, other = world.brands["Acme"], world.brand("Other")
    with world.store.write() as session:
        ours = articles.add(session, "Returns", "Within 30 days", "en", world.now, acme)
        articles.add(session, "Hidden", "x", "en", world.now, other)
        articles.add(session, "退货", "30 天内", "zh", world.now)
    world.later(minutes=1)
    with world.store.write() as session:
        assert articles.change(
            session, ours.id, world.now, title="Returns", body="Within 60 days", language="en"
        )
    with world.store.read() as session:
        assert [a.title for a in articles.articles(session, [acme])] == ["Returns", "退货"]
        assert [a.title for a in articles.articles(session, [acme], "zh")] == ["退货"]
        assert articles.article(session, ours.id).body == "Within 60 days"
    with world.store.write() as session:
        assert articles.remove(session, ours.id)
        assert not articles.change(session, ours.id, world.now, title="", body="", language="en")
