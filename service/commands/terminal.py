"""What all commands share at the terminal: opening the services, progress, plain errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from service import logs, settings, wiring
from service.wiring import Services

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def open_services(*, upgrade: bool = False) -> Services:
    """Read the settings, set up logging and open the store."""
    table = settings.load()
    logs.set_up(table)
    return wiring.build(table, upgrade=upgrade)


@contextmanager
def bytes_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar over the bytes of a file, on standard error where people look."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(label, total=None)

        def step(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield step
