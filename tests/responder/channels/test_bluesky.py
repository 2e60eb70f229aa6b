"""The Bluesky channel against a fake server: the contract, and every doubtful moment.

The same contract runs against the real network in tests/servers/test_bluesky_replying.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platforms.bluesky import BlueskyClient, forget_sessions
from platforms.tid import make_tid, tid_time
from responder.channels.base import ReplyChannel, ReplyError
from responder.channels.bluesky import BlueskyChannel, graphemes
from store.clock import SetClock
from tests.platforms.fake_bluesky import (
    HANDLE,
    OWN,
    PASSWORD,
    Answer,
    FakeBluesky,
    after,
    error_answer,
    fake_bluesky,
    hang_up,
    json_answer,
)
from tests.postgres import free_port
from tests.responder.channels.contract import NOW, ChannelContract, outgoing

PUT = "com.atproto.repo.putRecord"


_made: list[BlueskyChannel] = []


@pytest.fixture(autouse=True)
def _new_process() -> Iterator[None]:
    forget_sessions()
    yield
    while _made:
        _made.pop().close()


@pytest.fixture
def bluesky() -> Iterator[FakeBluesky]:
    with fake_bluesky() as fake:
        yield fake


def make(url: str, password: str = PASSWORD, **config: Any) -> BlueskyChannel:
    channel = BlueskyChannel.from_config(
        {"service": url, "handle": HANDLE, **config}, {"app_password": password}, SetClock(NOW)
    )
    _made.append(channel)
    return channel


def reference(fake: FakeBluesky, uri: str) -> dict[str, Any]:
    record = fake.records[uri]
    root = record["value"].get("reply", {}).get("root", record)
    return {
        "uri": uri,
        "cid": record["cid"],
        "root_uri": root["uri"],
        "root_cid": root["cid"],
        "author_did": uri.split("/")[2],
        "author_handle": "bob.test",
    }


class FakeWorld:
    def __init__(self, fake: FakeBluesky) -> None:
        self.fake = fake

    def channel(self) -> ReplyChannel:
        return make(self.fake.url)

    def mention(self) -> Mapping[str, Any]:
        return reference(self.fake, self.fake.say("my kettle broke"))

    def arrived(self) -> list[str]:
        return [record["value"]["text"] for record in self.fake.own()]

    def refused(self) -> ReplyChannel | None:
        return make(self.fake.url, password="wrong")

    def unreachable(self) -> ReplyChannel | None:
        return make(f"http://127.0.0.1:{free_port()}")


class TestBlueskyContract(ChannelContract):
    @pytest.fixture
    def world(self, bluesky: FakeBluesky) -> FakeWorld:
        return FakeWorld(bluesky)


def test_the_reply_names_its_parent_and_the_root_of_the_thread(bluesky: FakeBluesky) -> None:
    root = bluesky.say("who knows acme?")
    parent = bluesky.say("not me", reply_to=root)
    channel = make(bluesky.url)
    sent = channel.send(outgoing(channel, reference(bluesky, parent)))
    (record,) = bluesky.own()
    assert record["uri"] == sent.external_id
    assert record["value"]["reply"] == {
        "root": {"uri": root, "cid": bluesky.records[root]["cid"]},
        "parent": {"uri": parent, "cid": bluesky.records[parent]["cid"]},
    }
    assert record["value"]["createdAt"] == "2026-03-02T09:30:00.000Z"
    assert sent.url == f"https://bsky.app/profile/{OWN}/post/{sent.external_id.rsplit('/', 1)[1]}"


def test_a_post_that_was_edited_meanwhile_is_answered_as_it_is_now(bluesky: FakeBluesky) -> None:
    uri = bluesky.say("my kettel broke")
    to = reference(bluesky, uri)
    bluesky.edit(uri, "my kettle broke")
    channel = make(bluesky.url)
    channel.send(outgoing(channel, to))
    reply = bluesky.own()[0]["value"]["reply"]
    assert reply["parent"]["cid"] == bluesky.records[uri]["cid"] != to["cid"]
    assert reply["root"] == reply["parent"]


def test_sending_again_after_minutes_writes_the_identical_record(bluesky: FakeBluesky) -> None:
    channel = make(bluesky.url)
    reply = outgoing(channel, reference(bluesky, bluesky.say("hello")))
    channel.send(reply)
    (first,) = [dict(record) for record in bluesky.own()]
    later = BlueskyChannel.from_config(
        {"service": bluesky.url, "handle": HANDLE},
        {"app_password": PASSWORD},
        SetClock(NOW + timedelta(minutes=7)),
    )
    _made.append(later)
    later.send(reply)
    assert bluesky.own() == [first]


def test_a_deleted_post_is_not_answered_into_the_void(bluesky: FakeBluesky) -> None:
    to = reference(bluesky, uri := bluesky.say("hello"))
    bluesky.delete(uri)
    channel = make(bluesky.url)
    with pytest.raises(ReplyError, match="not on Bluesky any more") as caught:
        channel.send(outgoing(channel, to))
    assert caught.value.permanent
    assert bluesky.own() == []


def test_a_post_whose_author_lets_nobody_answer_is_said_so(bluesky: FakeBluesky) -> None:
    uri = bluesky.say("hello")
    bluesky.closed.add(uri)
    channel = make(bluesky.url)
    with pytest.raises(ReplyError, match="limited who may answer") as caught:
        channel.send(outgoing(channel, reference(bluesky, uri)))
    assert caught.value.permanent


def test_emoji_count_as_a_reader_counts_them(bluesky: FakeBluesky) -> None:
    family, flag, accent = "👩‍👩‍👧", "🇨🇳", "e\u0301"
    assert graphemes(family + flag + accent + "退款") == 5
    channel = make(bluesky.url)
    to = reference(bluesky, bluesky.say("hello"))
    channel.send(outgoing(channel, to, "款" * 300))
    with pytest.raises(ReplyError, match=r"301 characters.*at most 300.*by 1") as caught:
        channel.send(outgoing(channel, to, "款" * 301))
    assert caught.value.permanent
    with pytest.raises(ReplyError, match="5400 bytes"):
        channel.send(outgoing(channel, to, family * 300))
    assert len(bluesky.own()) == 1


def test_links_and_the_authors_handle_can_be_clicked(bluesky: FakeBluesky) -> None:
    channel = make(bluesky.url)
    to = reference(bluesky, bluesky.say("hello"))
    body = "Liebe Grüße @bob.test, siehe https://acme.example/hilfe und @eve.test"
    channel.send(outgoing(channel, to, body))
    facets = bluesky.own()[0]["value"]["facets"]
    spans = [
        body.encode()[one["index"]["byteStart"] : one["index"]["byteEnd"]].decode()
        for one in facets
    ]
    assert spans == ["@bob.test", "https://acme.example/hilfe"]
    assert facets[0]["features"][0]["did"] == to["author_did"]
    assert facets[1]["features"][0]["uri"] == "https://acme.example/hilfe"


@pytest.mark.parametrize("missing", ["uri", "root_uri"])
def test_a_mention_that_does_not_say_what_to_answer_is_refused(
    bluesky: FakeBluesky, missing: str
) -> None:
    to = reference(bluesky, bluesky.say("hello"))
    del to[missing]
    channel = make(bluesky.url)
    with pytest.raises(ReplyError, match=f"{missing} is missing") as caught:
        channel.send(outgoing(channel, to))
    assert caught.value.permanent


def test_a_timeout_after_the_server_took_it_is_a_doubt_that_find_clears(
    bluesky: FakeBluesky,
) -> None:
    channel = BlueskyChannel(BlueskyClient(bluesky.url, HANDLE, PASSWORD, SetClock(NOW), 0.3))
    _made.append(channel)
    reply = outgoing(channel, reference(bluesky, bluesky.say("hello")))
    assert channel.find(reply) is None
    # The record is there, only the answer comes too late.
    record = {"text": reply.body}
    bluesky.fail_next(
        PUT,
        after(0.8, json_answer(200, {})),
    )
    bluesky._put(f"at://{OWN}/app.bsky.feed.post/{reply.platform_key}", record)
    with pytest.raises(ReplyError, match="did not answer in time") as caught:
        channel.send(reply)
    assert caught.value.maybe_sent
    assert not caught.value.permanent
    found = make(bluesky.url).find(reply)
    assert found is not None
    assert found.external_id == f"at://{OWN}/app.bsky.feed.post/{reply.platform_key}"


def cut_off() -> Answer:
    return 200, {"content-type": "application/json"}, b'{"uri": "at://'


@pytest.mark.parametrize(
    ("fault", "maybe_sent", "permanent"),
    [
        (lambda: error_answer(500, "InternalServerError"), True, False),
        (lambda: error_answer(502, "UpstreamFailure"), True, False),
        (lambda: (504, {}, b""), True, False),
        (cut_off, True, False),
        (hang_up, True, False),
        (lambda: error_answer(400, "InvalidRequest", "Record/text must not be …"), False, True),
        (lambda: error_answer(403, "Forbidden"), False, True),
        (lambda: error_answer(429, "RateLimitExceeded", retry_after="30"), False, False),
    ],
)
def test_only_an_answer_settles_whether_it_was_sent(
    bluesky: FakeBluesky, fault: Callable[[], Answer], maybe_sent: bool, permanent: bool
) -> None:
    channel = make(bluesky.url)
    reply = outgoing(channel, reference(bluesky, bluesky.say("hello")))
    bluesky.fail_next(PUT, fault)
    with pytest.raises(ReplyError) as caught:
        channel.send(reply)
    assert (caught.value.maybe_sent, caught.value.permanent) == (maybe_sent, permanent)
    if "limit" in str(caught.value):
        assert caught.value.retry_after == timedelta(seconds=30)
    channel.send(reply)
    assert len(bluesky.own()) == 1


def test_a_question_that_fails_is_no_answer(bluesky: FakeBluesky) -> None:
    channel = make(bluesky.url)
    reply = outgoing(channel, reference(bluesky, bluesky.say("hello")))
    bluesky.fail_next("com.atproto.repo.getRecord", lambda: error_answer(500, "Oops"))
    with pytest.raises(ReplyError):
        channel.find(reply)


def test_an_expired_session_does_not_lose_the_reply(bluesky: FakeBluesky) -> None:
    channel = make(bluesky.url)
    reply = outgoing(channel, reference(bluesky, bluesky.say("hello")))
    channel.find(reply)
    bluesky.tokens.clear()
    channel.send(reply)
    assert len(bluesky.own()) == 1


def test_the_settings_of_a_source_serve_both_ways(bluesky: FakeBluesky) -> None:
    make(bluesky.url, search=["kettle"], lookback_days=3).close()
    with pytest.raises(ReplyError, match="handle: field required") as caught:
        BlueskyChannel.from_config({}, {"app_password": "x"}, SetClock(NOW))
    assert caught.value.permanent
    with pytest.raises(ReplyError, match="app_password: field required"):
        BlueskyChannel.from_config({"handle": HANDLE}, {}, SetClock(NOW))


def test_record_keys_are_ordered_by_time_and_differ_within_a_millisecond() -> None:
    keys = [make_tid(NOW + timedelta(seconds=second), "same") for second in range(100)]
    assert keys == sorted(keys)
    assert len({make_tid(NOW, f"reply {number}") for number in range(2000)}) >= 1997
    assert tid_time(make_tid(NOW, "x")) == NOW
    assert make_tid(datetime(2023, 1, 1, tzinfo=UTC), "x")[0] == "3"
    for broken in ("", "abc", "3k0000000000!", "0" * 13):
        with pytest.raises(ValueError, match="no record key"):
            tid_time(broken)


def test_a_record_key_that_is_none_of_ours_is_refused(bluesky: FakeBluesky) -> None:
    channel = make(bluesky.url)
    reply = replace(
        outgoing(channel, reference(bluesky, bluesky.say("hello"))), platform_key="../self"
    )
    with pytest.raises(ReplyError, match="no record key") as caught:
        channel.send(reply)
    assert caught.value.permanent
