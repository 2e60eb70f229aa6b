"""The Bluesky listener against a fake server: the contract, and every fault we know of.

The same contract runs against the real network in tests/servers/test_bluesky_listening.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from listeners.base import Listener, ListenerError
from listeners.bluesky import BlueskyListener
from platforms.bluesky import BlueskyClient, forget_sessions
from store.clock import SetClock
from store.posts import Post
from tests.conftest import START
from tests.listeners.contract import ListenerContract, run, stored_cursor
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

_made: list[BlueskyListener] = []


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


def make(
    url: str, clock: SetClock | None = None, password: str = PASSWORD, **config: Any
) -> BlueskyListener:
    listener = BlueskyListener.from_config(
        {"service": url, "handle": HANDLE, **config},
        {"app_password": password},
        clock or SetClock(START),
    )
    _made.append(listener)
    return listener


class FakeWorld:
    def __init__(self, fake: FakeBluesky) -> None:
        self.fake = fake

    def listener(self) -> Listener:
        return make(self.fake.url)

    def publish(self, text: str) -> str:
        return self.fake.say(text)

    def edit(self, external_id: str, text: str) -> bool:
        self.fake.edit(external_id, text)
        return True

    def delete(self, external_id: str) -> bool:
        self.fake.delete(external_id)
        return True

    def refused(self) -> Listener | None:
        return make(self.fake.url, password="wrong")

    def unreachable(self) -> Listener:
        return make(f"http://127.0.0.1:{free_port()}")


class TestBlueskyContract(ListenerContract):
    @pytest.fixture
    def world(self, bluesky: FakeBluesky) -> FakeWorld:
        bluesky.page_size = 2  # several pages, so that a process can die between them
        return FakeWorld(bluesky)


def by_text(posts: list[Post]) -> dict[str, Post]:
    return {post.text: post for post in posts}


def test_it_reads_a_mention_with_its_author_language_thread_and_counts(
    bluesky: FakeBluesky,
) -> None:
    uri = bluesky.say("Mein Kessel ist kaputt", langs=["de-AT", "en"])
    bluesky.likes[uri] = 7
    ((post,), _) = run(make(bluesky.url))
    assert (post.platform, post.namespace, post.external_id) == ("bluesky", "", uri)
    assert post.author is not None
    assert (post.author.handle, post.author.name) == ("bob.test", "bob")
    assert post.language == "de"
    assert post.conversation == uri
    assert post.in_reply_to is None
    assert (post.kind, post.direction) == ("post", "inbound")
    assert post.engagement == {"likes": 7, "reposts": 0, "replies": 0, "quotes": 0}
    assert post.channel_ref["uri"] == post.channel_ref["root_uri"] == uri
    assert post.channel_ref["cid"] == bluesky.records[uri]["cid"]
    assert post.posted_at == datetime(2026, 3, 2, 8, 0, 1, tzinfo=UTC)


def test_likes_and_follows_are_not_asked_for(bluesky: FakeBluesky) -> None:
    bluesky.say("liked something", reason="like")
    mention = bluesky.say("said something", reason="quote")
    posts, _ = run(make(bluesky.url))
    assert [post.external_id for post in posts] == [mention]


def test_a_reply_comes_with_the_posts_above_it_marked_as_context(bluesky: FakeBluesky) -> None:
    root = bluesky.say("Who knows Acme?", author="did:plc:eveeveeveeveeveeveeveeve", reason=None)
    middle = bluesky.say("They are fine", reason=None, reply_to=root)
    reply = bluesky.say("@acme.test not so", reason="mention", reply_to=middle)
    posts, cursor = run(make(bluesky.url))
    found = {post.external_id: post for post in posts}
    assert set(found) == {root, middle, reply}
    assert {post.conversation for post in posts} == {root}
    assert found[reply].in_reply_to == middle
    assert found[middle].in_reply_to == root
    assert "context" not in found[reply].channel_ref
    assert found[middle].channel_ref["context"] is True
    assert found[root].channel_ref["context"] is True
    again, _ = run(make(bluesky.url), cursor)
    assert again == []


def test_own_posts_are_outbound_and_replies_to_them_need_no_context(bluesky: FakeBluesky) -> None:
    own = bluesky.say("Our new kettle", author=OWN, reason=None)
    reply = bluesky.say("Too loud", reason="reply", reply_to=own)
    posts, _ = run(make(bluesky.url))
    directions = {post.external_id: post.direction for post in posts}
    assert directions == {own: "outbound", reply: "inbound"}
    assert len(posts) == 2


def test_a_search_finds_what_mentions_nobody(bluesky: FakeBluesky) -> None:
    found = bluesky.say("my kettle leaks", reason=None)
    both = bluesky.say("kettle, acme?", reason="mention")
    bluesky.say("a toaster", reason=None)
    posts, cursor = run(make(bluesky.url, search=["kettle"]))
    assert sorted(post.external_id for post in posts) == sorted([found, both])
    later = bluesky.say("another kettle", reason=None)
    posts, _ = run(make(bluesky.url, search=["kettle"]), cursor)
    assert [post.external_id for post in posts] == [later]


def test_a_search_finds_what_was_written_offline(bluesky: FakeBluesky) -> None:
    bluesky.say("my kettle leaks", reason=None)
    _, cursor = run(make(bluesky.url, search=["kettle"]))
    late = bluesky.say("kettle, days ago", reason=None, created_at="2026-02-25T10:00:00Z")
    posts, _ = run(make(bluesky.url, search=["kettle"]), cursor)
    assert [post.external_id for post in posts] == [late]


def test_the_first_search_goes_no_further_back_than_it_was_told(bluesky: FakeBluesky) -> None:
    bluesky.page_size = 10
    for number in range(40):
        old = START - timedelta(days=30, minutes=number)
        bluesky.say(f"kettle {number}", reason=None, created_at=old.isoformat())
    run(make(bluesky.url, search=["kettle"], notifications=False, lookback_days=7))
    assert bluesky.calls["app.bsky.feed.searchPosts"] == 1


def test_a_later_run_asks_for_one_page_only(bluesky: FakeBluesky) -> None:
    bluesky.page_size = 20
    bluesky.now = START - timedelta(hours=6)
    for number in range(60):
        bluesky.now += timedelta(minutes=5)
        bluesky.say(f"number {number}")
    posts, cursor = run(make(bluesky.url))
    assert len(posts) == 60
    bluesky.calls.clear()
    posts, _ = run(make(bluesky.url), cursor)
    assert posts == []
    assert bluesky.calls["app.bsky.notification.listNotifications"] == 1


def test_a_post_that_was_indexed_late_is_still_found(bluesky: FakeBluesky) -> None:
    bluesky.say("on time")
    _, cursor = run(make(bluesky.url))
    late = bluesky.say("written offline", created_at="2026-02-27T10:00:00Z")
    posts, _ = run(make(bluesky.url), cursor)
    assert [post.external_id for post in posts] == [late]
    assert posts[0].posted_at == datetime(2026, 2, 27, 10, tzinfo=UTC)


@pytest.mark.parametrize("claimed", ["2099-01-01T00:00:00Z", "yesterday", "0001-01-01T00:00:00Z"])
def test_an_impossible_time_of_the_author_is_replaced_by_the_servers(
    bluesky: FakeBluesky, claimed: str
) -> None:
    bluesky.say("from the future", created_at=claimed)
    ((post,), _) = run(make(bluesky.url))
    assert post.posted_at == datetime(2026, 3, 2, 8, 0, 1, tzinfo=UTC)


def test_an_ill_formed_record_does_not_stop_the_page(bluesky: FakeBluesky) -> None:
    bluesky.say(["not", "a", "text"], langs="xx", embed=7)
    bluesky.say("nul\x00byte", langs=[None], reply="nothing")
    bluesky.say("fine")
    bluesky.lasting["app.bsky.feed.getPosts"] = lambda: json_answer(200, {"posts": [None, 3]})
    posts, _ = run(make(bluesky.url))
    assert sorted(post.text for post in posts) == ["", "fine", "nulbyte"]
    assert {post.language for post in posts} == {"und"}


def test_a_post_of_somebody_who_blocked_us_is_not_taken_for_deleted(bluesky: FakeBluesky) -> None:
    uri = bluesky.say("and blocked")
    _, cursor = run(make(bluesky.url))
    bluesky.hidden.add(uri)
    batches = list(make(bluesky.url).fetch(cursor))
    assert [gone for batch in batches for gone in batch.removals] == []
    bluesky.delete(uri)
    batches = list(make(bluesky.url).fetch(stored_cursor(batches[-1].cursor)))
    assert [gone.external_id for batch in batches for gone in batch.removals] == [uri]


def test_fresh_counts_come_with_the_post_and_are_no_edit(bluesky: FakeBluesky) -> None:
    uri = bluesky.say("spreading")
    _, cursor = run(make(bluesky.url))
    bluesky.likes[uri] = 900
    ((post,), _) = run(make(bluesky.url), cursor)
    assert post.engagement["likes"] == 900
    assert post.edited_at is None


def test_many_recent_posts_are_looked_at_in_turn(bluesky: FakeBluesky) -> None:
    uris = [bluesky.say(f"number {number}") for number in range(120)]
    _, cursor = run(make(bluesky.url))
    for uri in uris:
        bluesky.edit(uri, "edited")
    edited: list[str] = []
    for _ in range(3):
        posts, cursor = run(make(bluesky.url), cursor)
        edited += [post.external_id for post in posts]
    assert sorted(edited) == sorted(uris)


def test_posts_are_watched_for_two_weeks(bluesky: FakeBluesky) -> None:
    uri = bluesky.say("old")
    _, cursor = run(make(bluesky.url))
    bluesky.edit(uri, "edited much later")
    posts, cursor = run(make(bluesky.url, SetClock(START + timedelta(days=15))), cursor)
    assert posts == []
    assert cursor is not None
    assert cursor["recent"] == []


def test_a_session_is_shared_and_made_once(bluesky: FakeBluesky) -> None:
    for _ in range(5):
        run(make(bluesky.url))
    assert bluesky.calls["com.atproto.server.createSession"] == 1


def test_an_expired_session_is_made_anew_within_the_run(bluesky: FakeBluesky) -> None:
    uri = bluesky.say("hello")
    run(make(bluesky.url))
    bluesky.tokens.clear()
    posts, _ = run(make(bluesky.url))
    assert [post.external_id for post in posts] == [uri]
    assert bluesky.calls["com.atproto.server.createSession"] == 2


CREATE, REFRESH = "com.atproto.server.createSession", "com.atproto.server.refreshSession"


def test_a_session_that_is_about_to_end_is_renewed_for_everybody(bluesky: FakeBluesky) -> None:
    bluesky.lives = [60]
    for _ in range(3):
        run(make(bluesky.url))
    assert (bluesky.calls[CREATE], bluesky.calls[REFRESH]) == (1, 1)


def test_a_renewal_that_is_refused_becomes_a_new_session(bluesky: FakeBluesky) -> None:
    uri = bluesky.say("hello")
    bluesky.lives = [60]
    bluesky.fail_next(REFRESH, lambda: error_answer(400, "ExpiredToken", "Token was revoked"))
    posts, _ = run(make(bluesky.url))
    assert [post.external_id for post in posts] == [uri]
    assert (bluesky.calls[CREATE], bluesky.calls[REFRESH]) == (2, 1)


def test_a_server_that_accepts_no_session_of_its_own_pauses_the_source(
    bluesky: FakeBluesky,
) -> None:
    bluesky.lasting["app.bsky.notification.listNotifications"] = lambda: error_answer(
        401, "AuthMissing"
    )
    with pytest.raises(ListenerError, match="then refuses it") as caught:
        run(make(bluesky.url))
    assert caught.value.permanent
    assert bluesky.calls[CREATE] == 2


def test_a_password_that_was_withdrawn_pauses_the_source(bluesky: FakeBluesky) -> None:
    run(make(bluesky.url))
    bluesky.tokens.clear()
    bluesky.lasting["com.atproto.server.createSession"] = lambda: error_answer(
        401, "AuthenticationRequired", "Invalid identifier or password"
    )
    with pytest.raises(ListenerError, match="make a new app password") as caught:
        run(make(bluesky.url))
    assert caught.value.permanent


def test_a_closed_account_pauses_the_source(bluesky: FakeBluesky) -> None:
    bluesky.lasting["com.atproto.server.createSession"] = lambda: error_answer(
        401, "AccountTakedown", "Account has been taken down"
    )
    with pytest.raises(
        ListenerError, match=r"closed this account to us \(AccountTakedown\)"
    ) as caught:
        run(make(bluesky.url))
    assert caught.value.permanent


RESET = int((START + timedelta(minutes=4)).timestamp())


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"ratelimit_reset": str(RESET), "date": "Mon, 02 Mar 2026 09:00:00 GMT"}, 240),
        ({"ratelimit_reset": "90"}, 90),
        ({"retry_after": "17"}, 17),
        (
            {
                "retry_after": "Mon, 02 Mar 2026 09:02:00 GMT",
                "date": "Mon, 02 Mar 2026 09:00:00 GMT",
            },
            120,
        ),
        ({"retry_after": "999999999"}, 86400),
        ({}, 300),
    ],
)
def test_a_rate_limit_is_an_outcome_with_a_time(
    bluesky: FakeBluesky, headers: dict[str, str], wait: int
) -> None:
    bluesky.say("hello")
    bluesky.fail_next(
        "app.bsky.notification.listNotifications",
        lambda: error_answer(429, "RateLimitExceeded", **headers),
    )
    with pytest.raises(ListenerError) as caught:
        run(make(bluesky.url))
    assert caught.value.limited
    assert not caught.value.permanent
    assert caught.value.retry_after == timedelta(seconds=wait)


def cut_off() -> Answer:
    return 200, {"content-type": "application/json"}, b'{"notifications": [{"uri": "at://'


@pytest.mark.parametrize(
    "fault",
    [
        lambda: error_answer(500, "InternalServerError"),
        lambda: error_answer(502, "UpstreamFailure"),
        lambda: (503, {"content-type": "text/html"}, b"<h1>maintenance</h1>"),
        lambda: (200, {"content-type": "text/html"}, b"<h1>a hotel's login page</h1>"),
        lambda: (200, {"content-type": "application/json"}, b"[]"),
        lambda: (200, {"content-type": "application/json", "content-length": "500"}, b"{}"),
        cut_off,
        hang_up,
    ],
)
def test_a_fault_is_tried_again_and_nothing_is_lost(
    bluesky: FakeBluesky, fault: Callable[[], Answer]
) -> None:
    uri = bluesky.say("hello")
    bluesky.fail_next("app.bsky.notification.listNotifications", fault)
    with pytest.raises(ListenerError) as caught:
        run(make(bluesky.url))
    assert not caught.value.permanent
    assert not caught.value.limited
    posts, _ = run(make(bluesky.url))
    assert [post.external_id for post in posts] == [uri]


def test_a_slow_server_is_given_up(bluesky: FakeBluesky) -> None:
    client = BlueskyClient(bluesky.url, HANDLE, PASSWORD, SetClock(START), timeout=0.2)
    listener = make(bluesky.url)
    listener._client = client
    bluesky.fail_next("app.bsky.notification.listNotifications", after(0.6, json_answer(200, {})))
    with pytest.raises(ListenerError, match="did not answer in time") as caught:
        run(listener)
    assert not caught.value.permanent


def test_a_fault_on_the_second_page_saves_no_cursor(bluesky: FakeBluesky) -> None:
    bluesky.page_size = 2
    uris = {bluesky.say(f"number {number}") for number in range(5)}
    seen, cursors = set[str](), []
    with pytest.raises(ListenerError):
        for batch in make(bluesky.url).fetch(None):
            seen |= {post.external_id for post in batch.posts}
            cursors.append(batch.cursor)
            bluesky.fail_next(
                "app.bsky.notification.listNotifications", lambda: error_answer(500, "Oops")
            )
    assert cursors == [None]
    assert len(seen) == 2
    posts, _ = run(make(bluesky.url))
    assert {post.external_id for post in posts} == uris


def test_a_server_that_repeats_its_page_does_not_keep_us_forever(bluesky: FakeBluesky) -> None:
    bluesky.lasting["app.bsky.notification.listNotifications"] = lambda: json_answer(
        200, {"notifications": [], "cursor": "again"}
    )
    run(make(bluesky.url))
    assert bluesky.calls["app.bsky.notification.listNotifications"] == 2


@pytest.mark.parametrize(
    ("config", "secrets", "complaint"),
    [
        ({"handle": "acme"}, {"app_password": "x"}, "handle: give the account's full handle"),
        ({}, {"app_password": "x"}, "handle: field required"),
        ({"handle": "a.test", "serch": []}, {"app_password": "x"}, "serch: extra inputs"),
        (
            {"handle": "a.test", "service": "http://bsky.social"},
            {"app_password": "x"},
            "only https",
        ),
        ({"handle": "a.test", "service": "bsky"}, {"app_password": "x"}, "service: give the full"),
        ({"handle": "a.test", "lookback_days": 0}, {"app_password": "x"}, "lookback_days: "),
        ({"handle": "a.test", "search": [" "]}, {"app_password": "x"}, "search: a search term"),
        ({"handle": "a.test", "notifications": False}, {"app_password": "x"}, "choose notific"),
        ({"handle": "a.test"}, {}, "app_password: field required"),
        ({"handle": "a.test"}, {"app_password": ""}, "app_password: "),
    ],
)
def test_a_wrong_setting_is_named(
    config: dict[str, Any], secrets: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ListenerError) as caught:
        BlueskyListener.from_config(config, secrets, SetClock(START))
    assert complaint in str(caught.value)
    assert caught.value.permanent


def test_a_complaint_about_settings_holds_no_secret() -> None:
    with pytest.raises(ListenerError) as caught:
        BlueskyListener.from_config(
            {"handle": "a.test"}, {"app_password": "", "token": "s3cret"}, SetClock(START)
        )
    assert "s3cret" not in str(caught.value)


def test_another_account_starts_anew(bluesky: FakeBluesky) -> None:
    uri = bluesky.say("hello")
    _, cursor = run(make(bluesky.url))
    assert cursor is not None
    assert cursor["account"] == OWN
    posts, _ = run(make(bluesky.url), {**cursor, "account": "did:plc:somebodyelse"})
    assert [post.external_id for post in posts] == [uri]


def test_an_entry_dated_ahead_does_not_hide_what_comes_later(bluesky: FakeBluesky) -> None:
    bluesky.page_size = 20
    ahead = bluesky.say("dated ahead", created_at="2031-01-01T00:00:00Z")
    bluesky.records[ahead]["indexed"] = "2031-01-01T00:00:00Z"
    _, cursor = run(make(bluesky.url))
    bluesky.now = START + timedelta(minutes=1)
    later = {bluesky.say(f"number {number}") for number in range(70)}
    posts, _ = run(make(bluesky.url), cursor)
    assert {post.external_id for post in posts} == later
