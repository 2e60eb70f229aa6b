"""Clocks of tickets, in the team's working minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from calendars.business import from_row
from responder import sla, tickets
from store.models import BusinessCalendar, SlaClock, SlaPolicy
from tests.responder.world import Said, World


def clock_of(
    world: World, kind: str = sla.FIRST_RESPONSE, ticket_id: int | None = None
) -> SlaClock:
    wanted = ticket_id or world.ticket().id
    with world.store.read() as session:
        return session.scalars(
            select(SlaClock).where(SlaClock.kind == kind, SlaClock.ticket_id == wanted)
        ).one()


def state_of(world: World, kind: str = sla.FIRST_RESPONSE) -> sla.ClockState:
    clock = clock_of(world, kind)
    with world.store.read() as session:
        calendar = sla.calendars_by_id(session)[clock.calendar_id]
    return sla.clock_state(clock, world.now, calendar)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def test_the_defaults_are_made_once_for_every_class(world: World) -> None:
    made = [world.store.transact(sla.ensure_defaults) for _ in range(2)]
    assert made == [5, 0]
    with world.store.read() as session:
        classes = session.scalars(select(SlaPolicy.category).order_by(SlaPolicy.category)).all()
        assert session.scalar(select(func.count(BusinessCalendar.id))) == 1
    assert classes == ["complaint", "enquiry", "other", "praise", "suggestion"]


def test_clocks_start_when_we_received_the_post_not_when_it_was_posted(world: World) -> None:
    world.post("p1", ago=minutes(300))
    received = world.now
    world.later(minutes=25)
    world.triage()
    clock = clock_of(world)
    assert (clock.started_at, clock.due_at) == (received, received + minutes(60))
    assert state_of(world).minutes_left == 35


def test_the_classes_have_limits_of_their_own(world: World) -> None:
    world.post("p1", said=Said("enquiry"))
    world.triage()
    assert (clock_of(world).limit_minutes, clock_of(world, sla.RESOLUTION).limit_minutes) == (
        120, 1080,
    )  # fmt: skip
    # 18 working hours from Monday 09:00: two whole days of nine.
    assert clock_of(world, sla.RESOLUTION).due_at == datetime(2026, 3, 3, 18, tzinfo=UTC)


def test_the_default_week_is_that_of_the_brands_time_zone(world: World) -> None:
    world.brand("Tingchao", time_zone="Asia/Shanghai")
    world.post("p1", brands=("Tingchao",))  # Monday 17:00 in Shanghai, an hour before closing
    world.triage()
    clock = clock_of(world)
    with world.store.read() as session:
        calendar = session.get_one(BusinessCalendar, clock.calendar_id)
    assert (calendar.time_zone, calendar.holidays) == ("Asia/Shanghai", "CN")
    assert clock.due_at == world.now + minutes(60)
    assert clock_of(world, sla.RESOLUTION).due_at == datetime(2026, 3, 5, 2, tzinfo=UTC)


def test_a_policy_of_the_brand_goes_before_the_default(world: World) -> None:
    with world.store.write() as session:
        always = BusinessCalendar(
            name="Always", time_zone="UTC", weekly={str(day): "00:00-24:00" for day in range(7)},
            closed_days=[],
        )  # fmt: skip
        session.add(always)
        session.flush()
        session.add(
            SlaPolicy(
                brand_id=world.brands["Acme"], category="complaint", first_response_minutes=15,
                resolution_minutes=240, calendar_id=always.id,
            )
        )  # fmt: skip
    world.later(hours=14)  # 23:00
    world.post("p1")
    world.post("p2", said=Said("enquiry"), author="dave")
    world.triage()
    first, second = world.tickets()
    assert clock_of(world, ticket_id=first.id).due_at == world.now + minutes(15)
    assert clock_of(world, ticket_id=second.id).due_at == datetime(2026, 3, 3, 11, tzinfo=UTC)


def test_a_clock_pauses_while_pending_and_goes_on_with_what_was_left(world: World) -> None:
    world.post("p1")
    world.triage()
    ticket_id = world.ticket().id
    world.later(minutes=45)
    with world.store.write() as session:
        tickets.set_pending(session, ticket_id, None, world.now)
    world.later(days=1, hours=8)  # Tuesday 17:45
    assert state_of(world) == sla.ClockState(15.0, "paused", False)
    with world.store.write() as session:
        tickets.set_open(session, ticket_id, None, world.now)
    assert clock_of(world).due_at == datetime(2026, 3, 3, 18, tzinfo=UTC)
    assert state_of(world).minutes_left == 15


def test_the_state_turns_from_ok_over_soon_to_late(world: World) -> None:
    world.post("p1")
    world.triage()
    states = []
    for step in (0, 44, 1, 15, 1):
        world.later(minutes=step)
        states.append((state_of(world).state, state_of(world).minutes_left))
    assert states == [("ok", 60), ("ok", 16), ("soon", 15), ("soon", 0), ("late", -1)]


def test_lateness_counts_working_minutes_too(world: World) -> None:
    world.post("p1")
    world.triage()
    world.later(days=1)  # due Monday 10:00; 8 hours that day, none at night
    assert state_of(world).minutes_left == -480


def test_a_breach_is_marked_once_with_a_line_in_the_history(world: World) -> None:
    world.post("p1")
    world.triage()
    world.later(minutes=60)
    assert world.store.transact(lambda s: sla.mark_breaches(s, world.now)) == []
    world.later(minutes=1)
    (breach,) = world.store.transact(lambda s: sla.mark_breaches(s, world.now))
    assert (breach.ticket_id, breach.kind) == (world.ticket().id, "first_response")
    assert world.store.transact(lambda s: sla.mark_breaches(s, world.now)) == []
    assert clock_of(world).breached_at == clock_of(world).due_at
    assert world.events() == ["opened", "breached"]


def test_a_stopped_or_paused_clock_is_never_breached(world: World) -> None:
    world.post("p1")
    world.triage()
    with world.store.write() as session:
        sla.stop(session, world.ticket().id, sla.FIRST_RESPONSE, world.now)
        sla.pause(session, world.ticket().id, world.now)
    world.later(days=60)
    assert world.store.transact(lambda s: sla.mark_breaches(s, world.now)) == []


def test_an_answer_after_the_limit_is_a_breach_even_before_it_is_marked(world: World) -> None:
    world.post("p1")
    world.triage()
    world.later(minutes=75)
    with world.store.write() as session:
        assert sla.stop(session, world.ticket().id, sla.FIRST_RESPONSE, world.now)
        assert not sla.stop(session, world.ticket().id, sla.FIRST_RESPONSE, world.now)
    assert state_of(world) == sla.ClockState(-15.0, "stopped", True)
    assert world.events() == ["opened", "breached"]


def test_pausing_a_late_clock_does_not_make_it_good_again(world: World) -> None:
    world.post("p1")
    world.triage()
    ticket_id = world.ticket().id
    world.later(minutes=70)
    with world.store.write() as session:
        tickets.set_pending(session, ticket_id, None, world.now)
        tickets.set_open(session, ticket_id, None, world.now + minutes(1))
    world.later(minutes=5)
    assert (state_of(world).state, state_of(world).breached) == ("late", True)


def test_a_reopened_ticket_has_its_full_time_to_a_resolution_again(world: World) -> None:
    world.post("p1")
    world.triage()
    ticket_id = world.ticket().id
    with world.store.write() as session:
        sla.stop(session, ticket_id, sla.FIRST_RESPONSE, world.now)
        world.ticket()
        tickets.current(session, ticket_id).first_replied_at = world.now
        tickets.resolve(session, ticket_id, None, world.now)
    world.later(days=1)
    with world.store.write() as session:
        tickets.reopen(session, ticket_id, None, world.now)
    assert state_of(world, sla.RESOLUTION) == sla.ClockState(1080, "ok", False)
    assert state_of(world).state == "stopped"


def test_a_ticket_reopened_without_an_answer_waits_for_its_first_response_again(
    world: World,
) -> None:
    world.post("p1")
    world.triage()
    with world.store.write() as session:
        tickets.resolve(session, world.ticket().id, None, world.now)
        tickets.reopen(session, world.ticket().id, None, world.now)
    assert state_of(world) == sla.ClockState(60, "ok", False)


def test_a_broken_calendar_counts_as_always_open_instead_of_losing_the_ticket(
    world: World,
) -> None:
    world.store.transact(sla.ensure_defaults)
    with world.store.write() as session:
        session.scalars(select(BusinessCalendar)).one().weekly = {"0": "nonsense"}
    world.later(hours=12)
    world.post("p1")
    world.triage()
    assert clock_of(world).due_at == world.now + minutes(60)


def test_the_stored_calendar_is_the_one_that_counts(world: World) -> None:
    world.store.transact(sla.ensure_defaults)
    with world.store.read() as session:
        calendar = from_row(session.scalars(select(BusinessCalendar)).one())
    assert calendar.is_open(world.now)
    assert not calendar.is_open(world.now + timedelta(hours=9))


@pytest.mark.parametrize("kind", [sla.FIRST_RESPONSE, sla.RESOLUTION])
def test_starting_the_clocks_twice_changes_nothing(world: World, kind: str) -> None:
    world.post("p1")
    world.triage()
    before = clock_of(world, kind).due_at
    world.later(hours=1)
    ticket = world.ticket()
    assert world.store.transact(lambda s: sla.start_clocks(s, ticket, world.now)) == 0
    assert clock_of(world, kind).due_at == before
