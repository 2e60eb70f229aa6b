"""Fixtures of the desk's tests."""

from __future__ import annotations

import pytest

from store.clock import SetClock
from store.database import Store
from tests.responder.world import World


@pytest.fixture
def world(store: Store, clock: SetClock) -> World:
    """Both databases, one own brand."""
    made = World(store, clock)
    made.brand("Acme")
    return made


@pytest.fixture
def small_world(sqlite_store: Store, clock: SetClock) -> World:
    """For what does not depend on the database."""
    made = World(sqlite_store, clock)
    made.brand("Acme")
    return made
