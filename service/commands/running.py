"""Commands that run the service: up, worker, dashboard, listen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import entry_points
from types import FrameType
from typing import Annotated

import structlog
import typer
from sqlalchemy import select

from service.commands.terminal import err, open_services, out
from service.demo import first_things, seed
from service.jobs import Worker
from service.pipeline import Pipeline
from service.wiring import Services
from store import users
from store.models import Source

log = structlog.get_logger()

PARENT = "GS_PARENT_PID"
"""Variable by which a worker knows whose child it is."""

RESTART_AFTER = 2.0
"""Seconds before a worker that ended by itself is started again."""


def up(
    demo: Annotated[
        bool, typer.Option(help="Show a demo brand until real sources are connected.")
    ] = True,
) -> None:
    """Run everything: database, worker and dashboard. Prints the address to open."""
    services = open_services(upgrade=True)
    first_things(services)
    if demo:
        seed(services)
    _say_where(services)
    stopping = threading.Event()
    supervisor = threading.Thread(target=_keep_worker, args=(stopping,), daemon=True)
    supervisor.start()
    try:
        _web()(services)
    finally:
        stopping.set()
        supervisor.join(30)


def dashboard() -> None:
    """Run the dashboard alone; a worker runs elsewhere on the same database."""
    services = open_services()
    _say_where(services)
    _web()(services)


def worker(
    once: Annotated[
        bool, typer.Option("--once", help="Run every stage until nothing is pending, then end.")
    ] = False,
) -> None:
    """Collect, assess, watch, triage and deliver, until stopped (Ctrl-C or SIGTERM)."""
    services = open_services()
    if once:
        pipeline = Pipeline(services)
        _on_stop(pipeline.stopping.set)
        pipeline.run_until_idle()
        services.store.close()
        return
    ended = threading.Event()
    _on_stop(ended.set)
    running = Worker(services)
    running.start()
    parent = int(os.environ.get(PARENT, "0"))
    while not ended.wait(1.0):
        if parent and os.getppid() != parent:
            break  # `up` was killed; nobody would stop us
    running.stop()


def listen(
    source: Annotated[
        str | None, typer.Argument(help="Name of a source; all that are due if not given.")
    ] = None,
) -> None:
    """Collect from one source now, or from all that are due, and say what came."""
    services = open_services()
    pipeline = Pipeline(services)
    _on_stop(pipeline.stopping.set)
    with services.store.read() as session:
        rows = session.execute(select(Source.id, Source.name).order_by(Source.name)).all()
    names = {name: key for key, name in rows}
    if source is not None and source not in names:
        raise LookupError(
            f"There is no source {source!r}. Sources here: {', '.join(names) or 'none yet'}."
        )
    ran = pipeline.collect(names[source] if source else None)
    if source and not ran:
        raise LookupError(f"{source} is paused or running right now; see the page Sources.")
    with services.store.read() as session:
        query = select(Source).where(Source.name == source) if source else select(Source)
        for row in session.scalars(query.order_by(Source.name)):
            detail = f": {row.last_error}" if row.last_error else ""
            out.print(f"{row.name}: {row.state}{detail}", markup=False)
            if source and row.last_error:
                raise typer.Exit(1)


def _web() -> Callable[[Services], None]:
    """The web process, found by name: the dashboard lies above this layer."""
    (entry,) = entry_points(group="groundswell.web")
    run: Callable[[Services], None] = entry.load()
    return run


def _say_where(services: Services) -> None:
    base = services.settings.resolved_base_url
    now = services.clock.now()
    with services.store.write() as session:
        token = None if users.any_administrator(session) else users.make_setup_token(session, now)
    if token is None:
        out.print(f"Groundswell runs at {base}", markup=False)
        return
    out.print("Groundswell runs. Set up the first administrator here (this link works once):")
    out.print(f"{base}/set-up?token={token}", markup=False)


def _keep_worker(stopping: threading.Event) -> None:
    """Run a worker as a process of its own, so that scoring never slows a page down."""
    while not stopping.is_set():
        child = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "worker"],
            env={**os.environ, PARENT: str(os.getpid())},
        )
        while child.poll() is None and not stopping.wait(0.5):
            pass
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            return
        if not stopping.is_set():
            err.print(f"The worker ended by itself (exit code {child.returncode}); starting again.")
            time.sleep(RESTART_AFTER)


def _on_stop(work: object) -> None:
    def handler(_signal: int, _frame: FrameType | None) -> None:
        assert callable(work)
        work()

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)
