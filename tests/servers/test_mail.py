"""The e-mail listener against a real Dovecot, the reply channel through a real Postfix."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any

import pytest

from listeners.base import Listener, ListenerError
from listeners.email import EmailListener
from responder.channels.base import ReplyChannel, ReplyError
from responder.channels.email import EmailChannel
from store.clock import SystemClock
from tests.listeners.contract import ListenerContract, run
from tests.postgres import free_port
from tests.responder.channels.contract import ChannelContract, outgoing
from tests.servers.mail import MailServer

pytestmark = pytest.mark.servers


class Desk:
    """A support mailbox of ours and a customer's mailbox, both real."""

    def __init__(self, server: MailServer) -> None:
        self.server = server
        tag = secrets.token_hex(4)
        self.support = server.add_mailbox(f"support-{tag}@acme.test")
        self.customer = server.add_mailbox(f"bob-{tag}@customers.test")

    def config(self, **changes: Any) -> dict[str, Any]:
        tls = {"host": "localhost", "ca_file": str(self.server.ca_file)}
        return {
            "address": self.support,
            "name": "Acme Süd",
            "imap": {**tls, "port": self.server.imaps_port, "security": "tls"},
            "smtp": {**tls, "port": self.server.smtp_port, "security": "starttls"},
            **changes,
        }

    def listener(self, password: str = "", **changes: Any) -> EmailListener:
        return EmailListener.from_config(
            self.config(**changes), {"password": password or self.server.password}, SystemClock()
        )

    def channel(self, password: str = "", **changes: Any) -> EmailChannel:
        return EmailChannel.from_config(
            self.config(**changes), {"password": password or self.server.password}, SystemClock()
        )

    def write(self, text: str, subject: str = "My kettle", **headers: str) -> str:
        """The customer's mail program sends through the SMTP server; gives the Message-ID."""
        message = EmailMessage()
        message["From"] = f"Bob Müller <{self.customer}>"
        message["To"] = self.support
        message["Subject"] = subject
        message["Message-ID"] = make_msgid(domain="customers.test")
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        before = len(self.server.messages(self.support))
        self.server.submit(self.customer, self.support, message)
        self.server.wait_for(self.support, before + 1)
        return str(message["Message-ID"]).strip("<>")

    def inbox(self) -> list[EmailMessage]:
        """The customer's inbox."""
        raw = self.server.messages(self.customer)
        return [message_from_bytes(one, policy=policy.default) for one in raw]  # type: ignore[misc]


@pytest.fixture
def desk(mail_server: MailServer) -> Desk:
    return Desk(mail_server)


class ListenerWorld:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def listener(self) -> Listener:
        return self.desk.listener()

    def publish(self, text: str) -> str:
        self.desk.write(text)
        with self.desk.server.imap(self.desk.support) as client:
            return str(client.uid("SEARCH", "ALL")[1][0].split()[-1].decode())

    def edit(self, external_id: str, text: str) -> bool:
        return False

    def delete(self, external_id: str) -> bool:
        return False

    def refused(self) -> Listener | None:
        return self.desk.listener(password="wrong")

    def unreachable(self) -> Listener:
        closed = {"host": "localhost", "port": free_port(), "security": "tls"}
        return self.desk.listener(imap=closed)


class TestDovecotContract(ListenerContract):
    @pytest.fixture
    def world(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> ListenerWorld:
        monkeypatch.setattr("listeners.email.PAGE", 2)
        return ListenerWorld(desk)


class ChannelWorld:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.sent = 0

    def channel(self) -> ReplyChannel:
        world = self

        class Counting(EmailChannel):
            def send(self, reply: Any) -> Any:
                sent = super().send(reply)
                world.sent += 1
                return sent

        account, server = self.desk.config(), self.desk.server
        return Counting.from_config(account, {"password": server.password}, SystemClock())

    def mention(self) -> Mapping[str, Any]:
        return {"from": self.desk.customer, "subject": "Kettle", "message_id": "1@customers.test"}

    def arrived(self) -> list[str]:
        self.desk.server.wait_for(self.desk.customer, self.sent)
        return [
            str(one.get_content()).replace("\r\n", "\n").rstrip("\n") for one in self.desk.inbox()
        ]

    def refused(self) -> ReplyChannel | None:
        return self.desk.channel(password="wrong")

    def unreachable(self) -> ReplyChannel | None:
        closed = {"host": "localhost", "port": free_port(), "security": "starttls"}
        return self.desk.channel(smtp=closed)


class TestPostfixContract(ChannelContract):
    @pytest.fixture
    def world(self, desk: Desk) -> ChannelWorld:
        if desk.server.smtp != "postfix":
            pytest.skip(
                "Postfix needs root; aiosmtpd runs here, which offers neither TLS nor login"
            )
        return ChannelWorld(desk)


@pytest.fixture
def postfix(desk: Desk) -> Desk:
    if desk.server.smtp != "postfix":
        pytest.skip("Postfix needs root")
    return desk


def test_a_thread_over_three_messages_is_one_conversation_on_both_sides(postfix: Desk) -> None:
    desk = postfix
    first = desk.write("my kettle broke")
    (question,), cursor = run(desk.listener())
    channel = desk.channel()
    sent = channel.send(outgoing(channel, question.channel_ref, "Which model, please?"))
    desk.server.wait_for(desk.customer, 1)
    (answer,) = desk.inbox()
    assert answer["Message-ID"] == f"<{sent.external_id}>"
    assert answer["In-Reply-To"] == f"<{first}>"
    assert answer["References"] == f"<{first}>"
    assert answer["From"] == f"Acme Süd <{desk.support}>"
    assert str(answer.get_content()).strip() == "Which model, please?"

    # The customer's program answers ours.
    desk.write(
        "The blue one\n\nAm 2.3.2026 um 09:30 schrieb Acme:\n> Which model, please?",
        "AW: My kettle",
        In_Reply_To=answer["Message-ID"],
        References=f"{answer['References']} {answer['Message-ID']}",
    )
    (third,), cursor = run(desk.listener(), cursor)
    assert third.conversation == question.conversation == first
    assert third.in_reply_to == sent.external_id
    assert third.text == "The blue one"
    assert "Which model, please?" in third.channel_ref["quoted"]
    channel.send(outgoing(channel, third.channel_ref, "Thank you."))
    desk.server.wait_for(desk.customer, 2)
    last = desk.inbox()[1]
    assert last["References"].split() == [
        f"<{first}>",
        f"<{sent.external_id}>",
        f"<{third.channel_ref['message_id']}>",
    ]
    assert last["Subject"] == "Re: My kettle"


def test_long_folded_references_survive_the_way_through_real_servers(desk: Desk) -> None:
    references = " ".join(f"<{number}.{'x' * 50}@customers.test>" for number in range(12))
    desk.write("still broken", References=references, In_Reply_To=references.split()[-1])
    ((post,), _) = run(desk.listener())
    assert post.conversation == f"0.{'x' * 50}@customers.test"
    assert len(post.channel_ref["references"]) == 12


def test_a_renumbered_mailbox_doubles_nothing_loses_nothing_and_keeps_threads(desk: Desk) -> None:
    ids = [desk.write(f"number {number}") for number in range(4)]
    posts, cursor = run(desk.listener())
    assert len(posts) == 4
    desk.write("while we were away", References=f"<{ids[2]}>")
    desk.server.renumber(desk.support)
    again, cursor = run(desk.listener(), cursor)
    assert [post.text for post in again] == ["while we were away"]
    assert again[0].namespace == posts[0].namespace
    assert again[0].conversation == ids[2]
    desk.write("after it")
    later, _ = run(desk.listener(), cursor)
    assert [post.text for post in later] == ["after it"]
    names = [post.external_id for post in (*posts, *again, *later)]
    assert len(set(names)) == 6


def test_a_quiet_mailbox_does_not_give_its_last_message_again(desk: Desk) -> None:
    desk.write("only once")
    posts, cursor = run(desk.listener())
    assert [post.text for post in posts] == ["only once"]
    for _ in range(2):
        posts, cursor = run(desk.listener(), cursor)
        assert posts == []


def test_nothing_is_marked_as_read(desk: Desk) -> None:
    desk.write("hello")
    run(desk.listener())
    with desk.server.imap(desk.support) as client:
        assert client.search(None, "UNSEEN")[1] == [b"1"]


HTML = """<html><head><style>p{color:red}</style><title>x</title></head><body>
<p>Guten Tag,</p><p>der <b>Kessel</b> leckt.<br>Bitte um Hilfe &amp; Rückruf</p>
<script>alert('x')</script><img src="https://tracker.test/pixel.gif" onerror="alert(1)">
<div class="gmail_quote"><div class="gmail_attr">Am 1.3. schrieb Acme:</div>
<blockquote>Danke für Ihren Kauf</blockquote></div></body></html>"""


def part(head: str, body: bytes, sender: str = "eve@customers.test") -> bytes:
    lines = f"From: {sender}\r\nMessage-ID: {make_msgid()}\r\nMIME-Version: 1.0\r\n{head}\r\n\r\n"
    return lines.encode("ascii", "surrogateescape") + body


@pytest.mark.parametrize(
    ("raw", "title", "text"),
    [
        (
            part(
                "Subject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n"
                "Content-Type: text/plain; charset=iso-8859-1",
                "Der Kessel läuft über – für 5 €".encode("cp1252"),
            ),
            "Grüße",
            "Der Kessel läuft über – für 5 €",
        ),
        (
            part(
                "Subject: =?gb2312?B?zcu/7g==?=\r\nContent-Type: text/plain; charset=gb2312",
                "我要退款，谢谢。镕".encode("gb18030"),
            ),
            "退款",
            "我要退款，谢谢。镕",
        ),
        (
            part("Content-Type: text/plain; charset=big5", "我要退款，謝謝。".encode("big5")),
            "",
            "我要退款，謝謝。",
        ),
        (
            part("Content-Type: text/plain; charset=x-no-such-set", "Grüße 退款".encode()),
            "",
            "Grüße 退款",
        ),
        (
            part("Content-Type: text/plain", "Der Kessel läuft über".encode()),
            "",
            "Der Kessel läuft über",
        ),
        (
            part("Content-Type: text/html; charset=utf-8", HTML.encode()),
            "",
            "Guten Tag,\n\nder Kessel leckt.\nBitte um Hilfe & Rückruf",
        ),
    ],
    ids=["german", "chinese-simplified", "chinese-traditional", "unknown", "unnamed", "html"],
)
def test_text_arrives_as_it_was_meant(desk: Desk, raw: bytes, title: str, text: str) -> None:
    desk.server.deliver(desk.support, raw)
    ((post,), _) = run(desk.listener())
    assert (post.title, post.text) == (title, text)


def test_what_html_quotes_can_be_had_back(desk: Desk) -> None:
    desk.server.deliver(desk.support, part("Content-Type: text/html; charset=utf-8", HTML.encode()))
    ((post,), _) = run(desk.listener())
    assert "Danke für Ihren Kauf" in post.channel_ref["quoted"]
    assert "alert" not in post.text + post.channel_ref["quoted"]


def test_a_real_bounce_opens_nothing_and_is_counted(postfix: Desk) -> None:
    desk = postfix
    channel = desk.channel()
    to = {"from": "nobody-here@customers.test", "subject": "x", "message_id": "1@customers.test"}
    channel.send(outgoing(channel, to))
    (bounce,) = desk.server.wait_for(desk.support, 1)
    assert b"MAILER-DAEMON" in bounce
    desk.write("a person")
    posts, cursor = run(desk.listener())
    assert [post.text for post in posts] == ["a person"]
    assert cursor is not None
    assert cursor["ignored"] == {"bounce": 1}


def test_starttls_works_as_well_as_tls(desk: Desk) -> None:
    desk.write("hello")
    endpoint = {
        "host": "localhost",
        "port": desk.server.imap_port,
        "security": "starttls",
        "ca_file": str(desk.server.ca_file),
    }
    posts, _ = run(desk.listener(imap=endpoint))
    assert [post.text for post in posts] == ["hello"]


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(desk: Desk, security: str) -> None:
    port = desk.server.imaps_port if security == "tls" else desk.server.imap_port
    endpoint = {"host": "localhost", "port": port, "security": security}
    with pytest.raises(ListenerError, match="certificate is not trusted") as caught:
        run(desk.listener(imap=endpoint))
    assert caught.value.permanent


def test_an_outgoing_certificate_that_nobody_vouches_for_is_refused(postfix: Desk) -> None:
    endpoint = {"host": "localhost", "port": postfix.server.smtp_port, "security": "starttls"}
    channel = postfix.channel(smtp=endpoint)
    with pytest.raises(ReplyError, match="certificate is not trusted") as caught:
        channel.send(outgoing(channel, {"from": postfix.customer}))
    assert caught.value.permanent
    assert not caught.value.maybe_sent


def test_a_message_that_the_server_finds_too_large_is_refused_for_good(
    postfix: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("responder.channels.email.LONGEST", 9_000_000)
    channel = postfix.channel()
    with pytest.raises(ReplyError, match="refused the message") as caught:
        channel.send(outgoing(channel, {"from": postfix.customer}, "word " * 600_000))
    assert caught.value.permanent
    assert not caught.value.maybe_sent


def test_a_missing_folder_is_said_so(desk: Desk) -> None:
    with pytest.raises(ListenerError, match="no such folder") as caught:
        run(desk.listener(folder="Kundendienst"))
    assert caught.value.permanent


FOLDER = "&W6JiNw-"  # 客户 in IMAP's modified UTF-7


def test_a_folder_with_a_name_in_chinese_is_read(desk: Desk) -> None:
    with desk.server.imap(desk.support) as client:
        client.create(FOLDER)
        client.append(FOLDER, None, None, part("Subject: x", b"from a folder"))
    posts, _ = run(desk.listener(folder="客户"))
    assert [post.text for post in posts] == ["from a folder"]
