"""Limits and calendars as they are edited."""

from __future__ import annotations

import pytest

from responder import sla
from store.database import Store
from store.models import SlaPolicy
from store.service_levels import (
    CalendarValues,
    LevelError,
    calendars,
    default_policies,
    policies,
    policy_of,
    remove_calendar,
    remove_policy,
    save_calendar,
    save_policy,
)
from tests.builders import a_brand

WEEK = {"0": "09:00-12:00,13:00-18:00"}


def test_a_brand_goes_by_its_own_limits_until_they_are_taken_back(store: Store) -> None:
    with store.write() as session:
        sla.ensure_defaults(session)
        brand = a_brand(session)
        calendar = save_calendar(session, CalendarValues("Shop", "Asia/Shanghai", WEEK, "CN"))
        limits = {"resolution_minutes": 90, "calendar_id": calendar}
        first = save_policy(session, brand, "complaint", first_response_minutes=30, **limits)
        again = save_policy(session, brand, "complaint", first_response_minutes=45, **limits)
        assert first == again
        own = policy_of(session, brand, "complaint")
        assert own is not None
        assert (own.first_response_minutes, own.resolution_minutes) == (45, 90)
        assert own.calendar_id == calendar
        assert remove_policy(session, brand, "complaint")
        assert not remove_policy(session, brand, "complaint")
        default = policy_of(session, brand, "complaint")
        assert default is not None
        assert (default.brand_id, default.first_response_minutes) == (None, 60)


def test_changing_a_default_adds_no_second_one(store: Store) -> None:
    with store.write() as session:
        sla.ensure_defaults(session)
        before = default_policies(session)
        saved = save_policy(
            session, None, "praise", first_response_minutes=10, resolution_minutes=10,
            calendar_id=before["praise"].calendar_id,
        )  # fmt: skip
        assert saved == before["praise"].id
        rows = [row for row in policies(session) if row.category == "praise"]
        assert [(row.first_response_minutes, row.resolution_minutes) for row in rows] == [(10, 10)]


@pytest.mark.parametrize(
    ("first", "resolution", "reason"),
    [(0, 10, "minutes"), (10, 0, "minutes"), (10, 100_001, "minutes"), (11, 10, "order")],
)
def test_limits_that_make_no_sense_are_refused(
    sqlite_store: Store, first: int, resolution: int, reason: str
) -> None:
    with sqlite_store.write() as session:
        calendar = save_calendar(session, CalendarValues("Shop", "UTC", WEEK))
        with pytest.raises(LevelError) as refused:
            save_policy(
                session, None, "other", first_response_minutes=first,
                resolution_minutes=resolution, calendar_id=calendar,
            )  # fmt: skip
        assert refused.value.reason == reason
        assert session.query(SlaPolicy).count() == 0


def test_a_calendar_is_changed_and_stays_while_limits_use_it(store: Store) -> None:
    with store.write() as session:
        shop = save_calendar(
            session, CalendarValues(" Shop  floor ", "UTC", WEEK, "", ["2026-12-24"])
        )
        spare = save_calendar(session, CalendarValues("Spare", "UTC", WEEK))
        with pytest.raises(LevelError, match="taken"):
            save_calendar(session, CalendarValues("SHOP FLOOR", "UTC", WEEK), spare)
        with pytest.raises(LevelError, match="empty"):
            save_calendar(session, CalendarValues(" ", "UTC", WEEK))
        with pytest.raises(LevelError, match="gone"):
            save_calendar(session, CalendarValues("Other", "UTC", WEEK), spare + 100)
        save_calendar(
            session, CalendarValues("Shop floor", "Europe/Berlin", {"6": "22:00-06:00"}), shop
        )
        save_policy(
            session, None, "other", first_response_minutes=1, resolution_minutes=1,
            calendar_id=shop,
        )  # fmt: skip
        with pytest.raises(LevelError, match="in_use"):
            remove_calendar(session, shop)
        assert remove_calendar(session, spare)
        assert not remove_calendar(session, spare)
        assert [(row.name, row.time_zone, row.weekly, row.holidays, row.closed_days)
                for row in calendars(session)] == [
            ("Shop floor", "Europe/Berlin", {"6": "22:00-06:00"}, None, []),
        ]  # fmt: skip
