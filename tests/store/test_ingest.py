"""Mentions are stored once, in their conversations, for their brands, and counted."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.assessments import claim_unassessed, record_assessments
from store.database import Store
from store.ingest import BrandHit, Incoming, ingest
from store.models import (
    ALL_BRANDS,
    Author,
    Conversation,
    Mention,
    MentionBrand,
    MentionEdit,
    MentionVector,
    Rollup,
    RollupAuthor,
)
from store.posts import PostAuthor, Removal
from store.rollups import recount
from tests.builders import AReading, a_brand, a_post, take_in
from tests.conftest import START


def rows_of(session: Session, model: type[Any]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def counted(session: Session, brand: int, **where: Any) -> int:
    found = select(func.coalesce(func.sum(Rollup.mentions), 0)).where(Rollup.brand_id == brand)
    for name, value in where.items():
        found = found.where(getattr(Rollup, name) == value)
    return int(session.scalar(found) or 0)


def conversation_of(session: Session, external_id: str) -> int:
    return session.scalars(
        select(Mention.conversation_id).where(Mention.external_id == external_id)
    ).one()


def test_a_page_taken_in_twice_adds_nothing_the_second_time(store: Store) -> None:
    posts = [a_post(str(i), author=f"a{i % 3}") for i in range(50)]
    with store.write() as session:
        brand = a_brand(session)
        first = take_in(session, posts, brand)
    with store.write() as session:
        second = take_in(session, posts, brand)
    assert (first.added, second.added, second.known) == (50, 0, 50)
    with store.read() as session:
        assert rows_of(session, Mention) == 50
        assert rows_of(session, Author) == 3
        assert counted(session, brand, sentiment="unscored") == 50
        assert counted(session, ALL_BRANDS) == 50
        assert not recount(session)


def test_the_same_post_twice_in_one_page_is_stored_once(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        result = take_in(session, [a_post("1"), a_post("1"), a_post("2")], brand)
        assert (result.added, result.known) == (2, 1)
        assert rows_of(session, Mention) == 2


def test_the_same_id_in_another_namespace_is_another_mention(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1", namespace="a"), a_post("1", namespace="b")], brand)
        assert rows_of(session, Mention) == 2
        assert rows_of(session, Conversation) == 2


def test_a_post_about_two_brands_counts_once_for_each_and_once_for_all(store: Store) -> None:
    with store.write() as session:
        first = a_brand(session, "First", priority=1)
        second = a_brand(session, "Second", priority=2)
        drill = a_brand(session, "Drill", realm="drill", priority=0)
        take_in(session, [a_post("1")], second, first, drill)
        assert [counted(session, b) for b in (first, second, drill, ALL_BRANDS)] == [1, 1, 1, 1]
        leads = session.scalars(select(MentionBrand.brand_id).where(MentionBrand.leads)).all()
        assert leads == [first]
        assert not recount(session)


def test_a_drill_never_counts_for_all_brands(store: Store) -> None:
    with store.write() as session:
        drill = a_brand(session, "Drill", realm="drill")
        take_in(session, [a_post("1")], drill)
        assert counted(session, drill) == 1
        assert counted(session, ALL_BRANDS) == 0


def test_a_brand_found_later_is_added_with_the_reading_that_is_there(store: Store) -> None:
    with store.write() as session:
        first, second = a_brand(session, "First"), a_brand(session, "Second")
        take_in(session, [a_post("1")], first)
    with store.write() as session:
        waiting = claim_unassessed(session, "w", START)
        record_assessments(session, [(waiting[0], AReading())], START)
    with store.write() as session:
        take_in(session, [a_post("1")], first, second)
        assert counted(session, second, sentiment="negative") == 1
        assert counted(session, ALL_BRANDS) == 1
        assert not recount(session)


def test_our_own_posts_are_kept_but_not_counted(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1", direction="outbound")], brand)
        assert rows_of(session, Mention) == 1
        assert counted(session, brand) == 0
        assert not recount(session)


def test_an_edit_keeps_the_earlier_text_and_is_read_again(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1", "the old words")], brand)
        waiting = claim_unassessed(session, "w", START)
        record_assessments(session, [(waiting[0], AReading())], START)
    later = START + timedelta(minutes=5)
    with store.write() as session:
        edited = a_post("1", "the new words", edited_at=later)
        assert take_in(session, [edited], brand, now=later).edited == 1
        assert take_in(session, [edited], brand, now=later).edited == 0
        assert counted(session, brand, sentiment="negative") == 1
    with store.write() as session:
        waiting = claim_unassessed(session, "w", later)
        assert [w.text for w in waiting] == ["the new words"]
        record_assessments(
            session, [(waiting[0], AReading(sentiment="positive", intent="praise"))], later
        )
        assert session.scalars(select(MentionEdit.text)).all() == ["the old words"]
        assert counted(session, brand, sentiment="positive") == 1
        assert counted(session, brand, sentiment="negative") == 0
        assert not recount(session)


def test_an_older_version_that_comes_late_changes_nothing(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        newer = a_post("1", "second", edited_at=START)
        take_in(session, [newer], brand)
        take_in(session, [replace(newer, text="first", edited_at=None)], brand)
        assert session.scalars(select(Mention.text)).one() == "second"


def test_a_post_deleted_on_its_platform_leaves_a_tombstone_and_its_counts(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1", "something regretted")], brand)
        waiting = claim_unassessed(session, "w", START)
        record_assessments(session, [(waiting[0], AReading())], START)
        gone = Removal("demo", "1")
        assert ingest(session, [], live=True, now=START, removals=[gone]).removed == 1
        assert ingest(session, [], live=True, now=START, removals=[gone]).removed == 0
        mention = session.scalars(select(Mention)).one()
        session.refresh(mention)
        assert (mention.text, mention.deleted_at) == ("", START)
        assert rows_of(session, MentionVector) == 0
        assert counted(session, brand, sentiment="negative") == 1
        assert take_in(session, [a_post("1", "something regretted")], brand).known == 1
        session.refresh(mention)
        assert mention.text == ""


def test_a_reply_joins_its_parents_conversation_whichever_comes_first(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("root")], brand)
        take_in(session, [a_post("answer", in_reply_to="root")], brand)
        take_in(session, [a_post("late-child", in_reply_to="late-parent")], brand)
        take_in(session, [a_post("late-parent")], brand)
        assert conversation_of(session, "root") == conversation_of(session, "answer")
        assert conversation_of(session, "late-child") == conversation_of(session, "late-parent")
        assert rows_of(session, Conversation) == 2


def test_a_chain_that_arrives_youngest_first_ends_in_one_conversation(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("c", in_reply_to="b")], brand)
        take_in(session, [a_post("b", in_reply_to="a")], brand)
        take_in(session, [a_post("a")], brand)
        assert len({conversation_of(session, name) for name in "abc"}) == 1


def test_a_thread_within_one_page_is_one_conversation_under_its_root(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        page = [
            a_post("c", in_reply_to="b", conversation="a"),
            a_post("b", in_reply_to="a", conversation="a"),
            a_post("a"),
            a_post("x"),
        ]
        take_in(session, page, brand)
        assert len({conversation_of(session, name) for name in "abc"}) == 1
        assert conversation_of(session, "x") != conversation_of(session, "a")
        roots = session.scalars(select(Conversation.external_id)).all()
        assert sorted(roots) == ["a", "x"]


def test_posts_that_answer_each_other_in_a_circle_end_in_one_conversation(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("a", in_reply_to="b"), a_post("b", in_reply_to="a")], brand)
        assert rows_of(session, Conversation) == 1


def test_an_author_is_stored_once_and_kept_up_to_date(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1", author="ann")], brand)
        newer = replace(a_post("2"), author=PostAuthor("ann", handle="@ann2", followers=900))
        take_in(session, [newer], brand)
    with store.read() as session:
        author = session.scalars(select(Author)).one()
        assert (author.handle, author.followers) == ("@ann2", 900)
        people = session.scalars(
            select(RollupAuthor.mentions).where(RollupAuthor.brand_id == brand)
        )
        assert people.all() == [2]


def test_hostile_and_odd_text_is_kept_as_it_came(store: Store) -> None:
    odd = "<script>alert(1)</script> \u202e退款 👩‍👩‍👧 '; DROP TABLE mention; --"
    with store.write() as session:
        brand = a_brand(session)
        take_in(session, [a_post("1", odd)], brand)
    with store.read() as session:
        assert session.scalars(select(Mention.text)).one() == odd


def _race(url: str, brand: int, start: int) -> None:
    store = Store(url)
    for page in range(start, start + 10):
        posts = [a_post(str(page * 20 + i), author=f"a{i}") for i in range(20)]
        store.transact(lambda session, posts=posts: take_in(session, posts, brand))  # type: ignore[misc]
    store.close()


def test_two_processes_that_take_in_the_same_posts_store_each_once(store: Store) -> None:
    with store.write() as session:
        brand = a_brand(session)
    url = store.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    racers = [context.Process(target=_race, args=(url, brand, start)) for start in (0, 3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    with store.read() as session:
        assert rows_of(session, Mention) == 13 * 20
        assert rows_of(session, Author) == 20
        assert counted(session, brand) == 13 * 20
        assert not recount(session)


@pytest.mark.parametrize("live", [True, False])
def test_history_and_live_mentions_are_told_apart(store: Store, live: bool) -> None:
    with store.write() as session:
        brand = a_brand(session)
        ingest(
            session,
            [Incoming(a_post("1"), [BrandHit(brand)])],
            live=live,
            now=START,
            source_id=None,
        )
        assert session.scalars(select(Mention.live)).one() is live
