"""Structured logs: events with ids and counts, for people at a terminal or for programs.

Never log mention text, tokens, e-mail addresses or webhook addresses.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from service.settings import Settings

FORBIDDEN = ("text", "body", "token", "password", "secret", "email", "url", "address", "cookie")

NOISY = (
    "alembic",
    "apprise",
    "apscheduler",
    "httpcore",
    "httpx",
    "prawcore",
    "urllib3",
    "watchdog",
)
"""Libraries of which only warnings are logged."""


def set_up(settings: Settings) -> None:
    """Send our events and those of the libraries to standard error in one format."""
    level = getattr(logging, settings.log_level.upper())
    for_people = settings.log_format == "console" or (
        settings.log_format == "auto" and sys.stderr.isatty()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_private,
    ]
    end: Any = (
        structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                end,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    # A tick that is left out because the stage still works is how it is meant to be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def _without_private(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in list(event):
        if key != "event" and any(key == word or key.endswith(f"_{word}") for word in FORBIDDEN):
            event[key] = "[left out]"
    return event
