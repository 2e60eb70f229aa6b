"""Standard wording as it is edited."""

from __future__ import annotations

from store import canned
from store.database import Store
from tests.builders import a_brand
from tests.conftest import START


def test_wording_is_changed_in_place_and_listed_for_the_brands_asked_for(store: Store) -> None:
    with store.write() as session:
        mine, other = a_brand(session, "Acme"), a_brand(session, "Rival")
        first = canned.add(session, "Thanks", "Thank you", "en", START, category="praise").id
        canned.add(session, "Ours", "Hi", "en", START, brand_id=mine)
        canned.add(session, "Theirs", "Hi", "en", START, brand_id=other)
        assert canned.change(session, first, "谢谢", "{customer}，谢谢", "zh", brand_id=mine)
        assert not canned.change(session, first + 100, "x", "x", "en")
        session.expire_all()
        found = [
            (row.title, row.body, row.language, row.category, row.brand_id)
            for row in canned.all_of(session, [mine])
        ]
    assert found == [
        ("Ours", "Hi", "en", None, mine),
        ("谢谢", "{customer}，谢谢", "zh", None, mine),
    ]
