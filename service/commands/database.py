"""``groundswell db``: upgrade, back up and check the database."""

from __future__ import annotations

from typing import Annotated

import typer

from service import logs, settings
from service.commands.terminal import err, open_services, out
from store.database import Store
from store.rollups import recount

app = typer.Typer(help="Upgrade, back up and check the database.", no_args_is_help=True)


@app.command("upgrade")
def upgrade() -> None:
    """Bring the database to this version. A SQLite database is backed up first."""
    table = settings.load()
    logs.set_up(table)
    table.data_dir.mkdir(parents=True, exist_ok=True)
    store = Store(table.resolved_database_url)
    backup = store.upgrade()
    if backup:
        out.print(f"Backup before the upgrade: {backup}", markup=False)
    out.print(f"The database is at revision {store.revision()}.")


@app.command("backup")
def backup() -> None:
    """Copy a SQLite database beside itself while it is in use."""
    services = open_services()
    path = services.store.backup("backup")
    if path is None:
        err.print("PostgreSQL is backed up with its own tools: pg_dump.")
        raise typer.Exit(1)
    out.print(f"Backup: {path}", markup=False)


@app.command("recount")
def recount_(
    repair: Annotated[bool, typer.Option("--repair", help="Write the true counts.")] = False,
) -> None:
    """Count all mentions again and compare with the figures that charts show."""
    services = open_services()
    with services.store.write() as session:
        wrong = recount(session, repair=repair)
    if not wrong:
        out.print("All figures add up.")
        return
    total = len(wrong.mentions) + len(wrong.authors)
    if repair:
        out.print(f"{total:,} figures were wrong and are right now.")
        return
    err.print(f"{total:,} figures are wrong. Repair them with: groundswell db recount --repair")
    raise typer.Exit(1)
