"""A small IMAP server on loopback: one mailbox, and faults on request.

It speaks the part of RFC 3501 that a reader of one folder needs and passes the same contract tests
as Dovecot (tests/servers), which is how it is kept honest.
"""

from __future__ import annotations

import re
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

USER, PASSWORD = "support@acme.test", 'pass "word\\'


@dataclass
class Stored:
    uid: int
    raw: bytes
    received_at: datetime


@dataclass
class FakeImap:
    """State of the fake."""

    port: int = 0
    folder: str = "INBOX"
    validity: int = 1700000000
    messages: list[Stored] = field(default_factory=list)
    next_uid: int = 1
    calls: Counter[str] = field(default_factory=Counter)
    login_answer: str = ""  # instead of looking at the password
    drop_at: str = ""  # hang up at this command
    slow_at: str = ""  # answer this command a second late
    seen: set[int] = field(default_factory=set)
    now: datetime = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

    def put(self, raw: bytes, received_at: datetime | None = None) -> int:
        self.now += timedelta(seconds=1)
        self.messages.append(Stored(self.next_uid, raw, received_at or self.now))
        self.next_uid += 1
        return self.next_uid - 1

    def renumber(self) -> None:
        """A new UIDVALIDITY, and every message a new UID."""
        self.validity += 7
        for number, message in enumerate(self.messages, 1):
            message.uid = number
        self.next_uid = len(self.messages) + 1

    def fetch(self, uids: str, what: str) -> Iterator[bytes]:
        wanted = {int(uid) for uid in uids.split(",")}
        cut = re.search(r"BODY(?:\.PEEK)?\[\]<0\.(\d+)>", what)
        for number, message in enumerate(self.messages, 1):
            if message.uid not in wanted:
                continue
            if cut and ".PEEK" not in what:
                self.seen.add(message.uid)
            date = message.received_at.strftime("%d-%b-%Y %H:%M:%S +0000")
            head = f"* {number} FETCH (UID {message.uid} RFC822.SIZE {len(message.raw)} "
            if cut is None:
                yield f'{head}INTERNALDATE "{date}")\r\n'.encode()
                continue
            part = message.raw[: int(cut[1])]
            # The date behind the literal, as servers may.
            yield f"{head}BODY[]<0> {{{len(part)}}}\r\n".encode() + part
            yield f' INTERNALDATE "{date}")\r\n'.encode()


@contextmanager
def fake_imap() -> Iterator[FakeImap]:
    """Run the fake on ``port``."""
    fake = FakeImap()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("* OK [CAPABILITY IMAP4rev1] ready")
            while line := self.rfile.readline():
                tag, _, rest = line.decode().rstrip("\r\n").partition(" ")
                if not self.command(tag, rest):
                    return

        def say(self, text: str) -> None:
            with suppress(OSError):
                self.wfile.write(f"{text}\r\n".encode())

        def command(self, tag: str, rest: str) -> bool:
            words = rest.split(" ")
            name = words[0].upper() if words[0].upper() != "UID" else f"UID {words[1].upper()}"
            fake.calls[name] += 1
            if name == fake.drop_at:
                return False
            if name == fake.slow_at:
                time.sleep(1)
            if name == "LOGIN":
                self.login(tag, rest)
            elif name in ("SELECT", "EXAMINE"):
                self.select(tag, name, words[1].strip('"'))
            elif name == "UID SEARCH":
                self.search(tag, words[-1])
            elif name == "UID FETCH":
                for piece in fake.fetch(words[2], rest):
                    self.wfile.write(piece)
                self.say(f"{tag} OK done")
            elif name == "LOGOUT":
                self.say("* BYE bye")
                self.say(f"{tag} OK bye")
                return False
            elif name == "CAPABILITY":
                self.say("* CAPABILITY IMAP4rev1")
                self.say(f"{tag} OK done")
            else:
                self.say(f"{tag} BAD unknown command")
            return True

        def login(self, tag: str, rest: str) -> None:
            given = [
                re.sub(r"\\(.)", r"\1", one) for one in re.findall(r'"((?:\\.|[^"\\])*)"', rest)
            ]
            given = given if len(given) == 2 else [rest.split(" ")[1], *given]
            if fake.login_answer:
                self.say(f"{tag} {fake.login_answer}")
            elif given == [USER, PASSWORD]:
                self.say(f"{tag} OK logged in")
            else:
                self.say(f"{tag} NO [AUTHENTICATIONFAILED] Authentication failed.")

        def select(self, tag: str, name: str, folder: str) -> None:
            if folder != fake.folder:
                self.say(f"{tag} NO [NONEXISTENT] Unknown mailbox: {folder}")
                return
            self.say(f"* {len(fake.messages)} EXISTS")
            self.say(f"* OK [UIDVALIDITY {fake.validity}] UIDs valid")
            self.say(f"* OK [UIDNEXT {fake.next_uid}] Predicted next UID")
            mode = "READ-ONLY" if name == "EXAMINE" else "READ-WRITE"
            self.say(f"{tag} OK [{mode}] done")

        def search(self, tag: str, span: str) -> None:
            first = int(span.split(":")[0])
            uids = [message.uid for message in fake.messages]
            # "*" is the highest UID, and a range may be given backwards.
            found = [uid for uid in uids if uid >= first or uid == max(uids)]
            self.say("* SEARCH " + " ".join(map(str, found)) if found else "* SEARCH")
            self.say(f"{tag} OK done")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Session)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.port = server.server_address[1]
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
