"""A small SMTP server on loopback that fails where it is told to."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class FakeSmtp:
    """State of the fake. ``answers`` maps a command, or "text" for the message, to its answer.

    The answer "drop" hangs up and "slow" answers a second late; both after taking the message.
    """

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    taken: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


@contextmanager
def fake_smtp() -> Iterator[FakeSmtp]:
    """Run the fake on ``port``."""
    fake = FakeSmtp()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 mail.acme.test")
            while line := self.rfile.readline():
                words = line.decode().strip().split()
                name = words[0].upper() if words else ""
                default = {"DATA": "354 go on", "QUIT": "221 bye"}.get(name, "250 fine")
                if name == "EHLO" and "EHLO" not in fake.answers:
                    self.say("250-mail.acme.test")
                    default = "250 AUTH PLAIN LOGIN"
                if name == "AUTH":
                    default = "235 welcome"
                if not self.react(fake.answers.get(name, default)):
                    return
                if name == "RCPT":
                    fake.recipients.append(line.decode().split("<")[1].split(">")[0])
                if name == "DATA" and "DATA" not in fake.answers and not self.text():
                    return

        def text(self) -> bool:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                if not line:
                    return False
                lines.append(line[1:] if line.startswith(b".") else line)
            answer = fake.answers.get("text", "250 queued")
            if answer[0] in "2ds":
                fake.taken.append(b"".join(lines))
            return self.react(answer)

        def react(self, answer: str) -> bool:
            if answer == "drop":
                return False
            if answer == "slow":
                time.sleep(1)
                answer = "250 late"
            self.say(answer)
            return True

        def say(self, text: str) -> None:
            with suppress(OSError):
                self.wfile.write(f"{text}\r\n".encode())

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
