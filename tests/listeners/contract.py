"""What every listener must hold, whatever its platform.

A test module gives a ``world``: a platform that the test controls, real or fake.

    class TestBlueskyFake(ListenerContract):
        @pytest.fixture
        def world(self) -> Iterator[ListenerWorld]: ...

What a platform cannot do (edit, delete, refuse a password) its world answers with False, and the
test of it is skipped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from typing import Protocol

import pytest

from listeners.base import Listener, ListenerError
from store.posts import Batch, Cursor, Post

Identity = tuple[str, str, str]

# Lengths of the store's columns (store/models/mentions.py).
LONGEST = {"platform": 40, "namespace": 200, "external_id": 400, "language": 8, "kind": 20}


class ListenerWorld(Protocol):
    """A platform under the test's control."""

    def listener(self) -> Listener:
        """A fresh listener on a working source, as a new process would make it."""
        ...

    def publish(self, text: str) -> str:
        """Somebody says this to us; gives its external id."""
        ...

    def edit(self, external_id: str, text: str) -> bool:
        """Change its text on the platform; False where posts cannot be edited."""
        ...

    def delete(self, external_id: str) -> bool:
        """Delete it on the platform; False where that is not followed."""
        ...

    def refused(self) -> Listener | None:
        """A listener with a wrong password, None where there is none."""
        ...

    def unreachable(self) -> Listener:
        """A listener whose server does not answer."""
        ...


def identity(post: Post) -> Identity:
    return post.platform, post.namespace, post.external_id


def stored_cursor(cursor: Cursor | None) -> Cursor | None:
    """A cursor as it comes back from the database."""
    return None if cursor is None else json.loads(json.dumps(dict(cursor)))


def run(listener: Listener, cursor: Cursor | None = None) -> tuple[list[Post], Cursor | None]:
    """One whole run: its posts, and the cursor that would be saved."""
    posts: list[Post] = []
    for batch in listener.fetch(stored_cursor(cursor)):
        posts += batch.posts
        cursor = batch.cursor if batch.cursor is not None else cursor
    listener.close()
    return posts, stored_cursor(cursor)


def texts(posts: Sequence[Post]) -> Counter[str]:
    return Counter(post.text for post in posts)


class ListenerContract:
    """Inherit it and give a ``world`` fixture."""

    @pytest.fixture
    def world(self) -> Iterator[ListenerWorld]:
        raise NotImplementedError

    def publish(self, world: ListenerWorld, count: int, what: str = "first") -> list[str]:
        return [world.publish(f"The {what} kettle, number {number}") for number in range(count)]

    def test_the_first_run_gives_everything_once_and_a_cursor_at_the_end(
        self, world: ListenerWorld
    ) -> None:
        published = self.publish(world, 5)
        batches = list(world.listener().fetch(None))
        found = Counter(post.external_id for batch in batches for post in batch.posts)
        assert {one: found[one] for one in published} == dict.fromkeys(published, 1)
        assert batches[-1].cursor is not None

    def test_a_second_run_gives_nothing_new(self, world: ListenerWorld) -> None:
        self.publish(world, 3)
        first, cursor = run(world.listener())
        second, _ = run(world.listener(), cursor)
        assert {identity(post) for post in second} <= {identity(post) for post in first}

    def test_what_comes_between_two_runs_is_in_the_second(self, world: ListenerWorld) -> None:
        self.publish(world, 3)
        _, cursor = run(world.listener())
        later = self.publish(world, 4, "second")
        posts, cursor = run(world.listener(), cursor)
        assert set(later) <= {post.external_id for post in posts}
        evening = self.publish(world, 1, "third")
        posts, _ = run(world.listener(), cursor)
        assert set(evening) <= {post.external_id for post in posts}

    def test_a_process_that_dies_after_any_batch_loses_nothing(self, world: ListenerWorld) -> None:
        self.publish(world, 6)
        whole = list(world.listener().fetch(None))
        wanted = {identity(post) for batch in whole for post in batch.posts}
        for survived in range(len(whole) + 1):
            stored: set[Identity] = set()
            cursor: Cursor | None = None
            listener = world.listener()
            for batch, _ in zip(listener.fetch(None), range(survived), strict=False):
                stored |= {identity(post) for post in batch.posts}
                cursor = batch.cursor if batch.cursor is not None else cursor
            listener.close()
            posts, _ = run(world.listener(), cursor)
            assert stored | {identity(post) for post in posts} >= wanted

    def test_posts_fit_the_store(self, world: ListenerWorld) -> None:
        self.publish(world, 2)
        listener = world.listener()
        posts, _ = run(listener)
        assert posts
        for post in posts:
            assert post.platform == listener.platform
            assert post.external_id
            assert post.conversation
            assert post.posted_at.utcoffset() == timedelta(0)
            assert post.edited_at is None or post.edited_at.tzinfo is not None
            assert post.direction in ("inbound", "outbound")
            assert all(len(getattr(post, name)) <= most for name, most in LONGEST.items())
            assert len(post.conversation) <= 400
            assert json.loads(json.dumps(dict(post.channel_ref))) == dict(post.channel_ref)
            assert all(isinstance(count, int) for count in post.engagement.values())
            assert "\x00" not in post.text

    def test_only_the_last_batch_says_how_far_it_has_seen(self, world: ListenerWorld) -> None:
        self.publish(world, 2)
        batches: list[Batch] = list(world.listener().fetch(None))
        assert [batch.covered_until for batch in batches[:-1]] == [None] * (len(batches) - 1)
        assert batches[-1].covered_until is not None
        assert batches[-1].covered_until.astimezone(UTC) == batches[-1].covered_until
        assert all(len(batch.posts) <= 500 for batch in batches)

    def test_a_quiet_run_still_says_that_it_saw_everything(self, world: ListenerWorld) -> None:
        _, cursor = run(world.listener())
        batches = list(world.listener().fetch(cursor))
        assert batches[-1].covered_until is not None
        assert sum(len(batch.posts) for batch in batches) == 0

    def test_an_edit_comes_as_the_same_post(self, world: ListenerWorld) -> None:
        (published,) = self.publish(world, 1)
        _, cursor = run(world.listener())
        if not world.edit(published, "The kettle works again"):
            pytest.skip("posts cannot be edited there")
        posts, cursor = run(world.listener(), cursor)
        (edited,) = [post for post in posts if post.external_id == published]
        assert "The kettle works again" in edited.text
        assert edited.edited_at is not None
        again, _ = run(world.listener(), cursor)
        assert published not in {post.external_id for post in again}

    def test_a_deletion_comes_as_a_removal_once(self, world: ListenerWorld) -> None:
        kept, published = self.publish(world, 2)
        _, cursor = run(world.listener())
        if not world.delete(published):
            pytest.skip("deletions are not followed there")
        first = list(world.listener().fetch(cursor))
        assert [gone.external_id for batch in first for gone in batch.removals] == [published]
        again = list(world.listener().fetch(stored_cursor(first[-1].cursor)))
        assert [gone for batch in again for gone in batch.removals] == []
        assert kept != published

    def test_a_wrong_password_pauses_the_source(self, world: ListenerWorld) -> None:
        listener = world.refused()
        if listener is None:
            pytest.skip("no password is needed there")
        with pytest.raises(ListenerError) as caught:
            list(listener.fetch(None))
        listener.close()
        assert caught.value.permanent
        assert not caught.value.limited

    def test_a_server_that_does_not_answer_is_tried_again(self, world: ListenerWorld) -> None:
        listener = world.unreachable()
        with pytest.raises(ListenerError) as caught:
            list(listener.fetch(None))
        listener.close()
        assert not caught.value.permanent
        assert not caught.value.limited
        assert str(caught.value).endswith(".")

    def test_closing_twice_does_no_harm(self, world: ListenerWorld) -> None:
        listener = world.listener()
        list(listener.fetch(None))
        listener.close()
        listener.close()
