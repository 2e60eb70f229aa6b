"""Replies by e-mail: one message to the customer, in the thread, through an SMTP server.

A reply's Message-ID is made from our own key before the first attempt. An SMTP server cannot be
asked whether it has a message, so after a doubt (``maybe_sent``) a person decides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from typing import Any, ClassVar

from platforms.errors import PlatformError
from platforms.mail import TIMEOUT, MailAccount, mail_address, read_account, submit
from responder.channels.base import OutgoingReply, ReplyError, ReplyRules, SentReply
from store.clock import Clock

LONGEST = 50_000  # characters; more is no answer any more
_ANSWERED = re.compile(
    r"^\s*((re|aw|antw|sv|vs|odp|ynt|r|答复|回复|回覆|答覆)\s*(\[\d+\])?\s*[:：]\s*)+",
    re.IGNORECASE,
)
_ID = re.compile(r"[!-;=?-~]{1,900}")  # printable ASCII but < and >


class EmailChannel:
    """Implements ``ReplyChannel`` for one mailbox's address."""

    channel: ClassVar[str] = "email"
    rules: ClassVar[ReplyRules] = ReplyRules(max_length=LONGEST, public=False, can_be_asked=False)

    def __init__(
        self, account: MailAccount, password: str, clock: Clock, timeout: float = TIMEOUT
    ) -> None:
        self._account = account
        self._password = password
        self._clock = clock
        self._timeout = timeout

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], secrets: Mapping[str, Any], clock: Clock
    ) -> EmailChannel:
        """From a source's settings and secrets. Raises a permanent ReplyError naming a field."""
        try:
            account, password = read_account(config, secrets, "smtp")
        except PlatformError as error:
            raise _reply_error(error) from error
        return cls(account, password, clock)

    def prepare(self, key: str, now: datetime) -> str:
        """The Message-ID, without angle brackets."""
        del now
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        domain = self._account.address.rsplit("@", 1)[1]
        return f"{digest}@{domain}"

    def find(self, reply: OutgoingReply) -> SentReply | None:
        """None: no mail server can say whether it took a message."""
        _message_id(reply)
        return None

    def send(self, reply: OutgoingReply) -> SentReply:
        """Hand it to the SMTP server."""
        if not reply.body.strip():
            raise ReplyError("The reply is empty.", permanent=True)
        if len(reply.body) > LONGEST:
            raise ReplyError(
                f"The reply has {len(reply.body)} characters; {LONGEST} are possible.",
                permanent=True,
            )
        recipient = _recipient(reply)
        message = self._message(reply, recipient)
        try:
            submit(
                self._account,
                self._password,
                recipient,
                message,
                self._timeout,
            )
        except PlatformError as error:
            raise _reply_error(error) from error
        # In the mention's namespace, so that an answer to it is placed in the same conversation.
        namespace = str(reply.to.get("namespace") or "")
        return SentReply(external_id=_message_id(reply), namespace=namespace)

    def close(self) -> None:
        """A connection lives only as long as a message takes."""

    def _message(self, reply: OutgoingReply, recipient: str) -> bytes:
        lines = [
            f"Message-ID: <{_message_id(reply)}>",
            *_thread_lines(reply),
            f"From: {_named(self._account.name, self._account.address)}",
            f"To: {recipient}",
            f"Subject: {_encoded(_subject(str(reply.to.get('subject') or '')), 'Subject')}",
            f"Date: {format_datetime(self._clock.now())}",
        ]
        head = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        return head + _body(reply.body)


# The headers are written by hand, from checked or encoded parts. EmailMessage decodes what is given
# to it, so that a customer's subject "=?utf-8?q?x=0D=0ABcc=3A…?=" would become a header of its own;
# and it encodes an id longer than a line as if it were text, which no mail program recognises.


def _thread_lines(reply: OutgoingReply) -> list[str]:
    parent = _valid_id(reply.to.get("message_id"))
    if not parent:
        return []
    references = dict.fromkeys([*_valid_ids(reply.to.get("references")), parent])
    return [
        f"In-Reply-To: <{parent}>",
        "References: " + "\r\n ".join(f"<{one}>" for one in references),
    ]


def _encoded(text: str, header: str) -> str:
    """One line of text as RFC 2047 wants it; what looks encoded already is encoded again."""
    charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
    return Header(text, charset, header_name=header).encode(linesep="\r\n")


def _named(name: str, address: str) -> str:
    name = _one_line(name)
    if name.isascii() and "=?" not in name:
        return formataddr((name, address))
    return f"{_encoded(name, 'From')} <{address}>"


def _body(text: str) -> bytes:
    """MIME headers and text, in seven bits: not every server on the way takes eight."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    few = sum(not char.isascii() for char in text) * 4 < len(text)
    message = EmailMessage(policy=SMTP)
    message.set_content(text, charset="utf-8", cte="quoted-printable" if few else "base64")
    return message.as_bytes()


def _recipient(reply: OutgoingReply) -> str:
    try:
        address = mail_address(str(reply.to.get("from") or ""))
        user, _, domain = address.rpartition("@")
        if not user.isascii():
            raise ValueError("the part before @ holds other letters than a to z")
        return f"{user}@{domain.encode('idna').decode()}"
    except ValueError as error:
        raise ReplyError(
            "The customer's address cannot be written to. Answer by hand.", permanent=True
        ) from error


def _subject(subject: str) -> str:
    return f"Re: {_ANSWERED.sub('', _one_line(subject))}".strip()[:250]


def _one_line(text: str) -> str:
    """Without line breaks and other control characters, which could begin a header of their own."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _message_id(reply: OutgoingReply) -> str:
    found = _valid_id(reply.platform_key)
    if not found:
        raise ReplyError(
            "This reply was saved without its Message-ID and is not sent, since it could then "
            "arrive twice. Write it again.",
            permanent=True,
        )
    return found


def _valid_id(found: object) -> str:
    return found if isinstance(found, str) and _ID.fullmatch(found) else ""


def _valid_ids(found: object) -> Sequence[str]:
    listed = found if isinstance(found, list | tuple) else ()
    return [one for one in map(_valid_id, listed) if one]


def _reply_error(error: PlatformError) -> ReplyError:
    return ReplyError(
        str(error),
        permanent=error.permanent,
        retry_after=error.retry_after,
        maybe_sent=error.maybe_sent,
    )
