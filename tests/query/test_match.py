from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query.match import BrandMatcher, QueryError, compile_query
from store.ingest import BrandHit


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("northlight", "I love Northlight!"),
        ("northlight", "NORTHLIGHT's new can"),
        ("northlight", "#northlight is back"),
        ("northlight", "@Northlight where is my order"),
        ("northlight", "今天喝了northlight咖啡"),
        ("northlight", "ｎｏｒｔｈｌｉｇｈｔ rules"),
        ("northlight", "north\u200blight"),
        ("Northlight OR Harbor", "harbor roast again"),
        ("northlight harbor", "the harbor one"),
        ("northlight, harbor; 北光", "北光今天排队"),
        ("northlight | harbor", "harbor"),
        ('"harbor roast"', "The Harbor   Roast shop"),
        ('"harbor roast"', "harbor\nroast"),
        ("“harbor roast”", "harbor roast"),
        ("「北光咖啡」", "我爱北光咖啡"),
        ("北光咖啡", "周末去了北光咖啡打卡"),
        ("北光", "北光咖啡"),
        ("港湾烘焙", "#港湾烘焙# 新品"),
        ("北光 NOT 北光电力", "北光咖啡出新品了"),
        ("north*", "northlights everywhere"),
        ("*light", "moonlight serenade"),
        ("n*light", "northlight"),
        ("北*咖啡", "北光咖啡好喝"),
        ("北*咖啡", "北极光咖啡好喝"),
        ("caffè", "il CAFFÈ"),
        ("straße", "STRASSE"),
        ("don't", "I don’t know"),
        ("m&m's", "M&M’s forever"),
        ("h&m", "bought it at H&M."),
        ("c++", "c++ is hard"),
        ("3m", "a 3M mask"),
        ("스타벅스", "스타벅스가 좋아"),
        ("スターバックス", "昨日スターバックスで"),
        ("@acme", "hi @acme!"),
        ("☕", "morning ☕ time"),
        ("OR northlight", "northlight"),
        ('"NOT"', "do not"),
        ("-decaf northlight", "northlight espresso"),
        ("light-roast", "a light-roast please"),
        ("ﬁne", "fine"),
    ],
)
def test_a_mention_is_found(query: str, text: str) -> None:
    assert compile_query(query).matches(text)
    hits = BrandMatcher([(7, 3, compile_query(query))]).brands_of(text)
    assert hits == [BrandHit(7, 3)]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("rose", "a piece of prose"),
        ("rose", "roses"),
        ("rose", "rosé"),
        ("acme", "acme2"),
        ("acme", "@acme_care"),
        ('"harbor roast"', "roast at the harbor"),
        ('"harbor roast"', "harbor roasters"),
        ("北光咖啡", "北光的咖啡"),
        ("北光咖啡", "北 光 咖 啡"),
        ("北光 NOT 北光电力", "北光电力停电通知"),
        ("northlight NOT decaf", "northlight decaf"),
        ("northlight -decaf", "Decaf from Northlight"),
        ('northlight -"northern lights"', "northlight and the Northern  Lights"),
        ("northlight -招聘", "northlight 招聘店长"),
        ("north*", "the far-off unnorth"),
        ("*light", "lights"),
        ("北*咖啡", "北方的朋友，今天我们不喝茶。来点咖啡"),
        ("@acme", "mail me@acme.com"),
        ("h&m", "h m"),
        ("3m", "13mm"),
        ("northlight", ""),
        ("light-roast", "light roast"),
    ],
)
def test_what_only_looks_alike_is_no_mention(query: str, text: str) -> None:
    assert not compile_query(query).matches(text)
    assert BrandMatcher([(7, 3, compile_query(query))]).brands_of(text) == []


@pytest.mark.parametrize(
    ("query", "column", "message"),
    [
        ("", 1, "at least one word"),
        ("   ", 1, "at least one word"),
        ("NOT decaf", 1, "at least one word"),
        ("-decaf", 1, "at least one word"),
        ("a NOT", 3, "must follow NOT"),
        ("a NOT OR b", 3, "must follow NOT"),
        ('a "b c', 3, "not closed"),
        ("北光 “咖啡", 4, "not closed"),
        ("a AND b", 3, "AND is not understood"),
        ("a (b OR c)", 3, "'\\('"),
        ("a *", 3, "matches everything"),
        ('a ""', 3, "empty"),
    ],
)
def test_a_wrong_query_says_where_it_goes_wrong(query: str, column: int, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        compile_query(query)
    assert caught.value.column == column


def test_one_text_may_concern_several_brands_and_each_counts_once() -> None:
    matcher = BrandMatcher(
        [
            (2, 20, compile_query("harbor OR 港湾烘焙")),
            (1, 10, compile_query("decaf")),
            (1, 11, compile_query("northlight OR 北光")),
            (1, 12, compile_query("north*")),
            (3, None, compile_query("tea")),
        ]
    )
    text = "Northlight vs Harbor: 北光完胜港湾烘焙"
    assert matcher.brands_of(text) == [BrandHit(1, 11), BrandHit(2, 20)]


_words = st.lists(
    st.sampled_from(["north", "light", "北光", "咖啡", "tea", "北", "*", "teas", "a-b", "x*"]),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(_words, st.lists(_words, min_size=1, max_size=4))
def test_the_index_over_many_queries_leaves_none_out(
    text: list[str], queries: list[list[str]]
) -> None:
    compiled = [
        compile_query(" ".join(f'"{word}z"' if word == "*" else word for word in query))
        for query in queries
    ]
    said = "".join(text)
    expected = [BrandHit(n, n) for n, query in enumerate(compiled) if query.matches(said)]
    matcher = BrandMatcher([(n, n, query) for n, query in enumerate(compiled)])
    assert matcher.brands_of(said) == expected


def test_of_a_thousand_queries_only_those_are_tried_that_may_match() -> None:
    text = "昨天在港湾烘焙买的面包有点硬，brand5 was better though, honestly"
    queries = [(n, n, compile_query(f"brand{n} OR 品牌{n:04d}")) for n in range(1_000)]
    matcher = BrandMatcher([*queries, (1_000, 1_000, compile_query("*onest"))])
    assert matcher.tried(text) == {5, 1_000}
    assert matcher.brands_of(text) == [BrandHit(5, 5)]
