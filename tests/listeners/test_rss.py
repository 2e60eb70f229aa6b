"""The feed listener against a real HTTP server on loopback: the contract, caching, faults."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

import pytest

from listeners.base import Listener, ListenerError
from listeners.rss import RssListener, namespace_of
from store.clock import SetClock
from store.posts import Batch, Cursor, Post
from tests.conftest import START
from tests.listeners.contract import ListenerContract, run, stored_cursor
from tests.platforms.web_site import Site
from tests.postgres import free_port


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    yield served
    served.close()


def make(url: str, clock: SetClock | None = None, **secrets: str) -> RssListener:
    config = {"url": url, "allow_private": True}
    return RssListener.from_config(config, secrets, clock or SetClock(START))


def item(guid: str, text: str, at: datetime | None = None, title: str = "News") -> str:
    date = f"<pubDate>{at:%a, %d %b %Y %H:%M:%S +0000}</pubDate>" if at else ""
    return (
        f"<item><title>{escape(title)}</title><guid isPermaLink='false'>{escape(guid)}</guid>"
        f"<link>https://news.test/{escape(guid)}</link>{date}"
        f"<description>{escape(text)}</description></item>"
    )


def rss(*items: str, language: str = "en-GB") -> bytes:
    return (
        "<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel>"
        f"<title>Morrow Street Post</title><link>https://news.test</link>"
        f"<description>d</description><language>{language}</language>"
        f"{''.join(items)}</channel></rss>"
    ).encode()


class FeedWorld:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.items: dict[str, str] = {}
        self._write()

    def _write(self) -> None:
        listed = [item(guid, text, START - timedelta(hours=1)) for guid, text in self.items.items()]
        self.site.files["/feed.xml"] = rss(*reversed(listed))

    def listener(self) -> Listener:
        return make(self.site.url())

    def publish(self, text: str) -> str:
        guid = f"item-{len(self.items)}"
        self.items[guid] = text
        self._write()
        return guid

    def edit(self, external_id: str, text: str) -> bool:
        self.items[external_id] = text
        self._write()
        return True

    def delete(self, external_id: str) -> bool:
        return False

    def refused(self) -> Listener | None:
        self.site.answers["/locked.xml"] = (401, {}, b"")
        return make(self.site.url("/locked.xml"))

    def unreachable(self) -> Listener:
        return make(f"http://127.0.0.1:{free_port()}/feed.xml")


class TestRssContract(ListenerContract):
    @pytest.fixture
    def world(self, site: Site) -> Iterator[FeedWorld]:
        return FeedWorld(site)


def fetch(listener: Listener, cursor: Cursor | None = None) -> list[Batch]:
    batches = list(listener.fetch(stored_cursor(cursor)))
    listener.close()
    return batches


def all_posts(batches: list[Batch]) -> list[Post]:
    return [post for batch in batches for post in batch.posts]


def test_an_article_comes_with_everything_the_feed_says_of_it(site: Site) -> None:
    text = "<p>Coffee <b>cans</b> recalled.</p><p>Ask &amp; you shall know</p><script>x()</script>"
    site.files["/feed.xml"] = rss(item("a1", text, START - timedelta(hours=2), "Recall &amp; Co"))
    [batch] = fetch(make(site.url()))
    [post] = batch.posts
    assert post == Post(
        platform="rss",
        namespace=site.url(),
        external_id="a1",
        title="Recall & Co",
        text="Coffee cans recalled.\nAsk & you shall know",
        posted_at=START - timedelta(hours=2),
        author=post.author,
        conversation="a1",
        kind="article",
        url="https://news.test/a1",
        language="en",
        channel_ref={"answer_by_hand": True, "url": "https://news.test/a1"},
    )
    assert post.author is not None
    assert post.author.name == "Morrow Street Post"
    assert batch.covered_until == START
    assert batch.message is None


def test_an_atom_feed_in_chinese_is_read_with_its_author_and_its_edit(site: Site) -> None:
    entry = (
        "<entry><id>tag:x,1</id><title>召回通知</title><author><name>记者小林</name></author>"
        "<link href='https://news.test/1'/><published>2026-03-01T08:00:00+08:00</published>"
        "<updated>{updated}</updated><content type='html'>{text}</content></entry>"
    )
    feed = "<feed xmlns='http://www.w3.org/2005/Atom' xml:lang='zh-CN'><title>晨报</title>{}</feed>"
    first = entry.format(updated="2026-03-01T08:00:00+08:00", text="北光咖啡召回一批罐装咖啡")
    site.files["/feed.xml"] = feed.format(first).encode()
    posts, cursor = run(make(site.url()))
    assert [(post.title, post.text) for post in posts] == [("召回通知", "北光咖啡召回一批罐装咖啡")]
    assert posts[0].author is not None
    assert posts[0].author.name == "记者小林"
    assert posts[0].posted_at == datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
    assert posts[0].edited_at is None
    second = entry.format(updated="2026-03-01T12:00:00+08:00", text="北光咖啡召回全部罐装咖啡")
    site.files["/feed.xml"] = feed.format(second).encode()
    [edited], _ = run(make(site.url()), cursor)
    assert edited.text == "北光咖啡召回全部罐装咖啡"
    assert edited.posted_at == posts[0].posted_at
    assert edited.edited_at == datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def test_an_unchanged_feed_is_asked_for_with_its_etag_and_costs_nothing(site: Site) -> None:
    site.files["/feed.xml"] = rss(item("a", "hello", START))
    clock = SetClock(START)
    _, cursor = run(make(site.url(), clock))
    clock.advance(timedelta(minutes=5))
    [batch] = fetch(make(site.url(), clock), cursor)
    assert site.requests[1][1]["If-None-Match"].startswith('"')
    assert batch.posts == ()
    assert stored_cursor(batch.cursor) == cursor
    assert batch.covered_until == START + timedelta(minutes=5)


def test_last_modified_is_sent_back_where_there_is_no_etag(site: Site) -> None:
    said = "Mon, 02 Mar 2026 08:00:00 GMT"
    headers = {"Last-Modified": said, "Content-Type": "application/rss+xml"}
    site.answers["/feed.xml"] = (200, headers, rss(item("a", "hello", START)))
    _, cursor = run(make(site.url()))
    run(make(site.url()), cursor)
    assert site.requests[1][1]["If-Modified-Since"] == said


def test_another_address_in_the_settings_starts_from_the_beginning(site: Site) -> None:
    site.files["/feed.xml"] = rss(item("a", "hello", START))
    site.files["/other.xml"] = rss(item("a", "hello", START))
    _, cursor = run(make(site.url()))
    posts, _ = run(make(site.url("/other.xml")), cursor)
    assert [post.namespace for post in posts] == [site.url("/other.xml")]
    assert "If-None-Match" not in site.requests[1][1]


def test_an_item_without_a_date_keeps_the_moment_it_was_first_seen(site: Site) -> None:
    clock = SetClock(START)
    site.files["/feed.xml"] = rss(item("a", "no date"))
    [first], cursor = run(make(site.url(), clock))
    assert first.posted_at == START
    clock.advance(timedelta(hours=3))
    site.files["/feed.xml"] = rss(item("a", "no date, but changed"))
    [second], _ = run(make(site.url(), clock), cursor)
    assert second.posted_at == START
    assert second.edited_at == START + timedelta(hours=3)


def test_a_date_in_the_future_or_before_feeds_is_not_believed(site: Site) -> None:
    site.files["/feed.xml"] = rss(
        item("future", "x", START + timedelta(days=400)),
        item("ancient", "y", datetime(1970, 1, 1, tzinfo=UTC)),
    )
    posts, _ = run(make(site.url()))
    assert {post.external_id: post.posted_at for post in posts} == {
        "future": START,
        "ancient": START,
    }


def test_items_that_leave_the_feed_are_neither_removed_nor_new_when_they_return(
    site: Site,
) -> None:
    a, b = item("a", "first", START), item("b", "second", START)
    site.files["/feed.xml"] = rss(a, b)
    _, cursor = run(make(site.url()))
    site.files["/feed.xml"] = rss(b)
    [batch] = fetch(make(site.url()), cursor)
    assert (list(batch.posts), list(batch.removals)) == ([], [])
    site.files["/feed.xml"] = rss(a, b)
    assert all_posts(fetch(make(site.url()), batch.cursor)) == []


def test_a_long_feed_comes_in_pages_of_which_the_last_carries_the_cursor(site: Site) -> None:
    items = [item(f"i{n}", f"text {n}", START - timedelta(minutes=n)) for n in range(1_234)]
    site.files["/feed.xml"] = rss(*items)
    batches = fetch(make(site.url()))
    assert [len(batch.posts) for batch in batches] == [500, 500, 234]
    assert [batch.cursor is not None for batch in batches] == [False, False, True]
    times = [post.posted_at for post in all_posts(batches)]
    assert times == sorted(times)


def test_items_without_id_or_link_get_one_from_their_content(site: Site) -> None:
    site.files["/feed.xml"] = rss(
        "<item><title>One</title></item>", "<item><title>Two</title></item>"
    )
    posts, cursor = run(make(site.url()))
    assert len({post.external_id for post in posts}) == 2
    assert [post.text for post in posts] == ["One", "Two"]
    assert run(make(site.url()), cursor)[0] == []


def test_broken_xml_gives_what_can_be_read_and_says_so(site: Site) -> None:
    whole = rss(item("a", "fine", START), item("b", "also fine", START), item("c", "lost", START))
    site.files["/feed.xml"] = whole[
        : whole.index(b"<title>News</title><guid isPermaLink='false'>c")
    ]
    [batch] = fetch(make(site.url()))
    assert {post.external_id for post in batch.posts} >= {"a", "b"}
    assert batch.message is not None
    assert batch.message.startswith("The feed is not well-formed")
    site.files["/feed.xml"] = whole
    posts = all_posts(fetch(make(site.url()), batch.cursor))
    assert "c" in {post.external_id for post in posts}
    assert "If-None-Match" not in site.requests[1][1]


def test_a_wrong_charset_in_the_header_is_mended_without_a_word(site: Site) -> None:
    site.files["/feed.xml"] = rss(item("a", "退款太慢", START))
    site.kinds["/feed.xml"] = "text/html; charset=us-ascii"
    [batch] = fetch(make(site.url()))
    assert [post.text for post in batch.posts] == ["退款太慢"]
    assert batch.message is None


def test_hostile_items_become_plain_text_and_no_link(site: Site) -> None:
    evil = (
        "<item><guid>x</guid><title>&lt;img src=x onerror=alert(1)&gt;Hi</title>"
        "<link>javascript:alert(1)</link>"
        "<description>&lt;style&gt;p{}&lt;/style&gt;&lt;a href='javascript:x'&gt;go&lt;/a&gt;"
        " &amp;lt;b&amp;gt;</description></item>"
    )
    site.files["/feed.xml"] = rss(evil)
    [post], _ = run(make(site.url()))
    assert post.title == "Hi"
    assert post.text == "go <b>"
    assert post.url is None


@pytest.mark.parametrize(
    ("status", "permanent", "limited", "words"),
    [
        (401, True, False, "refuses access"),
        (403, True, False, "refuses access"),
        (404, True, False, "is not there"),
        (410, True, False, "is no longer there"),
        (400, True, False, "does not accept"),
        (429, False, True, "less often"),
        (503, False, True, "less often"),
        (500, False, False, "fault of its own"),
        (408, False, False, "fault of its own"),
    ],
)
def test_each_refusal_says_whether_a_person_must_act(
    site: Site, status: int, permanent: bool, limited: bool, words: str
) -> None:
    headers = {"Retry-After": "120"} if limited else {}
    site.answers["/feed.xml"] = (status, headers, b"")
    with pytest.raises(ListenerError, match=words) as caught:
        fetch(make(site.url()))
    assert (caught.value.permanent, caught.value.limited) == (permanent, limited)
    assert caught.value.retry_after == (timedelta(seconds=120) if limited else None)


def test_a_web_page_instead_of_a_feed_names_the_feed_it_links_to(site: Site) -> None:
    page = b"<html><head><link rel=alternate type='application/rss+xml' href='/real.xml'></head>"
    site.files["/feed.xml"] = page
    site.kinds["/feed.xml"] = "text/html"
    with pytest.raises(
        ListenerError, match=r"no feed\. The page names this feed: /real\.xml"
    ) as no:
        fetch(make(site.url()))
    assert no.value.permanent


def test_a_feed_that_worked_is_tried_again_when_it_shows_a_page_for_once(site: Site) -> None:
    site.files["/feed.xml"] = rss(item("a", "hello", START))
    _, cursor = run(make(site.url()))
    site.files["/feed.xml"] = b"<html><body>Back soon</body></html>"
    with pytest.raises(ListenerError, match="no readable feed") as caught:
        fetch(make(site.url()), cursor)
    assert not caught.value.permanent


def test_an_empty_feed_is_a_quiet_one(site: Site) -> None:
    site.files["/feed.xml"] = rss()
    [batch] = fetch(make(site.url()))
    assert (list(batch.posts), batch.covered_until) == ([], START)


def test_redirects_are_followed_but_not_for_ever(site: Site) -> None:
    site.files["/feed.xml"] = rss(item("a", "hello", START))
    site.answers["/old.xml"] = (301, {"Location": "/feed.xml"}, b"")
    site.answers["/loop.xml"] = (302, {"Location": "/loop.xml"}, b"")
    posts, _ = run(make(site.url("/old.xml")))
    assert [post.namespace for post in posts] == [site.url("/old.xml")]
    with pytest.raises(ListenerError, match="without end") as caught:
        fetch(make(site.url("/loop.xml")))
    assert caught.value.permanent


def test_a_redirect_to_another_scheme_is_refused(site: Site) -> None:
    site.answers["/feed.xml"] = (302, {"Location": "file:///etc/passwd"}, b"")
    with pytest.raises(ListenerError, match="neither http nor https"):
        fetch(make(site.url()))


def test_more_than_ten_megabytes_are_no_feed_also_when_packed(site: Site) -> None:
    packed = gzip.compress(b"<rss>" + b" " * (11 * 2**20))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/xml"}
    site.answers["/feed.xml"] = (200, headers, packed)
    with pytest.raises(ListenerError, match="more than 10 MB") as caught:
        fetch(make(site.url()))
    assert caught.value.permanent


def test_a_private_address_is_not_fetched_unless_allowed(site: Site) -> None:
    site.files["/feed.xml"] = rss(item("a", "secret", START))
    listener = RssListener.from_config({"url": site.url()}, {}, SetClock(START))
    with pytest.raises(ListenerError, match=r"127\.0\.0\.1 is not on the public network") as caught:
        fetch(listener)
    assert caught.value.permanent
    assert site.requests == []


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f.1", "127.1"])
def test_no_way_to_write_our_own_address_gets_through(site: Site, name: str) -> None:
    listener = RssListener.from_config(
        {"url": f"http://{name}:{site.port}/feed.xml"}, {}, SetClock(START)
    )
    with pytest.raises(ListenerError):
        fetch(listener)
    assert site.requests == []


def test_a_password_is_sent_to_the_feed_and_to_no_other_host(site: Site) -> None:
    other = Site()
    try:
        other.files["/feed.xml"] = rss(item("a", "hello", START))
        site.answers["/feed.xml"] = (302, {"Location": other.url()}, b"")
        run(make(site.url(), None, username="reader", password="s3cret"))
        assert site.requests[0][1]["Authorization"].startswith("Basic ")
        assert "Authorization" not in other.requests[0][1]
    finally:
        other.close()


@pytest.mark.parametrize(
    "url", ["", "feed.xml", "ftp://x.test/f", "http://", "https://me:pw@x.test/f", "http://[::1"]
)
def test_a_wrong_address_names_its_field_and_not_its_value(url: str) -> None:
    with pytest.raises(ListenerError, match=r"This feed cannot be used\. url: ") as caught:
        RssListener.from_config({"url": url}, {}, SetClock(START))
    assert caught.value.permanent
    assert "pw" not in str(caught.value)


def test_the_namespace_of_a_very_long_address_fits_the_store() -> None:
    long = "https://news.test/" + "a" * 500
    assert len(namespace_of(long)) <= 200
    assert namespace_of(long) != namespace_of(long + "b")
    assert namespace_of("https://news.test/f") == "https://news.test/f"


def test_the_cursor_stays_small(site: Site) -> None:
    cursor: Cursor | None = None
    for page in range(4):
        items = [item(f"i{page}-{n}", f"text {n}", START) for n in range(600)]
        site.files["/feed.xml"] = rss(*items)
        _, cursor = run(make(site.url()), cursor)
    assert cursor is not None
    assert len(cursor["seen"]) == 1_000
