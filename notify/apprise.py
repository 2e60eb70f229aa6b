"""Webhook, e-mail and a hundred other ways through apprise, with errors that can be read.

Apprise answers False and writes the reason to its log; here the reason is caught and becomes a
``NotifyError``. Addresses are documented at https://github.com/caronc/apprise/wiki.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import apprise
from apprise import NotifyFormat, NotifyType

from notify.base import Message, NotifyError

TIMEOUT_SECONDS = 10.0
_KINDS = {
    "blue": NotifyType.INFO,
    "yellow": NotifyType.WARNING,
    "orange": NotifyType.WARNING,
    "red": NotifyType.FAILURE,
}
_WEB_HOOKS = ("json", "jsons", "xml", "xmls", "form", "forms")
_REFUSED = ("windows", "macosx", "dbus", "qt", "glib", "kde", "gnome", "syslog")
"""Ways that end on the screen or in the log of this very machine."""
_HOPELESS = {400, 401, 403, 404, 405, 410, 413, 422}
_STATUS = re.compile(r"error=(\d{3})\b")
_LOGGER = logging.getLogger("apprise")


class AppriseNotifier:
    """One apprise address, such as ``jsons://hooks.example/path`` or ``mailtos://…``.

    Raises NotifyError (permanent) when the address cannot be used. A webhook gets the header
    ``X-Groundswell-Delivery`` with the message's key.
    """

    def __init__(self, address: str) -> None:
        self._address = address.strip()
        self._plugin("check")

    def send(self, message: Message) -> None:
        """See ``Notifier.send``."""
        plugin = self._plugin(message.key)
        with _reasons() as reasons:
            try:
                taken = plugin.notify(
                    title=message.title,
                    body=message.body,
                    notify_type=_KINDS.get(message.level or "", NotifyType.INFO),
                    body_format=NotifyFormat.TEXT,
                )
            except (TypeError, ValueError) as error:
                raise NotifyError(
                    "The address of this target cannot be used: check it in the settings.",
                    permanent=True,
                ) from error
        if not taken:
            raise _refusal(reasons)

    def _plugin(self, key: str) -> Any:
        scheme = self._address.partition("://")[0].lower()
        if scheme in _REFUSED:
            raise NotifyError(
                f"{scheme}:// would only reach the machine the service runs on: choose a webhook, "
                "an e-mail address or a chat service.",
                permanent=True,
            )
        address = self._address
        if scheme in _WEB_HOOKS:
            joint = "&" if "?" in address else "?"
            address = f"{address}{joint}+X-Groundswell-Delivery={quote(key, safe='')}"
        with _reasons():
            plugin = apprise.Apprise.instantiate(address, suppress_exceptions=True)
        if plugin is None:
            raise NotifyError(
                "The address of this target is not one that apprise knows. It looks like "
                "jsons://host/path for a webhook or mailtos://user:password@host?to=person for "
                "e-mail.",
                permanent=True,
            )
        plugin.request_rate_per_sec = 0  # the ledger waits between attempts, no thread sleeps
        plugin.retry = 0
        plugin.socket_connect_timeout = TIMEOUT_SECONDS
        plugin.socket_read_timeout = TIMEOUT_SECONDS
        return plugin


class _Reasons(logging.Handler):
    """Keeps what apprise logs on this thread, and nothing of other threads."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


@contextlib.contextmanager
def _reasons() -> Iterator[list[str]]:
    """What apprise logs meanwhile; it goes nowhere else, as it may hold addresses."""
    handler = _Reasons()
    _LOGGER.propagate = False
    _LOGGER.setLevel(logging.DEBUG)  # only there it says that an answer did not come in time
    _LOGGER.addHandler(handler)
    try:
        yield handler.lines
    finally:
        _LOGGER.removeHandler(handler)


def _refusal(reasons: list[str]) -> NotifyError:
    found = [int(status) for line in reasons for status in _STATUS.findall(line)]
    if found:
        status = found[-1]
        if status in _HOPELESS:
            return NotifyError(
                f"The other side refused the message (HTTP {status}): check the address and its "
                "password or token.",
                permanent=True,
            )
        return NotifyError(f"The other side could not take the message now (HTTP {status}).")
    if any("read timed out" in line.lower() for line in reasons):
        return NotifyError(
            "The other side took the message and gave no answer in time.", maybe_sent=True
        )
    if any("onnection" in line for line in reasons):
        return NotifyError(
            "The other side could not be reached or broke off: check host and port, and that this "
            "machine may connect there."
        )
    return NotifyError("The message was not accepted; the other side gave no reason.")
