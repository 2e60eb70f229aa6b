"""The ``groundswell`` command.

Exit codes: 0 done, 1 something went wrong (the message says what to do), 2 wrong usage,
130 interrupted.
"""

from __future__ import annotations

import sys

import typer

from listeners.base import ListenerError
from notify.base import NotifyError
from platforms.tables import TableError
from sentiment.base import ModelError
from service.commands import data, database, drills, health, people, running, targets
from service.commands.terminal import err
from service.settings import SettingsError
from store.errors import StoreError
from store.notifications import TargetError
from store.secrets import SecretsError
from store.users import UserError

PLAIN_ERRORS = (
    ListenerError,
    LookupError,
    ModelError,
    NotifyError,
    OSError,
    SecretsError,
    SettingsError,
    StoreError,
    TableError,
    TargetError,
    UserError,
)
"""Errors whose text tells a person what to do; anything else is a fault of ours."""

app = typer.Typer(
    name="groundswell",
    help="Hear what people say about a brand, see a crisis early, answer from one desk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(running.up)
app.command("worker")(running.worker)
app.command("dashboard")(running.dashboard)
app.command("listen")(running.listen)
app.command("import")(data.import_)
app.command("score")(data.score)
app.command("backtest")(data.backtest)
app.command("drill")(drills.drill)
app.command("demo")(drills.demo_)
app.command("export")(data.export)
app.command("doctor")(health.doctor)
app.add_typer(people.app, name="user")
app.add_typer(targets.app, name="target")
app.add_typer(database.app, name="db")


def main() -> None:
    """Entry point: runs a command and turns known errors into one sentence."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except PLAIN_ERRORS as error:
        err.print(f"Error: {error}", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
