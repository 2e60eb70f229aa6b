"""What the dashboard is given, and how the page script, which Streamlit runs, gets at it.

Streamlit executes ``streamlit_app.py`` in this process on every rerun and hands it nothing, so
``create_app`` leaves the services here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from listeners.base import Listener
from notify.base import Notifier
from responder.channels.base import ReplyRules
from service.signin import SignIn
from store.clock import Clock
from store.database import Store
from store.secrets import SecretBox


class DashboardSettings(Protocol):
    """The settings the dashboard reads."""

    @property
    def host(self) -> str:
        """The address that is listened on."""

    @property
    def port(self) -> int:
        """The port that is listened on."""

    @property
    def resolved_base_url(self) -> str:
        """Where people reach the service; https here makes the cookie Secure."""

    @property
    def undo_seconds(self) -> int:
        """Seconds in which a reply can still be taken back."""


class Services(Protocol):
    """What ``service.wiring`` builds, as far as the dashboard needs it."""

    @property
    def store(self) -> Store: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def secrets(self) -> SecretBox: ...
    @property
    def settings(self) -> DashboardSettings: ...
    def listener(
        self, connector: str, config: Mapping[str, Any], sealed: bytes | None
    ) -> Listener: ...
    def reply_rules(self, platform: str) -> ReplyRules | None: ...
    def notifier(self, kind: str, sealed: bytes | None) -> Notifier: ...


@dataclass(frozen=True, slots=True)
class Installed:
    """The services of this process and the sign-in made from them."""

    services: Services
    sign_in: SignIn


_installed: Installed | None = None


def install(services: Services) -> Installed:
    """Leave the services for the page script; one dashboard per process."""
    global _installed
    _installed = Installed(services, SignIn(services.store, services.clock))
    return _installed


def installed() -> Installed:
    """The services of this process. Raises RuntimeError before ``install``."""
    if _installed is None:
        raise RuntimeError("dashboard.app.create_app has not been called in this process")
    return _installed
