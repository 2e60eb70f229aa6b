"""A raw e-mail message, read with care: the parts that matter here, in plain types.

Nothing in a message can be relied on: headers may be missing, folded, doubled or in raw bytes,
parts nested without end, the whole cut off. Reading never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses, parsedate_to_datetime
from typing import Literal

from platforms.mail_text import decode_header_text, decode_text, html_to_text, split_quoted, tidy

LONGEST_TEXT = 100_000
LONGEST_QUOTED = 20_000
LONGEST_ID = 300
MOST_PARTS = 200
_ID = re.compile(r"<([^<>\s]{1,900})>")

Automatic = Literal["bounce", "auto_reply", "bulk"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came along; its content is not kept. ``size`` in bytes as far as received."""

    name: str
    size: int
    kind: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A message. Ids are without angle brackets; addresses in lower case, "" when missing.

    ``references`` lists the thread's ids, the root first, as the sender's program gave them.
    ``automatic`` says why no person wrote it, None when one did.
    """

    message_id: str
    references: tuple[str, ...]
    in_reply_to: str
    subject: str
    sender: str
    sender_name: str
    reply_to: str
    date: datetime | None
    text: str
    quoted: str
    attachments: tuple[Attachment, ...]
    automatic: Automatic | None


def read_mail(raw: bytes) -> Mail:
    """Read a message, complete or cut off."""
    try:
        message = message_from_bytes(raw)
        parts = list(_leaves(message))
    except (RecursionError, ValueError, LookupError, AttributeError, AssertionError, TypeError):
        message = BytesHeaderParser().parsebytes(raw)
        parts = []
    headers = _Headers(message)
    sender_name, sender = headers.address("from")
    text, quoted = _body(parts)
    references = headers.ids("references")
    in_reply_to = headers.ids("in-reply-to")
    return Mail(
        message_id=next(iter(headers.ids("message-id")), ""),
        references=tuple(dict.fromkeys(references)),
        in_reply_to=in_reply_to[0] if in_reply_to else "",
        subject=headers.text("subject")[:400],
        sender=sender,
        sender_name=sender_name[:200],
        reply_to=headers.address("reply-to")[1],
        date=headers.date(),
        text=text[:LONGEST_TEXT],
        quoted=quoted[:LONGEST_QUOTED],
        attachments=tuple(_attachments(parts)),
        automatic=_automatic(headers, sender, message.get_content_type()),
    )


class _Headers:
    def __init__(self, message: Message) -> None:
        self._raw: dict[str, list[str]] = {}
        for name, value in message.raw_items():
            self._raw.setdefault(name.lower(), []).append(str(value))

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def text(self, name: str) -> str:
        values = self._raw.get(name)
        return decode_header_text(values[0]) if values else ""

    def word(self, name: str) -> str:
        """The value before any parameter, in lower case."""
        return self.text(name).split(";")[0].strip().lower()

    def ids(self, name: str) -> list[str]:
        raw = " ".join(self._raw.get(name, ()))[:50_000]
        return [
            found.encode("ascii", "replace").decode()[:LONGEST_ID] for found in _ID.findall(raw)
        ]

    def address(self, name: str) -> tuple[str, str]:
        """Display name and address of the first person named."""
        raw = self._raw.get(name)
        if not raw:
            return "", ""
        folded = re.sub(r"\r?\n[ \t]*", " ", raw[0])[:5_000]
        if not folded.isascii():
            folded = decode_text(folded.encode("utf-8", "surrogateescape"), None)
        for display, address in getaddresses([folded]):
            if "@" in address and not re.search(r"[\s<>,;:\"()\[\]\\\x00-\x1f]", address):
                return decode_header_text(display), address.lower()[:254]
        return "", ""

    def date(self) -> datetime | None:
        try:
            moment = parsedate_to_datetime(self.text("date"))
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return aware.astimezone(UTC)
        except (TypeError, ValueError, OverflowError, IndexError):
            return None


def _leaves(message: Message) -> Iterator[Message]:
    """Parts that hold something, in order; attached messages are not opened."""
    waiting, given = [message], 0
    while waiting and given < MOST_PARTS:
        part = waiting.pop(0)
        payload = part.get_payload()
        if (
            part.is_multipart()
            and isinstance(payload, list)
            and part.get_content_maintype() != ("message")
        ):
            waiting[:0] = [child for child in payload if isinstance(child, Message)]
        else:
            given += 1
            yield part


def _body(parts: list[Message]) -> tuple[str, str]:
    """The writer's text and the quoted history. Plain text is preferred unless it says nothing."""
    plain = "\n".join(_content(part) for part in parts if _is_text(part, "text/plain"))
    fresh, quoted = split_quoted(tidy(plain))
    pages = [part for part in parts if _is_text(part, "text/html")]
    if pages and len(fresh) < 20:
        own, history = html_to_text("\n".join(_content(part) for part in pages))
        said, more = split_quoted(own)
        if not said and history:
            said, history = history, ""
        if len(said) > len(fresh):
            return said, tidy(f"{more}\n{history}")
    return fresh, quoted


def _is_text(part: Message, kind: str) -> bool:
    return part.get_content_type() == kind and not _is_attachment(part)


def _is_attachment(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(_file_name(part))


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    return decode_text(payload, _parameter(part, "charset"))


def _parameter(part: Message, name: str) -> str:
    try:
        found = part.get_param(name)
    except (ValueError, LookupError):
        return ""
    if isinstance(found, tuple):  # RFC 2231: charset, language, value
        return decode_text(found[2].encode("latin-1", "replace"), found[0])
    return found if isinstance(found, str) else ""


def _file_name(part: Message) -> str:
    try:
        found = part.get_filename("")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return decode_header_text(str(found)) if found else ""


def _attachments(parts: list[Message]) -> Iterator[Attachment]:
    for part in parts:
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and not _is_attachment(part):
            continue
        name = re.split(r"[/\\]", _file_name(part))[-1][:200]
        payload = part.get_payload(decode=True)
        size = len(payload) if isinstance(payload, bytes) else len(str(part.get_payload()))
        yield Attachment(name or kind, size, kind[:100])


def _automatic(headers: _Headers, sender: str, kind: str) -> Automatic | None:
    """Why a message was written by a program (RFC 3834, and what was usual before it)."""
    local = sender.split("@")[0]
    if (
        kind in ("multipart/report", "message/delivery-status")
        or local in ("mailer-daemon", "postmaster")
        or "x-failed-recipients" in headers
    ):
        return "bounce"
    submitted, precedence = headers.word("auto-submitted"), headers.word("precedence")
    # A contact form is sent by a program for a person, whom Reply-To names.
    form = submitted == "auto-generated" and headers.address("reply-to")[1] not in ("", sender)
    if (submitted not in ("", "no") and not form) or precedence == "auto_reply":
        return "auto_reply"
    if "x-autoreply" in headers or "x-autorespond" in headers:
        return "auto_reply"
    if headers.text("return-path") == "<>":
        return "bounce"
    return "bulk" if precedence in ("bulk", "junk", "list") and not form else None
