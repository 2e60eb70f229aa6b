"""``groundswell target``: where notifications go, from the command line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from notify.wording import test_message
from service.commands.terminal import open_services, out
from store import audit, brands, notifications
from store.models import NotificationTarget
from store.notifications import TargetError

app = typer.Typer(help="Say where notifications go, and try it.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the target.")]
LANGUAGES = ("en", "zh")


@app.command("add")
def add(
    name: Name,
    url_stdin: Annotated[
        bool,
        typer.Option(
            "--url-stdin",
            help="Read the apprise address from standard input; otherwise it is asked for.",
        ),
    ] = False,
    min_level: Annotated[
        str, typer.Option(help=f"From which level: {', '.join(notifications.LEVELS)}.")
    ] = "yellow",
    brand: Annotated[str, typer.Option(help="Only of this brand; without it, of all.")] = "",
    language: Annotated[str, typer.Option(help="Language of the messages: en or zh.")] = "en",
) -> None:
    """Add a target. Its address is kept encrypted and never shown."""
    if language not in LANGUAGES:
        raise TargetError("language", f"Messages are in en or zh, not in {language!r}.")
    address = _address(url_stdin)
    services = open_services()
    sealed = services.secrets.seal({"url": address})
    services.notifier("apprise", sealed)  # refuses an address that cannot be used
    now = services.clock.now()
    with services.store.write() as session:
        target_id = notifications.add_target(
            session, name=name, kind="apprise", address=sealed, now=now, min_level=min_level,
            brand_id=_brand_id(session, brand), language=language,
        )  # fmt: skip
        audit.record(
            session, at=now, user_id=None, action="target.added", object_type="target",
            object_id=target_id,
        )  # fmt: skip
    out.print(f"{name} is told from {min_level} on. Try it: groundswell target test", markup=False)


@app.command("list")
def list_() -> None:
    """List targets, without their addresses."""
    services = open_services()
    with services.store.read() as session:
        names = {brand.id: brand.name for brand in brands.all_brands(session)}
        failed = notifications.failed_counts(session)
        for target in notifications.targets(session):
            state = "" if target.active else "  (switched off)"
            lost = f"  ({failed[target.id]} failed)" if target.id in failed else ""
            about = names.get(target.brand_id or 0, "all brands")
            out.print(
                f"{target.name:<30} {target.kind:<8} {target.min_level:<7} {target.language:<3} "
                f"{about}{state}{lost}",
                markup=False,
            )


@app.command("remove")
def remove(name: Name) -> None:
    """Remove a target with its ledger."""
    services = open_services()
    now = services.clock.now()
    with services.store.write() as session:
        target = _target(session, name)
        notifications.remove_target(session, target.id)
        audit.record(
            session, at=now, user_id=None, action="target.removed", object_type="target",
            object_id=target.id,
        )  # fmt: skip
    out.print(f"{name} is told of nothing any more.", markup=False)


@app.command("test")
def test(name: Name) -> None:
    """Send a test message to a target and say whether it was taken."""
    services = open_services()
    with services.store.read() as session:
        target = _target(session, name)
        kind, sealed, language = target.kind, target.address, target.language
        key = f"test:{target.id}:{services.clock.now().isoformat()}"
    services.notifier(kind, sealed).send(test_message(language, key))
    out.print(f"The test was taken by {name}. Look there whether it came.", markup=False)


def _address(from_input: bool) -> str:
    given = sys.stdin.readline() if from_input else typer.prompt("Apprise address", hide_input=True)
    address = str(given).strip()
    if not address:
        raise TargetError("address", "Give the apprise address on one line.")
    return address


def _brand_id(session: Session, name: str) -> int | None:
    if not name:
        return None
    brand = brands.find_brand(session, name)
    if brand is None:
        raise LookupError(f"There is no brand {name}. Add it in the dashboard first.")
    return brand.id


def _target(session: Session, name: str) -> NotificationTarget:
    target = notifications.target_named(session, name)
    if target is None:
        raise LookupError(f"There is no target {name}. `groundswell target list` names them.")
    return target
