"""Fixtures shared by all tests.

``store`` is an empty, fully migrated database and runs every test on SQLite and on PostgreSQL.
``sqlite_store`` is for what does not depend on the database.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from store.clock import SetClock
from store.database import Store
from tests import postgres

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday
_serial = count()


@pytest.fixture
def clock() -> SetClock:
    return SetClock(START)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "groundswell.db"
    store = Store(f"sqlite:///{path}")
    store.upgrade()
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    try:
        postgres.find_programs()
    except postgres.PostgresMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with postgres.cluster() as url:
        template = Store(f"{url}/postgres")
        template.close()
        postgres.sql(url, "CREATE DATABASE template_gs")
        template = Store(f"{url}/template_gs")
        template.upgrade()
        template.close()
        yield url


@pytest.fixture
def sqlite_store(migrated_file: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "groundswell.db"
    shutil.copy(migrated_file, path)
    store = Store(f"sqlite:///{path}")
    yield store
    store.close()


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    name = f"gs_{os.getpid()}_{next(_serial)}"
    postgres.sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE template_gs")
    store = Store(f"{postgres_url}/{name}")
    yield store
    store.close()
    postgres.sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Store:
    name = "sqlite_store" if request.param == "sqlite" else "postgres_store"
    found = request.getfixturevalue(name)
    assert isinstance(found, Store)
    return found
