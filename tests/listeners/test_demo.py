"""The invented streams: varied, in order, the same every time, and played at the right pace."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta

import pytest

from listeners.base import ListenerError
from listeners.demo import DemoListener
from listeners.scenarios import Draft, Scenario, names, scenario
from listeners.scenarios.plan import load_plan
from listeners.scenarios.voices import MEANT, Voice
from query.match import BrandMatcher, compile_query
from store.clock import SetClock
from store.posts import Cursor, Post
from tests.conftest import START

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module", params=["coffee", "recall", "outage"])
def told(request: pytest.FixtureRequest) -> Scenario:
    return scenario(request.param, START)


@pytest.fixture(scope="module")
def coffee() -> Scenario:
    return scenario("coffee", START)


@pytest.fixture(scope="module")
def drafts(coffee: Scenario) -> list[Draft]:
    """All that the demonstration says from its beginning to eight hours after its start."""
    return list(coffee.drafts(-14 * 1440, 480))


def whole(stream: Scenario) -> list[Post]:
    return list(stream.posts(stream.begins_at, START + timedelta(hours=8)))


def test_there_is_a_demonstration_and_two_drills() -> None:
    assert names() == ["coffee", "outage", "recall"]
    assert [load_plan(name).realm for name in names()] == ["demo", "drill", "drill"]
    with pytest.raises(KeyError, match="There are: coffee, outage, recall"):
        scenario("tea", START)


def test_two_weeks_hold_thousands_of_posts_of_which_few_repeat(drafts: list[Draft]) -> None:
    history = [draft for draft in drafts if draft.minute < -60]
    assert 4_000 <= len(history) <= 6_500
    assert len({draft.line.text for draft in drafts}) / len(drafts) >= 0.9
    templates = Counter(draft.line.template for draft in drafts)
    assert templates.most_common(1)[0][1] / len(drafts) <= 0.03
    assert len(templates) > 400


def test_drills_are_varied_as_well(told: Scenario) -> None:
    made = list(told.drafts(-14 * 1440, 480))
    assert len(made) > 1_500
    assert len({draft.line.text for draft in made}) / len(made) >= 0.85
    templates = Counter(draft.line.template for draft in made)
    assert templates.most_common(1)[0][1] / len(made) <= 0.03


def test_people_speak_many_languages_but_mostly_english_and_chinese(drafts: list[Draft]) -> None:
    shares = Counter(draft.language for draft in drafts)
    assert set(shares) == {"en", "zh", "de", "es", "fr", "ja"}
    assert shares["en"] / len(drafts) > 0.35
    assert shares["zh"] / len(drafts) > 0.35
    for draft in drafts:
        if draft.language == "zh":
            assert re.search(r"[\u4e00-\u9fff]", draft.line.text)


def test_no_gap_of_a_line_is_left_open(told: Scenario) -> None:
    for draft in told.drafts(-14 * 1440, 480):
        assert not re.search(r"[{}]|\bNone\b", draft.line.text), draft.line
        assert draft.line.text == draft.line.text.strip()
        assert "  " not in draft.line.text


def test_every_line_of_every_pool_can_be_said(told: Scenario) -> None:
    """Also the lines that chance did not pick: no gap without a slot, no pool without a use."""
    from random import Random

    plan = told.plan
    for language in plan.languages:
        voice = Voice(told.name, language, plan.slots)
        for pool, lines in voice.pools.items():
            if pool == "repost_note":
                continue
            for place in range(len(lines)):
                line = voice.line(pool, plan.brands[0].key, plan.brands[-1].key, Random(1), place)
                assert not re.search(r"[{}]", line.text), f"{told.name} {line.template}"


def test_moods_are_mixed_and_the_crisis_is_angry(drafts: list[Draft]) -> None:
    def share_of_negative(part: list[Draft]) -> float:
        meant = [MEANT[draft.pool][0] for draft in part if draft.pool in MEANT]
        return meant.count("negative") / len(meant)

    history = [draft for draft in drafts if draft.minute < -60]
    crisis = [draft for draft in drafts if -57 <= draft.minute < 60]
    assert 0.15 < share_of_negative(history) < 0.35
    assert share_of_negative(crisis) > 0.6
    intents = Counter(MEANT[draft.pool][1] for draft in history if draft.pool in MEANT)
    assert min(intents.values()) / sum(intents.values()) > 0.04


def test_the_crisis_grows_over_the_last_hour_far_beyond_the_usual(drafts: list[Draft]) -> None:
    buckets = Counter(int(draft.minute // 5) for draft in drafts if "northlight" in draft.brands)
    usual = [buckets[bucket] for bucket in range(-12 * 24 * 2, -13)]
    assert sum(usual) / len(usual) < 2
    quarters = [sum(buckets[q * 3 + n] for n in range(3)) for q in (-4, -3, -2, -1, 0)]
    assert quarters == sorted(quarters)
    assert quarters[-2] > 60
    assert sum(buckets[n] for n in range(84, 96)) < quarters[-1]


def test_good_news_makes_a_wave_too_and_is_no_crisis(drafts: list[Draft]) -> None:
    launch = [draft for draft in drafts if -13_200 <= draft.minute <= -12_600]
    praise = [draft for draft in launch if draft.pool in {"launch", "praise", "agree"}]
    assert len(praise) > 120
    assert len(praise) / len(launch) > 0.5


def test_a_crowd_of_small_accounts_and_large_media_join(drafts: list[Draft]) -> None:
    crisis = [draft for draft in drafts if draft.minute >= -57]
    bots = [d for d in crisis if d.person.author.external_id.startswith("bot")]
    media = [d for d in crisis if d.person.author.external_id.startswith("media-")]
    assert len(bots) > 20
    assert all((draft.person.author.followers or 0) <= 6 for draft in bots)
    assert len(media) >= 6
    assert max(draft.person.author.followers or 0 for draft in media) == 2_310_000
    reposts = [draft for draft in crisis if draft.kind == "repost"]
    assert len(reposts) > 80
    known = {draft.key for draft in drafts}
    assert all(draft.parent in known for draft in reposts)


def test_posts_come_in_the_order_of_time_with_ids_of_their_own(told: Scenario) -> None:
    posts = whole(told)
    times = [post.posted_at for post in posts]
    assert times == sorted(times)
    assert len({(post.namespace, post.external_id) for post in posts}) == len(posts)
    assert {post.platform for post in posts} == {"demo"}
    assert all(len(post.external_id) <= 400 and len(post.namespace) <= 200 for post in posts)


def test_replies_lie_in_the_thread_and_place_of_what_they_answer(told: Scenario) -> None:
    posts = whole(told)
    by_key = {post.external_id: post for post in posts}
    replies = [post for post in posts if post.in_reply_to]
    assert len(replies) > 200
    for reply in replies:
        parent = by_key[reply.in_reply_to or ""]
        assert parent.posted_at <= reply.posted_at
        assert parent.namespace == reply.namespace
        assert parent.conversation == reply.conversation
    for post in posts:
        if not post.in_reply_to:
            assert post.conversation == post.external_id


def test_the_own_account_answers_in_history_and_leaves_the_crisis_to_the_team(
    told: Scenario,
) -> None:
    own = [post for post in whole(told) if post.direction == "outbound"]
    assert len(own) > 150
    late = [post for post in own if post.posted_at > START - 60 * MINUTE]
    assert all(post.external_id.startswith("metal-") for post in late)
    assert len(late) == (4 if told.name == "coffee" else 0)
    handles = {handle.removeprefix("@") for handle in told.brands[0].handles}
    assert {post.author.handle for post in own if post.author} <= handles


def test_every_post_that_opens_a_thread_is_found_by_its_brands_query(told: Scenario) -> None:
    keys = [brand.key for brand in told.brands]
    matcher = BrandMatcher(
        [(n, None, compile_query(brand.query)) for n, brand in enumerate(told.brands)]
    )
    for post in whole(told):
        if post.in_reply_to or post.direction == "outbound":
            continue
        found = {keys[hit.brand_id] for hit in matcher.brands_of(f"{post.title}\n{post.text}")}
        assert found == set(post.channel_ref["brands"]), post.text


def test_the_same_seed_tells_the_same_story_and_another_one_another(coffee: Scenario) -> None:
    since, until = START - timedelta(days=3), START
    again = list(scenario("coffee", START).posts(since, until))
    other = list(scenario("coffee", START, seed=8).posts(since, until))
    first = list(coffee.posts(since, until))
    assert first == again
    texts = {post.text for post in first}
    assert len(texts & {post.text for post in other}) / len(texts) < 0.1


def test_any_stretch_is_the_same_whether_told_alone_or_within_the_whole(coffee: Scenario) -> None:
    since, until = START - timedelta(hours=30), START + timedelta(hours=1)
    pieces: list[Post] = []
    at = since
    while at < until:
        following = min(at + timedelta(minutes=37), until)
        pieces += coffee.posts(at, following)
        at = following
    assert pieces == list(coffee.posts(since, until))


def test_two_runs_share_no_identity() -> None:
    stretch = (START - timedelta(hours=6), START)
    first = scenario("recall", START, run="first").posts(*stretch)
    second = scenario("recall", START, run="second").posts(*stretch)
    assert not {post.namespace for post in first} & {post.namespace for post in second}


def test_it_goes_on_for_days_without_a_second_crisis(coffee: Scenario) -> None:
    later = list(coffee.drafts(5 * 1440, 6 * 1440))
    assert 150 < len(later) < 600
    assert not {draft.pool for draft in later} & {"witness", "worry", "bots", "media"}


# The listener


def listen(clock: SetClock, **config: object) -> DemoListener:
    return DemoListener.from_config({"started_at": START.isoformat(), **config}, {}, clock)


def take(listener: DemoListener, cursor: Cursor | None) -> tuple[list[Post], Cursor, datetime]:
    posts: list[Post] = []
    covered = None
    for batch in listener.fetch(cursor):
        assert len(batch.posts) <= 510
        posts += batch.posts
        assert batch.cursor is not None
        cursor, covered = batch.cursor, batch.covered_until
    assert cursor is not None
    assert covered is not None
    return posts, cursor, covered


def test_history_comes_at_once_and_the_crisis_within_three_minutes() -> None:
    clock = SetClock(START)
    listener = listen(clock)
    posts, cursor, covered = take(listener, None)
    assert len(posts) > 4_000
    assert covered == START - 60 * MINUTE
    assert max(post.posted_at for post in posts) < covered
    played = []
    for _ in range(36):
        clock.advance(timedelta(seconds=5))
        posts, cursor, covered = take(listener, cursor)
        played.append((len(posts), covered))
    assert covered == clock.now()
    arrived = sum(count for count, _ in played)
    assert arrived > 200
    assert played[5][1] < START - 40 * MINUTE
    assert played[31][1] == START + timedelta(seconds=160)


def test_nothing_comes_from_the_future_and_nothing_twice() -> None:
    clock = SetClock(START)
    listener = listen(clock, history=False)
    cursor: Cursor | None = None
    seen: list[Post] = []
    for seconds in (0, 1, 7, 60, 3, 90, 30, 3_600, 5):
        clock.advance(timedelta(seconds=seconds))
        posts, cursor, covered = take(listener, cursor)
        assert all(post.posted_at < covered <= clock.now() for post in posts)
        seen += posts
    expected = list(scenario("coffee", START).posts(START - 60 * MINUTE, covered))
    assert seen == expected


def test_a_process_that_dies_after_any_batch_goes_on_from_its_cursor() -> None:
    clock = SetClock(START + timedelta(hours=2))
    listener = listen(clock)
    batches = list(listener.fetch(None))
    assert len(batches) > 8
    wanted = [post for batch in batches for post in batch.posts]
    for survived in (1, 4, len(batches) - 1):
        stored = [post for batch in batches[:survived] for post in batch.posts]
        rest, _, _ = take(listener, batches[survived - 1].cursor)
        assert stored + rest == wanted
    assert [batch.covered_until is None for batch in batches] == [True] * (len(batches) - 1) + [
        False
    ]


def test_one_source_gives_one_brand_and_both_where_both_are_named() -> None:
    clock = SetClock(START)
    own, _, _ = take(listen(clock, brand="northlight"), None)
    other, _, _ = take(listen(clock, brand="harbor"), None)
    both, _, _ = take(listen(clock), None)
    shared = {post.external_id for post in own} & {post.external_id for post in other}
    assert len(shared) > 20
    assert {post.external_id for post in own} | {post.external_id for post in other} == {
        post.external_id for post in both
    }
    assert all("northlight" in post.channel_ref["brands"] for post in own)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"scenario": "tea"}, "scenario: there is no scenario 'tea', only coffee, outage, recall"),
        ({"speed": 1}, "speed: "),
        ({"spede": 2}, "spede: extra inputs are not permitted"),
        ({"started_at": "yesterday"}, "started_at: "),
        ({"started_at": "2026-03-02T09:00:00"}, "started_at: "),
        ({"brand": "tea"}, "brand: 'tea' is not in the scenario"),
    ],
)
def test_wrong_settings_name_their_field(config: dict[str, object], words: str) -> None:
    with pytest.raises(ListenerError, match=words) as caught:
        listen(SetClock(START), **config)
    assert caught.value.permanent
