"""The Bluesky listener against a real PDS and AppView."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from listeners.base import Listener, ListenerError
from listeners.bluesky import BlueskyListener
from platforms.bluesky import forget_sessions
from store.clock import SystemClock
from tests.listeners.contract import ListenerContract, run
from tests.postgres import free_port
from tests.servers.bluesky_network import Account, BlueskyNetwork, Record

pytestmark = pytest.mark.servers


class Brand:
    """Our account on the network, with an app password."""

    def __init__(self, network: BlueskyNetwork) -> None:
        self.account = network.account("acme")
        self.network = network
        self.password = self.account.app_password()
        self.made: list[BlueskyListener] = []

    def listener(self, password: str = "", service: str = "", **config: Any) -> BlueskyListener:
        listener = BlueskyListener.from_config(
            {"service": service or self.network.pds, "handle": self.account.handle, **config},
            {"app_password": password or self.password},
            SystemClock(),
        )
        self.made.append(listener)
        return listener


@pytest.fixture
def acme(bluesky_network: BlueskyNetwork) -> Iterator[Brand]:
    forget_sessions()
    brand = Brand(bluesky_network)
    yield brand
    for listener in brand.made:
        listener.close()


@pytest.fixture
def bob(bluesky_network: BlueskyNetwork) -> Account:
    return bluesky_network.account("bob")


@pytest.fixture
def eve(bluesky_network: BlueskyNetwork) -> Account:
    return bluesky_network.account("eve")


class RealWorld:
    def __init__(self, acme: Brand, bob: Account) -> None:
        self.acme, self.bob = acme, bob
        self.records: dict[str, Record] = {}

    def listener(self) -> Listener:
        return self.acme.listener()

    def publish(self, text: str) -> str:
        record = self.bob.post(text, mention=self.acme.account)
        self.records[record.uri] = record
        return record.uri

    def edit(self, external_id: str, text: str) -> bool:
        self.bob.edit(self.records[external_id], text, mention=self.acme.account)
        return True

    def delete(self, external_id: str) -> bool:
        self.bob.delete(self.records[external_id])
        return True

    def refused(self) -> Listener | None:
        return self.acme.listener(password="wrong")

    def unreachable(self) -> Listener:
        return self.acme.listener(service=f"http://localhost:{free_port()}")


class TestBlueskyNetworkContract(ListenerContract):
    @pytest.fixture
    def world(self, acme: Brand, bob: Account) -> RealWorld:
        return RealWorld(acme, bob)


def test_mention_reply_quote_and_thread_arrive_once_each(
    acme: Brand, bob: Account, eve: Account
) -> None:
    mention = bob.post("my kettle broke", mention=acme.account, langs=["en-GB"])
    own = acme.account.post("A new kettle!")
    reply = eve.post("sieht schlecht aus", reply_to=own, langs=["de"])
    quote = eve.post("lol", quote=own)
    question = eve.post("who knows acme?")
    opinion = bob.post("they are fine", reply_to=question)
    thread = eve.post("not so", reply_to=opinion, mention=acme.account)

    posts, cursor = run(acme.listener())
    found = {post.external_id: post for post in posts}
    assert len(posts) == len(found) == 7
    assert set(found) == {
        one.uri for one in (mention, own, reply, quote, question, opinion, thread)
    }
    assert found[mention.uri].language == "en"
    assert found[mention.uri].author is not None
    assert found[mention.uri].author.handle == bob.handle
    assert found[reply.uri].language == "de"
    assert found[reply.uri].conversation == own.uri
    assert found[own.uri].direction == "outbound"
    assert found[own.uri].engagement == {"likes": 0, "reposts": 0, "replies": 1, "quotes": 1}
    assert found[quote.uri].conversation == quote.uri
    assert [found[one.uri].conversation for one in (opinion, thread)] == [question.uri] * 2
    assert found[thread.uri].channel_ref["root_cid"] == question.cid
    context = {uri for uri, post in found.items() if post.channel_ref.get("context")}
    assert context == {question.uri, opinion.uri}

    again, _ = run(acme.listener(), cursor)
    assert again == []


def test_a_post_that_both_mentions_and_matches_arrives_once(acme: Brand, bob: Account) -> None:
    word = f"kettle{datetime.now(UTC).timestamp():.0f}"
    both = bob.post(f"this {word} hums", mention=acme.account)
    only = bob.post(f"another {word}")
    posts, cursor = run(acme.listener(search=[word]))
    assert sorted(post.external_id for post in posts) == sorted([both.uri, only.uri])
    later = bob.post(f"a third {word}")
    posts, _ = run(acme.listener(search=[word]), cursor)
    assert [post.external_id for post in posts] == [later.uri]


def test_a_post_written_offline_and_sent_late_is_found(acme: Brand, bob: Account) -> None:
    bob.post("on time", mention=acme.account)
    _, cursor = run(acme.listener())
    written = datetime.now(UTC) - timedelta(days=3)
    late = bob.post("written in a tunnel", mention=acme.account, created_at=written)
    posts, _ = run(acme.listener(), cursor)
    assert [post.external_id for post in posts] == [late.uri]
    assert abs(posts[0].posted_at - written) < timedelta(seconds=1)


def test_a_time_in_the_future_becomes_the_time_it_was_seen(acme: Brand, bob: Account) -> None:
    ahead = datetime.now(UTC) + timedelta(days=900)
    bob.post("from the future", mention=acme.account, created_at=ahead)
    ((post,), _) = run(acme.listener())
    assert post.posted_at <= datetime.now(UTC) + timedelta(seconds=5)


def test_edits_likes_and_deletions_are_followed(acme: Brand, bob: Account, eve: Account) -> None:
    edited = bob.post("my kettel broke", mention=acme.account)
    liked = bob.post("so true", mention=acme.account)
    deleted = bob.post("sorry, wrong shop", mention=acme.account)
    _, cursor = run(acme.listener())
    new = bob.edit(edited, "my kettle broke", mention=acme.account)
    eve.like(liked)
    bob.delete(deleted)

    batches = list(acme.listener().fetch(cursor))
    posts = {post.external_id: post for batch in batches for post in batch.posts}
    assert set(posts) == {edited.uri, liked.uri}
    assert posts[edited.uri].text.endswith("my kettle broke")
    assert posts[edited.uri].edited_at is not None
    assert posts[edited.uri].channel_ref["cid"] == new.cid != edited.cid
    assert posts[liked.uri].engagement["likes"] == 1
    assert posts[liked.uri].edited_at is None
    assert [gone.external_id for batch in batches for gone in batch.removals] == [deleted.uri]


def test_a_block_is_not_taken_for_a_deletion(acme: Brand, bob: Account) -> None:
    bob.post("and now I block you", mention=acme.account)
    _, cursor = run(acme.listener())
    bob.block(acme.account)
    batches = list(acme.listener().fetch(cursor))
    assert [gone for batch in batches for gone in batch.removals] == []


def test_more_than_a_page_arrives_complete(acme: Brand, bob: Account) -> None:
    texts = [f"number {number}" for number in range(130)]
    for text in texts:
        bob.call(
            "com.atproto.repo.createRecord",
            repo=bob.did,
            collection="app.bsky.feed.post",
            record=bob._record(text, None, None, acme.account, None, None),
        )
    acme.network.settle()
    batches = list(acme.listener(own_posts=False).fetch(None))
    assert [batch.cursor is None for batch in batches] == [True] * (len(batches) - 1) + [False]
    found = [post.text.split(" ", 1)[1] for batch in batches for post in batch.posts]
    assert sorted(found) == sorted(texts)


def test_too_many_logins_give_a_real_limit_with_its_time(acme: Brand) -> None:
    codes = []
    for _ in range(31):
        answer = acme.network.http.post(
            f"{acme.network.pds}/xrpc/com.atproto.server.createSession",
            json={"identifier": acme.account.handle, "password": "wrong"},
        )
        codes.append(answer.status_code)
    assert codes[-1] == 429
    with pytest.raises(ListenerError) as caught:
        run(acme.listener())
    assert caught.value.limited
    assert not caught.value.permanent
    assert caught.value.retry_after is not None
    assert timedelta(seconds=1) <= caught.value.retry_after <= timedelta(minutes=5, seconds=5)


def test_a_withdrawn_app_password_pauses_the_source(acme: Brand, bob: Account) -> None:
    bob.post("hello", mention=acme.account)
    posts, cursor = run(acme.listener())
    assert len(posts) == 1
    for one in acme.account.ask("com.atproto.server.listAppPasswords")["passwords"]:
        acme.account.call("com.atproto.server.revokeAppPassword", name=one["name"])
    forget_sessions()
    with pytest.raises(ListenerError, match="app password") as caught:
        run(acme.listener(), cursor)
    assert caught.value.permanent
