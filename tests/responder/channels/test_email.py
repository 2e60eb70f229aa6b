"""The e-mail channel against a fake SMTP server: the contract, headers, and every doubtful moment.

The same contract runs against Postfix in tests/servers/test_mail.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from platforms.mail import MailAccount
from responder.channels.base import ReplyChannel, ReplyError
from responder.channels.email import EmailChannel
from store.clock import SetClock
from tests.platforms.fake_smtp import FakeSmtp, fake_smtp
from tests.postgres import free_port
from tests.responder.channels.contract import NOW, ChannelContract, outgoing

TO = {
    "message_id": "c@customers.test",
    "references": ["a@customers.test", "b@acme.test"],
    "from": "bob@customers.test",
    "subject": "My kettle",
    "mailbox": "support@acme.test",
}


@pytest.fixture
def smtp() -> Iterator[FakeSmtp]:
    with fake_smtp() as fake:
        yield fake


def make(port: int, **config: Any) -> EmailChannel:
    return EmailChannel.from_config(
        {
            "address": "support@acme.test",
            "username": "support",
            "smtp": {"host": "127.0.0.1", "port": port, "security": "none"},
            **config,
        },
        {"password": "secret"},
        SetClock(NOW),
    )


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text(raw: bytes) -> str:
    return str(parsed(raw).get_content()).replace("\r\n", "\n").rstrip("\n")


class FakeWorld:
    def __init__(self, fake: FakeSmtp) -> None:
        self.fake = fake

    def channel(self) -> ReplyChannel:
        return make(self.fake.port)

    def mention(self) -> Mapping[str, Any]:
        return TO

    def arrived(self) -> list[str]:
        return [text(raw) for raw in self.fake.taken]

    def refused(self) -> ReplyChannel | None:
        self.fake.answers["AUTH"] = "535 5.7.8 wrong password"
        return make(self.fake.port)

    def unreachable(self) -> ReplyChannel | None:
        return make(free_port())


class TestEmailContract(ChannelContract):
    @pytest.fixture
    def world(self, smtp: FakeSmtp) -> FakeWorld:
        return FakeWorld(smtp)


def test_the_reply_bears_the_namespace_of_what_it_answers(smtp: FakeSmtp) -> None:
    channel = make(smtp.port)
    sent = channel.send(outgoing(channel, {**TO, "namespace": "support@acme.test/INBOX;7"}))
    assert sent.namespace == "support@acme.test/INBOX;7"


def send(smtp: FakeSmtp, body: str = "Sorry.", to: Mapping[str, Any] = TO, **config: Any) -> bytes:
    channel = make(smtp.port, **config)
    channel.send(outgoing(channel, to, body))
    return smtp.taken[-1]


def test_the_reply_stands_in_the_thread(smtp: FakeSmtp) -> None:
    channel = make(smtp.port, name="Acme Kundendienst, Süd")
    reply = outgoing(channel, TO, key="the key")
    sent = channel.send(reply)
    message = parsed(smtp.taken[0])
    assert message["Message-ID"] == f"<{sent.external_id}>"
    assert sent.external_id == reply.platform_key
    assert sent.external_id.endswith("@acme.test")
    assert message["In-Reply-To"] == "<c@customers.test>"
    assert message["References"].split() == [
        "<a@customers.test>",
        "<b@acme.test>",
        "<c@customers.test>",
    ]
    assert message["Subject"] == "Re: My kettle"
    assert message["From"] == '"Acme Kundendienst, Süd" <support@acme.test>'
    assert message["To"] == "bob@customers.test"
    assert message["Date"] == "Mon, 02 Mar 2026 09:30:00 +0000"
    assert smtp.recipients == ["bob@customers.test"]


@pytest.mark.parametrize(
    ("subject", "answered"),
    [
        ("My kettle", "Re: My kettle"),
        ("Re: My kettle", "Re: My kettle"),
        ("RE: AW: re : My kettle", "Re: My kettle"),
        ("答复：退款", "Re: 退款"),
        ("回复: Re: 退款", "Re: 退款"),
        ("Regarding my kettle", "Re: Regarding my kettle"),
        ("", "Re:"),
        ("x" * 600, "Re: " + "x" * 246),
    ],
)
def test_the_subject_is_answered_once(smtp: FakeSmtp, subject: str, answered: str) -> None:
    assert parsed(send(smtp, to={**TO, "subject": subject}))["Subject"] == answered


@pytest.mark.parametrize(
    "evil",
    [
        "Kettle\r\nBcc: everyone@customers.test",
        "Kettle\nBcc: everyone@customers.test\n\nbody",
        "Kettle\rBcc: everyone@customers.test",
        "Kettle\x0b\x0c\x1c\x85\u2028\u2029Bcc: everyone@customers.test",
        "=?utf-8?q?Kettle=0D=0ABcc=3A_everyone=40customers=2Etest?=",
    ],
)
@pytest.mark.parametrize("where", ["subject", "message_id", "references", "name"])
def test_no_text_of_a_customer_becomes_a_header(smtp: FakeSmtp, evil: str, where: str) -> None:
    to: dict[str, Any] = dict(TO)
    name = "Acme"
    if where == "references":
        to[where] = [evil, "a@x"]
    elif where == "name":
        name = evil
    else:
        to[where] = evil
    raw = send(smtp, to=to, name=name)
    head = raw.split(b"\r\n\r\n")[0]
    names = [line.split(b":")[0].lower() for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert b"bcc" not in names
    assert len(names) == len(set(names))
    assert set(names) <= {
        b"message-id", b"in-reply-to", b"references", b"from", b"to", b"subject", b"date",
        b"content-type", b"content-transfer-encoding", b"mime-version",
    }  # fmt: skip
    assert smtp.recipients == ["bob@customers.test"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "bob",
        "bob@customers.test, eve@customers.test",
        "bob@customers.test>\r\nRCPT TO:<eve@customers.test",
        "<bob@customers.test>",
        "bob@customers.test\x00",
        "büb@customers.test",
    ],
)
def test_an_address_that_is_none_is_not_written_to(smtp: FakeSmtp, address: str) -> None:
    channel = make(smtp.port)
    with pytest.raises(ReplyError, match="by hand") as caught:
        channel.send(outgoing(channel, {**TO, "from": address}))
    assert caught.value.permanent
    assert smtp.recipients == []


def test_an_international_domain_is_written_in_its_own_form(smtp: FakeSmtp) -> None:
    send(smtp, to={**TO, "from": "bob@bücher.test"})
    assert smtp.recipients == ["bob@xn--bcher-kva.test"]


def test_long_ids_are_not_encoded(smtp: FakeSmtp) -> None:
    long = "x" * 180 + "@customers.test"
    raw = send(smtp, to={**TO, "message_id": long, "references": [f"{n}.{long}" for n in range(9)]})
    assert f"In-Reply-To: <{long}>\r\n".encode() in raw
    assert b" <8." + long.encode() + b">\r\n" in raw
    assert max(map(len, raw.split(b"\r\n"))) < 998
    assert b"=?" not in raw


@pytest.mark.parametrize(
    "body",
    [
        "Grüße\n.\n..\nFrom here on",
        "您好，退款已经处理。" * 200,
        "one long line " * 500,
        "windows\r\nlines\rand old macs",
    ],
)
def test_any_text_arrives_as_it_was_written_in_seven_bits(smtp: FakeSmtp, body: str) -> None:
    raw = send(smtp, body)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998
    assert text(raw) == body.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def test_a_mention_without_an_id_is_answered_without_a_thread(smtp: FakeSmtp) -> None:
    message = parsed(send(smtp, to={**TO, "message_id": ""}))
    assert message["In-Reply-To"] is None
    assert message["References"] is None


def attempt(smtp: FakeSmtp, **answers: str) -> ReplyError:
    channel = make(smtp.port)
    channel._timeout = 0.3
    smtp.answers.update(answers)
    with pytest.raises(ReplyError) as caught:
        channel.send(outgoing(channel, TO))
    return caught.value


@pytest.mark.parametrize("answer", ["drop", "slow"])
def test_silence_after_the_text_is_a_doubt_for_a_person(smtp: FakeSmtp, answer: str) -> None:
    error = attempt(smtp, text=answer)
    assert error.maybe_sent
    assert not error.permanent
    assert len(smtp.taken) == 1  # it did arrive, and nobody can know
    channel = make(smtp.port)
    assert channel.find(outgoing(channel, TO)) is None
    assert not channel.rules.can_be_asked


@pytest.mark.parametrize(
    ("answers", "permanent", "says"),
    [
        ({"AUTH": "535 no"}, True, "user name and password"),
        ({"AUTH": "454 later"}, False, "no logins right now"),
        ({"MAIL": "550 no"}, True, "may not send from this address"),
        ({"MAIL": "drop"}, False, "broke"),
        ({"RCPT": "550 no such user"}, True, "does not take mail for this customer"),
        ({"RCPT": "450 greylisted"}, False, "did not take the recipient now"),
        ({"DATA": "451 later"}, False, "did not take the message now"),
        ({"text": "554 spam"}, True, "refused the message"),
        ({"text": "452 disk full"}, False, "did not take the message now"),
        ({"EHLO": "250 nothing more"}, True, "does not offer"),
    ],
)
def test_an_answer_settles_it(
    smtp: FakeSmtp, answers: dict[str, str], permanent: bool, says: str
) -> None:
    error = attempt(smtp, **answers)
    assert says in str(error)
    assert (error.permanent, error.maybe_sent) == (permanent, False)
    assert smtp.taken == []


def test_the_name_is_made_of_our_key_and_our_domain_only(smtp: FakeSmtp) -> None:
    channel = make(smtp.port)
    name = channel.prepare("ticket 7 of Bob", NOW)
    assert name == channel.prepare("ticket 7 of Bob", NOW.replace(year=2030))
    assert "bob" not in name.lower()
    reply = replace(outgoing(channel, TO), platform_key="a@b>\r\nBcc: <eve@x")
    with pytest.raises(ReplyError, match="without its Message-ID"):
        channel.send(reply)


@pytest.mark.parametrize(
    ("config", "secrets", "complaint"),
    [
        ({"address": "a@b.c"}, {"password": "x"}, "no outgoing server. smtp: field required"),
        ({"address": "a@b.c", "smtp": {"host": "h"}}, {}, "password: field required"),
        (
            {"address": "a@b.c", "smtp": {"host": "h", "security": "ssl"}},
            {"password": "x"},
            "smtp.security: input should be 'tls', 'starttls' or 'none'",
        ),
    ],
)
def test_a_wrong_setting_is_named(
    config: dict[str, Any], secrets: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ReplyError) as caught:
        EmailChannel.from_config(config, secrets, SetClock(NOW))
    assert complaint in str(caught.value)
    assert caught.value.permanent


def test_the_outgoing_server_may_have_its_own_password(smtp: FakeSmtp) -> None:
    channel = EmailChannel.from_config(
        {"address": "a@b.c", "smtp": {"host": "h"}},
        {"password": "in", "smtp_password": "out"},
        SetClock(NOW),
    )
    assert channel._password == "out"
    assert isinstance(channel._account, MailAccount)
