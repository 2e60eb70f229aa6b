"""Where the parts are put together: the one place that knows every connector and channel."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from listeners.base import Listener, ListenerError
from notify.base import Notifier
from notify.console import ConsoleNotifier
from responder.channels.base import ReplyChannel, ReplyError, ReplyRules
from sentiment.base import SentimentModel
from service.settings import Settings
from store.clock import Clock, SystemClock
from store.database import Store
from store.secrets import SecretBox, SecretsError

LISTENERS = {
    "bluesky": "listeners.bluesky:BlueskyListener",
    "demo": "listeners.demo:DemoListener",
    "email": "listeners.email:EmailListener",
    "rss": "listeners.rss:RssListener",
}
"""Connectors that can be polled, by the name that a source carries. Imported when first used:
platform clients are slow to import, and most commands need none of them."""

CHANNELS = {
    "bluesky": "responder.channels.bluesky:BlueskyChannel",
    "demo": "responder.channels.console:ConsoleChannel",
    "email": "responder.channels.email:EmailChannel",
}
"""Ways out, by the platform of the mention that is answered."""

PIPELINE_KEYS = frozenset({"route", "live_since"})
"""Settings of a source that the collect stage reads, not the connector."""


@dataclass(frozen=True)
class Services:
    """What every part of the running process is given."""

    settings: Settings
    store: Store
    clock: Clock
    secrets: SecretBox
    _model: list[SentimentModel] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def model(self) -> SentimentModel:
        """The sentiment model, loaded at its first use and once per process."""
        with self._lock:
            if not self._model:
                self._model.append(load_model(self.settings.model, self.settings.threads or None))
            return self._model[0]

    def listener(self, connector: str, config: Mapping[str, Any], sealed: bytes | None) -> Listener:
        """The listener of a source. Raises ListenerError when its settings are wrong."""
        place = LISTENERS.get(connector)
        if place is None:
            raise ListenerError(
                f"There is no connector {connector!r}. Choose one of: {', '.join(LISTENERS)}.",
                permanent=True,
            )
        try:
            secrets = self.secrets.unseal(sealed)
            listener: Listener = _class(place).from_config(_own(config), secrets, self.clock)
        except SecretsError as error:
            raise ListenerError(str(error), permanent=True) from error
        return listener

    def channel(
        self, platform: str, config: Mapping[str, Any], sealed: bytes | None
    ) -> ReplyChannel:
        """The reply channel of a platform. Raises ReplyError when its settings are wrong."""
        place = CHANNELS.get(platform)
        if place is None:
            raise ReplyError(
                f"Replies to {platform} cannot be sent from here: answer there by hand.",
                permanent=True,
            )
        try:
            secrets = self.secrets.unseal(sealed)
            channel: ReplyChannel = _class(place).from_config(_own(config), secrets, self.clock)
        except (SecretsError, ValueError) as error:
            raise ReplyError(str(error), permanent=True) from error
        return channel

    def reply_rules(self, platform: str) -> ReplyRules | None:
        """What the desk must know of a platform's channel; None where answers go by hand."""
        place = CHANNELS.get(platform)
        if place is None:
            return None
        rules: ReplyRules = _class(place).rules
        return rules

    def notifier(self, kind: str, sealed: bytes | None) -> Notifier:
        """The way to a notification target."""
        if kind == "console":
            return ConsoleNotifier()
        from notify.apprise import AppriseNotifier  # knows a hundred services, so it is slow

        return AppriseNotifier(str(self.secrets.unseal(sealed).get("url", "")))


def _class(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _own(config: Mapping[str, Any]) -> dict[str, Any]:
    """A source's settings without those that the pipeline reads."""
    return {name: value for name, value in config.items() if name not in PIPELINE_KEYS}


def load_model(name: str, threads: int | None = None) -> SentimentModel:
    """The bundled model, or one of Hugging Face by name or folder. Raises ModelError."""
    if name == "bundled":
        from sentiment.encoder import BundledModel

        return BundledModel.load(threads=threads)
    from sentiment.hub import HubModel  # brings torch with it

    return HubModel.load(name)


def build(settings: Settings, clock: Clock | None = None, *, upgrade: bool = False) -> Services:
    """Open everything. Raises StoreError, SecretsError, OSError with what to do.

    ``upgrade`` brings the database to this version first; without it an older database is refused.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = Store(settings.resolved_database_url)
    if upgrade:
        store.upgrade()
    else:
        store.check()
    return Services(
        settings=settings,
        store=store,
        clock=clock or SystemClock(),
        secrets=SecretBox.open(settings.key_file),
    )
