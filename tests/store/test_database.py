"""The database itself: sessions, migrations, plain errors."""

from __future__ import annotations

import multiprocessing
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select, text

from store.clock import SetClock
from store.database import Store
from store.errors import DatabaseUnreachable, NewerDatabase, OutdatedDatabase
from store.models import Base, Brand, Lease


def test_the_migrations_build_exactly_the_models(store: Store) -> None:
    def ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
        return not (kind == "table" and str(name).startswith("mention_text"))

    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": ours, "compare_type": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_times_come_back_aware_and_naive_times_are_refused(store: Store, clock: SetClock) -> None:
    with store.write() as session:
        session.add(Brand(name="Acme", created_at=clock.now()))
    with store.read() as session:
        assert session.scalars(select(Brand.created_at)).one() == clock.now()
    with pytest.raises(Exception, match="without a zone"), store.write() as session:
        session.add(Brand(name="Naive", created_at=datetime(2026, 1, 1)))


def test_an_error_undoes_the_whole_writing_session(store: Store, clock: SetClock) -> None:
    with pytest.raises(RuntimeError), store.write() as session:
        session.add(Brand(name="Acme", created_at=clock.now()))
        session.flush()
        raise RuntimeError
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(Brand)) == 0


def _add_hundred(url: str) -> None:
    store = Store(url)
    for _ in range(100):

        def work(session: object) -> None:
            row = session.get(Lease, "counter", with_for_update=True)  # type: ignore[attr-defined]
            row.pid += 1

        store.transact(work)
    store.close()


def test_two_processes_that_read_then_write_lose_no_update(store: Store, clock: SetClock) -> None:
    with store.write() as session:
        session.add(Lease(name="counter", holder="x", host="x", pid=0, expires_at=clock.now()))
    context = multiprocessing.get_context("spawn")
    url = store.url.render_as_string(hide_password=False)
    workers = [context.Process(target=_add_hundred, args=(url,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    with store.read() as session:
        assert session.scalars(select(Lease.pid)).one() == 200


def test_a_database_from_a_newer_version_is_named_and_left_alone(store: Store) -> None:
    with store.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match="newer version"):
        store.check()
    with pytest.raises(NewerDatabase, match="newer version"):
        store.upgrade()
    assert store.revision() == "9999"


def test_an_empty_database_asks_for_the_upgrade(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/new.db")
    with pytest.raises(OutdatedDatabase, match="groundswell db upgrade"):
        store.check()
    store.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear Sir or Madam, " * 100)
    store = Store(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnreachable, match="not a Groundswell database"):
        store.check()
    store.close()


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    store = Store("postgresql://gs:secret@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnreachable) as caught:
        store.check()
    assert "127.0.0.1:9" in str(caught.value)
    assert "secret" not in str(caught.value)
    store.close()


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(DatabaseUnreachable, match="not supported"):
        Store("mysql://localhost/x")


def test_a_backup_of_a_database_in_use_opens_with_the_same_rows(
    sqlite_store: Store, clock: SetClock
) -> None:
    with sqlite_store.write() as session:
        session.add(Brand(name="Acme", created_at=clock.now()))
    backup = sqlite_store.backup("test")
    assert backup is not None
    connection = sqlite3.connect(backup)
    assert connection.execute("SELECT name FROM brand").fetchall() == [("Acme",)]
    connection.close()
