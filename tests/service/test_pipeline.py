"""A mention's whole way: collected, assessed, watched, triaged, answered."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from responder.replies import compose
from service.demo import first_things
from service.pipeline import Pipeline
from service.wiring import Services
from store.clock import SetClock
from store.models import Assessment, Mention, Reply, SlaClock, Ticket
from store.posts import Batch
from store.rollups import recount
from tests.builders import a_post
from tests.conftest import START
from tests.service.conftest import Scripted
from tests.service.test_collect import a_source


def test_a_complaint_becomes_a_ticket_and_its_answer_goes_out_once(
    services: Services, platform: type[Scripted], clock: SetClock
) -> None:
    first_things(services)
    a_source(services)
    posts = [
        a_post("c", "this is bad"),
        a_post("c2", "really bad", in_reply_to="c"),
        a_post("p", "so good"),
        a_post("q", "where is it?", author="bob"),
        a_post("x", "weather"),
    ]
    platform.script = [[Batch(posts, {"at": 1})]]
    pipeline = Pipeline(services)
    pipeline.run_until_idle()
    with services.store.write() as session:
        tickets = session.scalars(select(Ticket).order_by(Ticket.id)).all()
        assert [(t.category, t.status) for t in tickets] == [
            ("complaint", "open"),
            ("enquiry", "open"),
        ]
        assert [t.number for t in tickets] == ["GS-2026-000001", "GS-2026-000002"]
        assert session.scalar(select(func.count()).select_from(Assessment)) == 5
        mention = session.scalars(select(Mention.id).where(Mention.external_id == "c")).one()
        compose(
            session,
            tickets[0].id,
            mention,
            "We are sorry.",
            None,
            clock.now(),
            "demo",
            undo=timedelta(0),
        )
    for _ in range(3):
        pipeline.run_until_idle()
    with services.store.read() as session:
        reply = session.scalars(select(Reply)).one()
        assert (reply.status, reply.attempts) == ("sent", 1)
        outbound = session.scalars(select(Mention).where(Mention.direction == "outbound")).all()
        assert [mention.text for mention in outbound] == ["We are sorry."]
        stopped = session.scalars(
            select(SlaClock.stopped_at).where(
                SlaClock.ticket_id == reply.ticket_id, SlaClock.kind == "first_response"
            )
        ).one()
        assert stopped == START
        assert not recount(session)


def test_running_every_stage_again_changes_nothing(
    services: Services, platform: type[Scripted]
) -> None:
    first_things(services)
    a_source(services)
    platform.script = [[Batch([a_post(str(i), f"bad {i}") for i in range(30)], {"at": 1})]]
    pipeline = Pipeline(services)
    pipeline.run_until_idle()

    def counts() -> tuple[int, ...]:
        with services.store.read() as session:
            return tuple(
                session.scalar(select(func.count()).select_from(table)) or 0
                for table in (Mention, Assessment, Ticket, SlaClock)
            )

    first = counts()
    assert first[:3] == (30, 30, 30)
    for stage in (pipeline.assess, pipeline.watch, pipeline.triage, pipeline.deliver):
        assert stage() == 0
    assert counts() == first


def test_scoring_goes_in_batches_of_the_size_that_was_set(
    services: Services, platform: type[Scripted]
) -> None:
    a_source(services)
    platform.script = [[Batch([a_post(str(i)) for i in range(600)], {"at": 1})]]
    pipeline = Pipeline(services)
    pipeline.collect()
    assert pipeline.assess() == 600
    assert services.model().calls == [256, 256, 88]  # type: ignore[attr-defined]


def test_a_source_asked_for_by_name_is_free_again_after_its_run(
    services: Services, platform: type[Scripted]
) -> None:
    key, _ = a_source(services)
    platform.script = [[Batch([a_post("1")], {"at": 1})], [Batch([a_post("2")], {"at": 2})]]
    pipeline = Pipeline(services)
    assert pipeline.collect(key) == 1
    assert pipeline.collect(key) == 1
    assert platform.asked == [None, {"at": 1}]


def test_a_stopped_pipeline_leaves_the_rest_for_the_next(
    services: Services, platform: type[Scripted]
) -> None:
    a_source(services)
    platform.script = [[Batch([a_post("1")], {"at": 1})]]
    pipeline = Pipeline(services)
    pipeline.stopping.set()
    assert pipeline.collect() == 0
    other = Pipeline(services)
    other.run_until_idle()
    with services.store.read() as session:
        assert session.scalar(select(func.count()).where(Mention.assessed_at.is_not(None))) == 1
