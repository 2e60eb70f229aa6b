"""Notifications on the log of the running service, for a start and for drills."""

from __future__ import annotations

import structlog

from notify.base import Message

log = structlog.get_logger("notify")


class ConsoleNotifier:
    """Writes that something was told, without the posts it is about. Never fails."""

    def send(self, message: Message) -> None:
        """See ``Notifier.send``."""
        log.warning("notification", title=message.title, level=message.level, key=message.key)
