"""``groundswell user``: staff from the command line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from service.commands.terminal import open_services, out
from service.signin import MIN_PASSWORD, hash_password
from store import audit, users

app = typer.Typer(help="Add and list staff, set passwords.", no_args_is_help=True)

FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@app.command("add")
def add(
    email: Annotated[str, typer.Argument(help="E-mail address; it is the name to sign in with.")],
    role: Annotated[str, typer.Option(help=f"One of: {', '.join(users.ROLES)}.")],
    name: Annotated[str, typer.Option(help="Name shown to colleagues.")] = "",
    language: Annotated[str, typer.Option(help="Language of the dashboard: en or zh.")] = "en",
    password_stdin: FromInput = False,
) -> None:
    """Add a member of staff."""
    password = _password(password_stdin)
    services = open_services()
    now = services.clock.now()
    with services.store.write() as session:
        new = users.NewUser(email, role, hash_password(password), name, language)
        user = users.create(session, new, now)
        audit.record(
            session,
            at=now,
            user_id=None,
            action="user.added",
            object_type="user",
            object_id=user.id,
        )
    out.print(f"{user.email} can sign in as {role}.", markup=False)


@app.command("list")
def list_() -> None:
    """List staff."""
    services = open_services()
    with services.store.read() as session:
        for user in users.all_users(session):
            state = "" if user.active else "  (signed off)"
            out.print(f"{user.email:<40} {user.role}{state}", markup=False)


@app.command("password")
def password(
    email: Annotated[str, typer.Argument(help="Whose password.")],
    password_stdin: FromInput = False,
) -> None:
    """Set a new password; all sessions of that person end."""
    secret = _password(password_stdin)
    services = open_services()
    now = services.clock.now()
    with services.store.write() as session:
        user = users.by_email(session, users.normal_email(email))
        if user is None:
            raise users.UserError(f"There is nobody with the address {email}.")
        users.set_password(session, user.id, hash_password(secret))
        audit.record(
            session,
            at=now,
            user_id=None,
            action="user.password_set",
            object_type="user",
            object_id=user.id,
        )
    out.print(f"The password of {email} is set.", markup=False)


def _password(from_input: bool) -> str:
    given = (
        sys.stdin.readline().rstrip("\r\n")
        if from_input
        else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    if len(given) < MIN_PASSWORD:
        raise users.UserError(f"A password needs at least {MIN_PASSWORD} characters.")
    return str(given)
