"""``groundswell drill``: practise a crisis on brands made for it."""

from __future__ import annotations

import signal
import sys
import time
from datetime import datetime, timedelta
from types import FrameType
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import func, select

from listeners.demo import DemoConfig, DemoListener
from service import demo
from service.commands.terminal import err, open_services, out
from service.demo import DRILL_PREFIX, DRILL_SCENARIOS, Played
from service.pipeline import Pipeline
from service.wiring import Services
from store.models import Incident, Mention, MentionBrand, Source, Ticket

PAUSE = 0.5
"""Seconds between two rounds while the drill plays."""


def drill(
    scenario: Annotated[
        str, typer.Argument(help=f"What happens: {' or '.join(DRILL_SCENARIOS)}.")
    ] = DRILL_SCENARIOS[0],
    speed: Annotated[
        float, typer.Option(min=2, max=10_000, help="How much faster the first hour is played.")
    ] = 24.0,
    follow: Annotated[
        bool,
        typer.Option(help="Run the stages here until the drill has caught up with the present."),
    ] = True,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove all drills without a trace.")
    ] = False,
) -> None:
    """Play a crisis on a brand of its own: marked as drill, out of all real figures, removable."""
    services = open_services()
    if remove:
        count = demo.remove(services, "drill")
        out.print(f"{count} drill brands removed." if count else "There is no drill to remove.")
        return
    name = demo.find_drill(scenario)
    demo.first_things(services)
    played = demo.play(services, name, realm="drill", speed=speed, prefix=DRILL_PREFIX)
    out.print(f"The drill {name!r} begins. See Alerts on {services.settings.resolved_base_url}")
    if follow:
        _follow(services, played, speed)
    _score(services, played)
    out.print("It goes on until it is removed: groundswell drill --remove")


def demo_(
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the demo brands with all that is theirs.")
    ] = False,
) -> None:
    """Begin the demo on a database without brands, or remove it without a trace."""
    services = open_services()
    if remove:
        count = demo.remove(services, "demo")
        out.print(f"{count} demo brands removed." if count else "There is no demo to remove.")
        return
    demo.first_things(services)
    if demo.seed(services) is None:
        raise LookupError("There are brands already, so the demo does not begin.")
    out.print("The demo begins with the next worker: groundswell up, or groundswell worker")


def _follow(services: Services, played: Played, speed: float) -> None:
    pipeline = Pipeline(services)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        pipeline.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    stream = DemoListener(
        DemoConfig(scenario=played.scenario, started_at=played.started_at, speed=speed),
        services.clock,
    )
    begin = stream.position()
    goal = played.started_at - begin
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("History is read, then the crisis begins", total=1.0)
        while not pipeline.stopping.is_set():
            position = stream.position()
            for source_id in played.source_ids:
                pipeline.collect(source_id)
            pipeline.assess()
            found = pipeline.watch()
            pipeline.triage()
            pipeline.deliver()
            share = (position - begin) / goal if goal > timedelta() else 1.0
            label = "An alert came" if found else None
            progress.update(task, completed=min(share, 1.0), description=label)
            if share >= 1 and _caught_up(services, played, position - timedelta(minutes=1)):
                break
            time.sleep(PAUSE)


def _caught_up(services: Services, played: Played, moment: datetime) -> bool:
    with services.store.read() as session:
        covered = session.scalar(
            select(func.min(Source.covered_until)).where(Source.id.in_(played.source_ids))
        )
    return covered is not None and covered >= moment


def _score(services: Services, played: Played) -> None:
    """Say what was heard, when it was seen and what is to be done."""
    with services.store.read() as session:
        heard = session.scalar(
            select(func.count(func.distinct(Mention.id)))
            .join(MentionBrand, MentionBrand.mention_id == Mention.id)
            .where(MentionBrand.brand_id.in_(played.brand_ids))
        )
        incidents = session.scalars(
            select(Incident)
            .where(Incident.brand_id.in_(played.brand_ids))
            .order_by(Incident.detected_at)
        ).all()
        tickets = session.scalar(select(func.count()).where(Ticket.brand_id.in_(played.brand_ids)))
    out.print(f"{heard or 0:,} posts heard, {tickets or 0:,} tickets opened.")
    for incident in incidents:
        seen = incident.detected_at - incident.started_at
        out.print(
            f"{incident.number}: {incident.level}, {incident.status}; seen "
            f"{seen.total_seconds() / 60:.0f} minutes after it began."
        )
    if not incidents:
        out.print("No alert so far.")
