"""``groundswell doctor``: one line a check, and what to do where something is wrong."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import typer
from sqlalchemy import select

from service import settings
from service.commands.terminal import out
from service.settings import Settings, SettingsError
from service.wiring import load_model
from store.database import Store
from store.errors import StoreError
from store.models import Source
from store.secrets import SecretBox, SecretsError
from store.users import any_administrator

LEAST_FREE = 500 * 2**20
"""Bytes that should be free on the disk of the data folder."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``advice`` says what to do when it is not well."""

    name: str
    well: bool
    found: str
    advice: str = ""


def doctor() -> None:
    """Check settings, database, key file, disk, model, port and sources."""
    failed = False
    for check in _checks():
        failed = failed or not check.well
        mark = "ok   " if check.well else "WRONG"
        advice = f" {check.advice}" if check.advice and not check.well else ""
        out.print(f"{mark} {check.name}: {check.found}{advice}", markup=False)
    raise typer.Exit(1 if failed else 0)


def _checks() -> Iterator[Check]:
    try:
        table = settings.load()
    except SettingsError as error:
        yield Check("settings", False, str(error))
        return
    yield Check("settings", True, f"data folder {table.data_dir}")
    yield _disk(table)
    database = _database(table)
    yield database
    yield _key(table)
    yield _model(table)
    yield _port(table)
    if database.well:
        yield from _rows(table)


def _disk(table: Settings) -> Check:
    folder = table.data_dir if table.data_dir.exists() else table.data_dir.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("disk", False, str(error), "Set data_dir to a folder that exists.")
    return Check(
        "disk",
        free >= LEAST_FREE,
        f"{free / 2**30:.1f} GB free",
        "Free some space, or move the data folder with data_dir.",
    )


def _database(table: Settings) -> Check:
    if table.resolved_database_url.startswith("sqlite") and not table.database_url:
        path = table.data_dir / "groundswell.db"
        if not path.exists():
            return Check("database", False, "not there yet.", "Run: groundswell db upgrade")
    try:
        store = Store(table.resolved_database_url)
        store.check()
        store.close()
    except StoreError as error:
        return Check("database", False, str(error))
    return Check("database", True, f"{store.dialect}, revision {store.newest_revision()}")


def _key(table: Settings) -> Check:
    if not table.key_file.exists():
        return Check("key file", True, "not there yet; it is made at the first start")
    try:
        SecretBox.open(table.key_file)
    except SecretsError as error:
        return Check("key file", False, str(error))
    open_to_others = table.key_file.stat().st_mode & 0o077
    return Check(
        "key file",
        not open_to_others,
        "readable by others" if open_to_others else "there, readable by its owner only",
        f"Run: chmod 600 {table.key_file}",
    )


def _model(table: Settings) -> Check:
    return _attempt(
        "model",
        lambda: load_model(table.model, table.threads or None).name,
        "Set model to 'bundled', or connect to the internet once to fetch it.",
    )


def _attempt(name: str, work: Callable[[], str], advice: str) -> Check:
    try:
        return Check(name, True, work())
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the line says it
        return Check(name, False, f"{error}", advice)


def _port(table: Settings) -> Check:
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex(("127.0.0.1", table.port)) == 0
    found = f"{table.port} answers (the dashboard runs)" if taken else f"{table.port} is free"
    return Check("port", True, found)


def _rows(table: Settings) -> Iterator[Check]:
    store = Store(table.resolved_database_url)
    with store.read() as session:
        first = any_administrator(session)
        sources = session.execute(
            select(Source.name, Source.state, Source.last_error).where(Source.enabled)
        ).all()
    store.close()
    yield Check(
        "administrator",
        first,
        "there is one" if first else "nobody can sign in yet.",
        "Start with `make up` and open the address it prints, or run: "
        "groundswell user add EMAIL --role administrator",
    )
    for name, state, error in sources:
        yield Check(
            f"source {name}",
            state in {"ok", "new"},
            state if state in {"ok", "new"} else f"{state}: {error}",
            "See the page Sources.",
        )
