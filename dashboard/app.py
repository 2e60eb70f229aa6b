"""The web process: Streamlit's ASGI application with our routes and our guard in front of it.

``run(services)`` serves it with uvicorn; ``create_app(services)`` gives the application alone.
"""

from __future__ import annotations

import socket
import traceback
from pathlib import Path

import streamlit as st
import structlog
import uvicorn
from anyio import to_thread
from sqlalchemy import text
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from streamlit import config

from dashboard import desk, parts, state, theme, words
from dashboard.guard import Guard, allowed_hosts
from dashboard.pages import SignInPages
from dashboard.state import Services
from store import counters
from store.errors import StoreError

_SCRIPT = Path(__file__).parent / "streamlit_app.py"
log = structlog.get_logger(__name__)
_LOOPBACK = {"127.0.0.1", "::1"}


def create_app(services: Services) -> st.App:
    """The dashboard as an ASGI application. One per process: Streamlit has one runtime."""
    installed = state.install(services)
    _configure_streamlit(services)
    settings = services.settings
    pages = SignInPages(
        installed.sign_in, services.clock, secure=settings.resolved_base_url.startswith("https://")
    )
    return st.App(
        _SCRIPT,
        routes=[
            *pages.routes(),
            Route("/healthz", _Health(services).answer, methods=["GET"]),
            Route("/metrics", _Metrics(services).answer, methods=["GET"]),
            Route("/favicon.ico", _icon, methods=["GET"]),
            Route("/favicon.png", _icon, methods=["GET"]),
        ],
        middleware=[Middleware(Guard, sign_in=installed.sign_in, settings=settings)],
        on_script_error=_say_error,
    )


def run(
    services: Services,
    host: str | None = None,
    port: int | None = None,
    *,
    bound: socket.socket | None = None,
) -> None:
    """Serve until the process is asked to stop (SIGINT or SIGTERM).

    ``host`` and ``port`` default to the settings. A ``bound`` socket wins over both, so that tests
    can take any free port.
    """
    server = make_server(services, host, port)
    server.run(sockets=[bound] if bound is not None else None)


def make_server(
    services: Services, host: str | None = None, port: int | None = None
) -> uvicorn.Server:
    """The server, not yet started, for a caller that wants to stop it (``should_exit``)."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(services),
            host=host or services.settings.host,
            port=port if port is not None else services.settings.port,
            log_level="warning",
            access_log=False,
            server_header=False,
            # A proxy in front must be on this machine to be believed about scheme and client.
            forwarded_allow_ips="127.0.0.1",
            timeout_graceful_shutdown=5,
            ws_max_size=16 * 2**20,
        )
    )


def _configure_streamlit(services: Services) -> None:
    options = {
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        # Exports go through our own buttons, which ask for the right and write the log.
        "client.disableDataExport": True,
        "logger.level": "critical",
        "server.address": services.settings.host,
        "server.port": services.settings.port,
        "server.allowedHosts": sorted(allowed_hosts(services.settings)),
        "server.fileWatcherType": "none",
        "server.headless": True,
        "server.maxUploadSize": 20,
        "runner.magicEnabled": False,
        **theme.OPTIONS,
    }
    config.get_config_options()
    for name, value in options.items():
        config.set_option(name, value)


async def _icon(_request: Request) -> Response:
    return FileResponse(theme.ICON)


def _say_error(error: Exception) -> bool:
    """Put a sentence on the page where Streamlit would put a stack trace; log the trace."""
    # The places only: an error's own words may quote a post, and Streamlit's log shows values.
    places = "".join(traceback.format_tb(error.__traceback__))
    log.error("page failed", error=type(error).__name__, places=places)
    person = desk.who() if not isinstance(error, StoreError) else None
    said = words.of(person.language if person else "en")
    if isinstance(error, StoreError):
        sentence = str(error)
    else:
        sentence = said.t(
            "Something went wrong on this page; nothing of yours was lost. Load the page again. If "
            "it stays like this, the log of the service says why."
        )
    parts.notice(sentence, "error")
    return True


class _Health:
    """Says whether the process can do its work: 200 with ok, or 503 with what is wrong."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(self, _request: Request) -> Response:
        try:
            await to_thread.run_sync(self._ask)
        except StoreError as error:
            return JSONResponse({"status": "down", "reason": type(error).__name__}, 503)
        return JSONResponse({"status": "ok"})

    def _ask(self) -> None:
        with self._services.store.read() as session:
            session.execute(text("SELECT 1"))


class _Metrics:
    """Counters in Prometheus' text format, for a collector on this machine only."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(self, request: Request) -> Response:
        client = request.client.host if request.client else ""
        through_proxy = any(
            name in request.headers for name in ("x-forwarded-for", "forwarded", "via")
        )
        if client not in _LOOPBACK or through_proxy:
            return PlainTextResponse("Metrics are given to this machine only.\n", 403)
        return PlainTextResponse(
            await to_thread.run_sync(self._lines),
            media_type="text/plain; version=0.0.4; charset=utf-8",
        )

    def _lines(self) -> str:
        with self._services.store.read() as session:
            found = counters.waiting_and_working(session)
        lines = []
        for counter in found:
            lines += [
                f"# HELP groundswell_{counter.name} {counter.help}",
                f"# TYPE groundswell_{counter.name} gauge",
                f"groundswell_{counter.name} {counter.value}",
            ]
        return "\n".join(lines) + "\n"
