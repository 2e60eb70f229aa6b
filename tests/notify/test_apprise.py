"""Webhook and e-mail through apprise, against real servers on this machine."""

from __future__ import annotations

import email
import email.policy
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from notify.apprise import AppriseNotifier
from notify.base import Message, NotifyError
from tests.postgres import free_port

MESSAGE = Message("[RED] Acme INC-2026-000001", "84 mentions\n查看", "red", "incident:1:red:3")


class Hook:
    """A webhook that remembers what came and answers with ``status``."""

    def __init__(self) -> None:
        hook = self
        self.status, self.hold, self.got = 200, 0.0, []  # type: ignore[var-annotated]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((self.path, dict(self.headers), json.loads(body)))
                if hook.hold:
                    time.sleep(hook.hold)
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/alerts?token=s3cret"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def test_a_webhook_gets_title_body_kind_and_the_key(hook: Hook) -> None:
    AppriseNotifier(hook.address).send(MESSAGE)
    ((path, headers, body),) = hook.got
    assert path.startswith("/alerts")
    assert headers["X-Groundswell-Delivery"] == "incident:1:red:3"
    assert body["title"] == MESSAGE.title
    assert body["message"] == MESSAGE.body
    assert body["type"] == "failure"


@pytest.mark.parametrize(
    ("status", "permanent"), [(403, True), (404, True), (429, False), (503, False)]
)
def test_an_http_error_becomes_an_error_that_says_what_to_do(
    hook: Hook, status: int, permanent: bool
) -> None:
    hook.status = status
    with pytest.raises(NotifyError, match=str(status)) as caught:
        AppriseNotifier(hook.address).send(MESSAGE)
    assert caught.value.permanent is permanent
    assert "s3cret" not in str(caught.value)
    assert len(hook.got) == 1


def test_a_server_that_is_not_there_is_tried_again_later(hook: Hook) -> None:
    address = hook.address
    hook.close()
    with pytest.raises(NotifyError, match="could not be reached") as caught:
        AppriseNotifier(address).send(MESSAGE)
    assert not caught.value.permanent
    hook.thread = threading.Thread(target=lambda: None)
    hook.thread.start()


def test_an_answer_that_never_comes_may_have_been_sent(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notify.apprise.TIMEOUT_SECONDS", 0.2)
    hook.hold = 0.6
    with pytest.raises(NotifyError) as caught:
        AppriseNotifier(hook.address).send(MESSAGE)
    assert caught.value.maybe_sent
    assert not caught.value.permanent
    assert len(hook.got) == 1


def test_messages_in_a_row_are_not_slowed_down(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_sleep(seconds: float) -> None:
        raise AssertionError("the notifier slept")

    monkeypatch.setattr("apprise.url.time.sleep", no_sleep)
    notifier = AppriseNotifier(hook.address)
    for _ in range(5):
        notifier.send(MESSAGE)
    assert len(hook.got) == 5


@pytest.mark.parametrize("address", ["", "nonsense", "gopher://host", "syslog://", "https://"])
def test_an_address_that_leads_nowhere_is_refused_at_once(address: str) -> None:
    with pytest.raises(NotifyError) as caught:
        AppriseNotifier(address)
    assert caught.value.permanent


class Inbox:
    """An SMTP server's handler that keeps what it takes."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.got.append(envelope)
        return "250 OK"


def _auth(
    server: SMTP, session: Session, envelope: Envelope, kind: str, data: object
) -> AuthResult:
    good = isinstance(data, LoginPassword) and data.password == b"s3cret"
    return AuthResult(success=good, handled=False)


@pytest.fixture
def mail() -> Iterator[tuple[Inbox, int]]:
    inbox = Inbox()
    controller = Controller(
        inbox, hostname="127.0.0.1", port=free_port(), authenticator=_auth, auth_require_tls=False
    )
    controller.start()
    yield inbox, controller.port
    controller.stop()


def _mailto(port: int, password: str = "s3cret") -> str:
    return (
        f"mailto://desk:{password}@127.0.0.1:{port}"
        "?from=alerts@acme.example&to=pr@acme.example&mode=insecure"
    )


def test_an_e_mail_arrives_as_plain_text(mail: tuple[Inbox, int]) -> None:
    inbox, port = mail
    AppriseNotifier(_mailto(port)).send(MESSAGE)
    (envelope,) = inbox.got
    assert envelope.rcpt_tos == ["pr@acme.example"]
    assert isinstance(envelope.content, bytes)
    letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert letter["Subject"] == MESSAGE.title
    text = letter.get_body(("plain",))
    assert text is not None
    assert "84 mentions" in text.get_content()
    assert "查看" in text.get_content()


def test_a_wrong_password_is_an_error_without_the_password(mail: tuple[Inbox, int]) -> None:
    inbox, port = mail
    with pytest.raises(NotifyError) as caught:
        AppriseNotifier(_mailto(port, "wr0ng")).send(MESSAGE)
    assert "wr0ng" not in str(caught.value)
    assert inbox.got == []
