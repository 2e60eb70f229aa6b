"""A dashboard in its own process, on a socket that the test has bound already.

python -m tests.dashboard.serve DATABASE_URL FD
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass, field

from cryptography.fernet import Fernet

from dashboard.app import run
from listeners.base import Listener, ListenerError
from notify.apprise import AppriseNotifier
from notify.base import Notifier
from notify.console import ConsoleNotifier
from responder.channels.base import ReplyRules
from store.clock import Clock, SystemClock
from store.database import Store
from store.secrets import SecretBox


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    resolved_base_url: str
    undo_seconds: int = 5


@dataclass(frozen=True)
class Services:
    store: Store
    settings: Settings
    clock: Clock = field(default_factory=SystemClock)
    secrets: SecretBox = field(default_factory=lambda: SecretBox([Fernet.generate_key()]))

    def listener(self, connector: str, config: object, sealed: bytes | None) -> Listener:
        raise ListenerError(f"There is no {connector} here.", permanent=True)

    def reply_rules(self, platform: str) -> ReplyRules | None:
        if platform == "bluesky":
            return ReplyRules(max_length=300, counts="graphemes")
        return ReplyRules(public=False) if platform in {"email", "demo"} else None

    def notifier(self, kind: str, sealed: bytes | None) -> Notifier:
        if kind == "console":
            return ConsoleNotifier()
        return AppriseNotifier(str(self.secrets.unseal(sealed)["url"]))


def main() -> None:
    url, descriptor = sys.argv[1], int(sys.argv[2])
    bound = socket.socket(fileno=descriptor)
    port = bound.getsockname()[1]
    settings = Settings("127.0.0.1", port, f"http://127.0.0.1:{port}")
    run(Services(Store(url), settings), bound=bound)


if __name__ == "__main__":
    main()
