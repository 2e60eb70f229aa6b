"""The database: engine, sessions and their rules, migrations.

Every writing session begins with BEGIN IMMEDIATE on SQLite: a deferred transaction that reads
first and writes later fails at once when another process wrote in between. Keep writing sessions
short (about 500 rows), with no model and no network call inside.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.orm import Session, sessionmaker

from store.errors import DatabaseFull, DatabaseUnreachable, NewerDatabase, OutdatedDatabase

if TYPE_CHECKING:  # alembic is slow to import, and only the start of a service needs it
    from alembic.config import Config

T = TypeVar("T")

BUSY_TIMEOUT_SECONDS = 30
WRITE_BATCH = 500
"""Rows that one writing session should touch at most."""

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
_DEADLOCK_CODES = {"40001", "40P01"}  # serialization_failure, deadlock_detected


class Store:
    """One database, SQLite or PostgreSQL, by URL.

    ``sqlite:////path/groundswell.db`` or ``postgresql+pg8000://user:password@host/database``.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+pg8000")
        self.dialect = self.url.get_backend_name()
        if self.dialect not in {"sqlite", "postgresql"}:
            raise DatabaseUnreachable(
                f"database_url: {self.dialect!r} is not supported; "
                "use sqlite:///… or postgresql://…"
            )
        self.engine = self._make_engine()
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    def _make_engine(self) -> Engine:
        if self.dialect == "sqlite":
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(
                self.url,
                connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(self.url, pool_pre_ping=True, pool_size=5, max_overflow=10)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads. End it before anything slow is done with the rows."""
        with self._translated(), self._sessions() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one writing transaction: committed at the end, undone on any error."""
        with self._translated(), self._sessions() as session:
            session.connection(execution_options={"writing": True})
            with session.begin_nested() if session.in_nested_transaction() else _commit(session):
                yield session

    def transact(self, work: Callable[[Session], T], attempts: int = 8) -> T:
        """Run ``work`` in a writing session, again from its start after a deadlock.

        Raises the last error when every attempt met a deadlock. ``work`` must have no effect
        outside the session.
        """
        for attempt in range(attempts):
            try:
                with self.write() as session:
                    return work(session)
            except DBAPIError as error:
                if not _is_deadlock(error) or attempt == attempts - 1:
                    raise
                time.sleep(0.02 * 2**attempt)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            plain = _plain_error(error, self.url)
            if plain is None:
                raise
            raise plain from error

    # Migrations

    def _alembic(self) -> Config:
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["engine"] = self.engine
        return config

    def revision(self) -> str | None:
        """The revision the database is at; None when it is empty."""
        from alembic.runtime.migration import MigrationContext

        with self._translated(), self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def newest_revision(self) -> str:
        """The revision this version of the program wants."""
        from alembic.script import ScriptDirectory

        head = ScriptDirectory.from_config(self._alembic()).get_current_head()
        assert head is not None
        return head

    def check(self) -> None:
        """Raise unless the database is at this program's revision."""
        found, wanted = self.revision(), self.newest_revision()
        if found == wanted:
            return
        from alembic.script import ScriptDirectory

        script = ScriptDirectory.from_config(self._alembic())
        known = {revision.revision for revision in script.walk_revisions()}
        if found is not None and found not in known:
            raise NewerDatabase(
                f"This database was written by a newer version of Groundswell (revision {found}; "
                f"this program knows {wanted}). Start the newer version, or restore the backup "
                "that was made before the upgrade. Nothing was changed."
            )
        raise OutdatedDatabase(
            "This database has not been upgraded to this version. Run: groundswell db upgrade"
        )

    def upgrade(self) -> Path | None:
        """Bring the database to this program's revision.

        Returns the backup that was made before an existing SQLite database was changed, else None.
        Raises NewerDatabase when the database is ahead of the program.
        """
        found = self.revision()
        if found == self.newest_revision():
            return None
        backup = None
        if found is not None:
            try:
                self.check()
            except OutdatedDatabase:
                backup = self.backup(f"before-upgrade-from-{found}")
        from alembic import command

        with self._translated():
            command.upgrade(self._alembic(), "head")
        return backup

    def backup(self, label: str) -> Path | None:
        """Copy a SQLite database beside itself while it is in use; None on PostgreSQL."""
        if self.dialect != "sqlite" or not self.url.database or self.url.database == ":memory:":
            return None
        path = Path(self.url.database)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        target = path.with_name(f"{path.stem}-{label}-{stamp}.db")
        if shutil.disk_usage(path.parent).free < path.stat().st_size * 1.1:
            raise DatabaseFull(
                f"Not enough space in {path.parent} for a backup before the upgrade. Free at "
                f"least {path.stat().st_size // 2**20 + 1} MB and run it again."
            )
        with sqlite3.connect(path) as old, sqlite3.connect(target) as new:
            old.backup(new)
        old.close()
        new.close()
        return target


@contextmanager
def _commit(session: Session) -> Iterator[None]:
    try:
        yield
    except BaseException:
        session.rollback()
        raise
    session.commit()


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own transaction handling would send BEGIN (deferred) behind our back.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _is_deadlock(error: DBAPIError) -> bool:
    arguments = getattr(error.orig, "args", ())
    details = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
    return details.get("C") in _DEADLOCK_CODES


def _plain_error(error: DBAPIError, url: URL) -> Exception | None:
    words = str(error.orig).lower()
    if "disk is full" in words or "no space left" in words or "disk i/o error" in words:
        return DatabaseFull(
            "The disk that holds the database is full. Free some space; the work that was cut off "
            "is taken up again by itself, nothing is lost."
        )
    unreachable = (
        "unable to open database file",
        "can't create a connection",
        "connection refused",
    )
    if isinstance(error, InterfaceError) or any(part in words for part in unreachable):
        shown = url.render_as_string(hide_password=True)
        return DatabaseUnreachable(
            f"The database {shown} cannot be reached. Check database_url and that the server runs."
        )
    if "file is not a database" in words:
        return DatabaseUnreachable(
            f"{url.database} is not a Groundswell database. Check database_url and data_dir."
        )
    return None
