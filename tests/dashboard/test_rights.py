"""Roles and what they may do, all in one table."""

from __future__ import annotations

from typing import get_args

import pytest

from dashboard.rights import RIGHTS, Right, may
from service.signin import Person
from store.users import ROLES


def _person(role: str) -> Person:
    return Person(1, "a@example.com", "", role, "en", True, "")


def test_every_role_has_a_line_and_an_administrator_may_do_everything() -> None:
    assert set(RIGHTS) == set(ROLES)
    assert RIGHTS["administrator"] == set(get_args(Right))


@pytest.mark.parametrize(
    ("role", "right", "allowed"),
    [
        ("agent", "work_tickets", True),
        ("agent", "act_on_alerts", False),
        ("agent", "export", False),
        ("manager", "act_on_alerts", True),
        ("manager", "edit_team", False),
        ("analyst", "export", True),
        ("analyst", "work_tickets", False),
        ("analyst", "edit_sources", False),
        ("manager", "edit_wording", True),
        ("manager", "edit_settings", False),
        ("agent", "read_settings", False),
        ("analyst", "read_settings", False),
        ("stranger", "read_inbox", False),
    ],
)
def test_a_role_may_do_its_own_work_only(role: str, right: Right, allowed: bool) -> None:
    assert may(_person(role), right) is allowed
