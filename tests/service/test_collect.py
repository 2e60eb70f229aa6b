"""A run of a source: what is stored, where the cursor ends, and what its failure means."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from listeners.base import ListenerError
from service.pipeline import Pipeline
from service.wiring import Services
from store.clock import SetClock
from store.models import Mention, MentionBrand, SearchQuery, Source, SourceRun
from store.posts import Batch, Post, Removal
from tests.builders import a_brand, a_post
from tests.conftest import START
from tests.service.conftest import Scripted
from tests.store.test_sources import add_source


def a_source(services: Services, **values: object) -> tuple[int, int]:
    with services.store.write() as session:
        brand = a_brand(session)
    config = {"connector": "scripted", "brand_id": brand, **values}
    return add_source(services.store, "scripted", **config), brand


def the_source(services: Services) -> Source:
    with services.store.read() as session:
        return session.scalars(select(Source)).one()


def stored(services: Services) -> int:
    with services.store.read() as session:
        return session.scalar(select(func.count()).select_from(Mention)) or 0


def page(start: int, count: int) -> list[Post]:
    return [a_post(str(i)) for i in range(start, start + count)]


def test_each_batch_is_stored_with_the_cursor_that_passes_it(
    services: Services, platform: type[Scripted], clock: SetClock
) -> None:
    a_source(services)
    platform.script = [[Batch(page(0, 3), {"at": 3}), Batch(page(3, 2), {"at": 5})]]
    assert Pipeline(services).collect() == 1
    assert stored(services) == 5
    source = the_source(services)
    assert (source.cursor, source.state) == ({"at": 5}, "ok")
    assert source.next_run_at is not None
    assert abs(source.next_run_at - START - timedelta(minutes=1)) <= timedelta(seconds=6)
    clock.advance(timedelta(minutes=2))
    Pipeline(services).collect()
    assert platform.asked == [None, {"at": 5}]
    assert platform.closed == 2


def test_what_a_connector_has_to_say_of_a_good_run_is_kept_with_the_run(
    services: Services, platform: type[Scripted]
) -> None:
    a_source(services)
    platform.script = [[Batch(page(0, 1)), Batch((), {"at": 1}, message="Not well-formed.")]]
    Pipeline(services).collect()
    with services.store.read() as session:
        [run] = session.scalars(select(SourceRun))
    assert (run.outcome, run.message, the_source(services).last_error) == (
        "ok",
        "Not well-formed.",
        None,
    )


def test_a_run_that_breaks_off_keeps_what_it_stored_and_goes_on_from_there(
    services: Services, platform: type[Scripted], clock: SetClock
) -> None:
    a_source(services)
    failure = ListenerError("The server does not answer. It is tried again.")
    platform.script = [
        [Batch(page(0, 3), {"at": 3}), Batch(page(3, 2)), failure],
        [Batch(page(3, 4), {"at": 7})],
    ]
    Pipeline(services).collect()
    source = the_source(services)
    assert (source.state, source.cursor) == ("failing", {"at": 3})
    assert source.last_error == "The server does not answer. It is tried again."
    clock.advance(timedelta(minutes=2))
    Pipeline(services).collect()
    assert platform.asked[1] == {"at": 3}
    assert stored(services) == 7
    assert the_source(services).last_error is None


def test_an_expired_token_pauses_the_source_until_a_person_acts(
    services: Services, platform: type[Scripted], clock: SetClock
) -> None:
    a_source(services)
    platform.script = [[ListenerError("The token has expired. Enter a new one.", permanent=True)]]
    Pipeline(services).collect()
    source = the_source(services)
    assert (source.state, source.last_error) == (
        "paused",
        "The token has expired. Enter a new one.",
    )
    clock.advance(timedelta(days=1))
    assert Pipeline(services).collect() == 0


def test_a_rate_limit_moves_the_next_run_to_when_the_platform_said(
    services: Services, platform: type[Scripted]
) -> None:
    a_source(services)
    limit = ListenerError("Too many calls.", limited=True, retry_after=timedelta(minutes=15))
    platform.script = [[limit]]
    Pipeline(services).collect()
    source = the_source(services)
    assert (source.state, source.consecutive_failures) == ("ok", 0)
    assert source.next_run_at == START + timedelta(minutes=15)


def test_a_fault_nobody_foresaw_is_told_in_plain_words_and_stops_no_other_source(
    services: Services, platform: type[Scripted]
) -> None:
    _, brand = a_source(services)
    other = {"connector": "scripted", "brand_id": brand}
    add_source(services.store, "second", **other)
    platform.script = [[KeyError("author")], [Batch(page(0, 1), {"at": 1})]]
    assert Pipeline(services).collect() == 2
    with services.store.read() as session:
        errors = dict(session.execute(select(Source.name, Source.last_error)).all())
        outcomes = session.scalars(select(SourceRun.outcome).order_by(SourceRun.id)).all()
    assert "could not be read" in str(errors["scripted"])
    assert "KeyError" not in str(errors["scripted"])
    assert outcomes == ["failed", "ok"]


def test_an_unknown_connector_pauses_with_the_names_there_are(services: Services) -> None:
    a_source(services, connector="carrier-pigeon")
    Pipeline(services).collect()
    source = the_source(services)
    assert source.state == "paused"
    assert "rss" in str(source.last_error)


def test_what_is_older_than_the_source_or_only_context_is_history(
    services: Services, platform: type[Scripted]
) -> None:
    a_source(services)
    old, fresh = START - timedelta(days=2), START - timedelta(hours=2)
    posts = [
        a_post("old", posted_at=old),
        a_post("fresh", posted_at=fresh),
        a_post("above", posted_at=fresh, channel_ref={"context": True}),
    ]
    platform.script = [[Batch(posts, {"at": 1})]]
    Pipeline(services).collect()
    with services.store.read() as session:
        live = dict(session.execute(select(Mention.external_id, Mention.live)).all())
    assert live == {"old": False, "fresh": True, "above": False}


def test_a_feed_gives_only_what_a_query_finds_and_to_every_brand_it_concerns(
    services: Services, platform: type[Scripted]
) -> None:
    _, acme = a_source(services, config={"route": "queries"})
    with services.store.write() as session:
        rival = a_brand(session, "Rival", kind="competitor")
        for brand, words in ((acme, "Acme OR 阿克米"), (rival, "Rival")):
            session.add(SearchQuery(brand_id=brand, text=words, created_at=START))
    posts = [
        a_post("both", "Acme is better than Rival"),
        a_post("ours", "今天去了阿克米"),
        a_post("nobody", "weather"),
    ]
    platform.script = [[Batch(posts, {"at": 3})]]
    Pipeline(services).collect()
    with services.store.read() as session:
        rows = session.execute(
            select(Mention.external_id, MentionBrand.brand_id).join(
                MentionBrand, MentionBrand.mention_id == Mention.id
            )
        )
        assert {tuple(row) for row in rows} == {("both", acme), ("both", rival), ("ours", acme)}
    assert the_source(services).cursor == {"at": 3}


def test_a_query_nobody_can_read_finds_nothing_and_stops_nothing(
    services: Services, platform: type[Scripted]
) -> None:
    _, acme = a_source(services)
    with services.store.write() as session:
        session.add(SearchQuery(brand_id=acme, text='"open', created_at=START))
    platform.script = [[Batch(page(0, 1), {"at": 1})]]
    Pipeline(services).collect()
    assert stored(services) == 1


def test_a_removal_is_followed(services: Services, platform: type[Scripted]) -> None:
    a_source(services)
    platform.script = [
        [Batch(page(0, 1), {"at": 1}), Batch([], {"at": 2}, removals=[Removal("demo", "0")])]
    ]
    Pipeline(services).collect()
    with services.store.read() as session:
        mention = session.scalars(select(Mention)).one()
    assert (mention.text, mention.deleted_at) == ("", START)


def test_a_spent_budget_stops_the_calls(services: Services, platform: type[Scripted]) -> None:
    a_source(services, budget_usd=1.0, spent_usd=1.0, spent_month="2026-03")
    Pipeline(services).collect()
    assert platform.asked == []
    source = the_source(services)
    assert "budget" in str(source.last_error)
    assert source.state == "ok"


def test_a_source_switched_off_while_it_runs_ends_after_its_batch(
    services: Services, platform: type[Scripted]
) -> None:
    key, _ = a_source(services)

    def switch_off() -> None:
        with services.store.write() as session:
            session.get_one(Source, key).enabled = False

    platform.between = staticmethod(switch_off)
    platform.script = [
        [Batch(page(n, 1), {"at": n + 1}) for n in range(5)],
    ]
    Pipeline(services).collect()
    assert stored(services) == 2
    assert the_source(services).cursor == {"at": 2}


def test_a_long_batch_is_stored_in_parts_and_its_cursor_comes_last(
    services: Services, platform: type[Scripted]
) -> None:
    a_source(services)
    platform.script = [[Batch(page(0, 1200), {"at": 1200}, covered_until=START)]]
    Pipeline(services).collect()
    assert stored(services) == 1200
    source = the_source(services)
    assert (source.cursor, source.covered_until) == ({"at": 1200}, START)
