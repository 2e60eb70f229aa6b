"""E-mail: what customers write to one mailbox folder, read over IMAP without marking anything.

Messages are told apart by UID and UIDVALIDITY and threaded by Message-ID and References.
docs/platforms/email.md has the details, and what happens when a server renumbers a folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import structlog

from listeners.base import ListenerError
from platforms.errors import PlatformError
from platforms.mail import TIMEOUT, MailAccount, MailFolder, RawMail, open_folder, read_account
from platforms.mail_message import Mail, read_mail
from store.clock import Clock
from store.posts import Batch, Cursor, Post, PostAuthor

PLATFORM = "email"
PAGE = 100  # messages a batch
PAGE_BYTES = 8 * 1024 * 1024  # held in memory at a time
LARGEST = 1024 * 1024  # of one message; what lies behind is mostly attachments
REMEMBERED = 500  # newest messages that are recognised after a renumbering
ROOTS = 300  # recent answers whose thread is known, for programs that send no References
MOST_REFERENCES = 20
LONGEST_MAILBOX = 180

log = structlog.get_logger()


class EmailListener:
    """Implements ``Listener`` for one folder of one mailbox."""

    platform: ClassVar[str] = PLATFORM

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
    ) -> EmailListener:
        """From a source's settings and secrets. Raises a permanent ListenerError naming a field."""
        try:
            account, password = read_account(config, secrets, "imap")
        except PlatformError as error:
            raise _listener_error(error) from error
        return cls(account, password, clock)

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Everything since the cursor, oldest first; every batch carries one."""
        began = self._clock.now()
        try:
            with open_folder(self._account, self._password, self._timeout) as folder:
                place = _Place.read(cursor, self._account, folder)
                uids = folder.uids_after(place.uid)
                before = sum(place.ignored.values())
                for page in _pages(folder, uids):
                    posts = [
                        post
                        for raw in folder.read(page, LARGEST)
                        if (post := self._post(raw, place)) is not None
                    ]
                    place.uid = page[-1]
                    done = began if page[-1] == uids[-1] else None
                    said = place.message(sum(place.ignored.values()) - before)
                    yield Batch(posts, place.written(), covered_until=done, message=said)
                if not uids:
                    yield Batch((), place.written(), covered_until=began)
        except PlatformError as error:
            raise _listener_error(error) from error

    def close(self) -> None:
        """A connection lives only as long as a run."""

    def _post(self, raw: RawMail, place: _Place) -> Post | None:
        mail = read_mail(raw.raw)
        if not place.is_new(raw, mail):
            return None
        root = place.root_of(raw, mail)
        if mail.automatic is not None:
            place.ignored[mail.automatic] = place.ignored.get(mail.automatic, 0) + 1
            log.info("email.ignored", reason=mail.automatic, uid=raw.uid)
            return None
        own = mail.sender in self._account.own_addresses
        answer_to = mail.sender if own else (mail.reply_to or mail.sender)
        parent = mail.in_reply_to or (mail.references[-1] if mail.references else "")
        return Post(
            platform=PLATFORM,
            namespace=place.namespace,
            external_id=place.identity(raw),
            text=mail.text,
            title=mail.subject,
            posted_at=_posted_at(mail, raw),
            author=PostAuthor(mail.sender, mail.sender, mail.sender_name) if mail.sender else None,
            conversation=root,
            in_reply_to=parent or None,
            direction="outbound" if own else "inbound",
            kind="email",
            channel_ref={
                "namespace": place.namespace,
                **self._reference(raw, mail, answer_to),
            },
        )

    def _reference(self, raw: RawMail, mail: Mail, answer_to: str) -> dict[str, Any]:
        reference: dict[str, Any] = {
            "message_id": mail.message_id,
            "references": list(_shortened(mail.references)),
            "from": answer_to,
            "subject": mail.subject,
            "mailbox": self._account.address,
        }
        if mail.quoted:
            reference["quoted"] = mail.quoted
        if mail.attachments:
            reference["attachments"] = [
                {"name": one.name, "size": one.size, "type": one.kind} for one in mail.attachments
            ]
        if raw.size > len(raw.raw):
            reference["cut_after_bytes"] = len(raw.raw)
        return reference


class _Place:
    """Where the folder was left, and what is remembered of it. Changes as messages are read."""

    def __init__(self, namespace: str, validity: int) -> None:
        self.namespace = namespace
        self.first_validity = validity  # the one in the namespace
        self.validity = validity
        self.uid = 0
        self.renumbered_to = 0  # up to this UID messages may be old ones with a new number
        self.remembered: dict[str, int] = {}  # digest: seconds, when the server received it
        self.roots: dict[str, str] = {}  # digest of a Message-ID: its thread's root
        self.ignored: dict[str, int] = {}
        self.was_renumbered = False  # since the last run

    @classmethod
    def read(cls, cursor: Cursor | None, account: MailAccount, folder: MailFolder) -> _Place:
        mailbox = f"{account.address}/{account.folder}"
        if len(mailbox) > LONGEST_MAILBOX:  # the store holds 200 characters
            mailbox = f"{mailbox[: LONGEST_MAILBOX - 17]} {_digest(mailbox)}"
        # Another mailbox's cursor says nothing: its numbers are others.
        if not cursor or str(cursor["namespace"]).rpartition(";")[0] != mailbox:
            return cls(f"{mailbox};{folder.validity}", folder.validity)
        place = cls(str(cursor["namespace"]), int(cursor["first_validity"]))
        place.validity, place.uid = int(cursor["validity"]), int(cursor["uid"])
        place.renumbered_to = int(cursor["renumbered_to"])
        place.remembered = dict(cursor["remembered"])
        place.roots = dict(cursor["roots"])
        place.ignored = dict(cursor["ignored"])
        if place.validity != folder.validity:
            log.warning("email.renumbered", was=place.validity, now=folder.validity)
            place.validity, place.uid = folder.validity, 0
            place.was_renumbered = True
            place.renumbered_to = folder.next_uid - 1
        return place

    def written(self) -> dict[str, Any]:
        return {
            "namespace": self.namespace,
            "first_validity": self.first_validity,
            "validity": self.validity,
            "uid": self.uid,
            "renumbered_to": self.renumbered_to,
            "remembered": [list(pair) for pair in self.remembered.items()],
            "roots": self.roots,
            "ignored": self.ignored,
        }

    def message(self, ignored: int) -> str | None:
        """What staff should know of a run that left out so many automatic messages so far."""
        told = []
        if self.was_renumbered:
            told.append(
                "The mail server has renumbered this folder; messages that were read before were "
                "recognised and not stored again."
            )
        if ignored:
            told.append(f"Automatic messages left out (bounces, absences, bulk mail): {ignored}.")
        return " ".join(told) or None

    def identity(self, raw: RawMail) -> str:
        """The UID; after a renumbering together with the UIDVALIDITY that it belongs to."""
        if self.validity == self.first_validity:
            return str(raw.uid)
        return f"{self.validity}:{raw.uid}"

    def is_new(self, raw: RawMail, mail: Mail) -> bool:
        """False for a message that was read under an earlier number."""
        named = mail.message_id or f"{mail.sender} {mail.date} {mail.subject} {raw.size}"
        digest, received = _digest(named), int(raw.received_at.timestamp())
        if raw.uid <= self.renumbered_to and self._was_read(digest, received):
            return False
        self.remembered[digest] = received
        if len(self.remembered) > REMEMBERED:
            self.remembered.pop(min(self.remembered, key=self.remembered.__getitem__))
        return True

    def _was_read(self, digest: str, received: int) -> bool:
        if digest in self.remembered:
            return True
        # What is older than everything remembered was read long ago, if memory is full at all.
        full = len(self.remembered) >= REMEMBERED
        return full and received < min(self.remembered.values())

    def root_of(self, raw: RawMail, mail: Mail) -> str:
        """The Message-ID of the thread's first message."""
        own = mail.message_id or f"{self.validity}.{raw.uid}.no-message-id"
        if mail.references:
            root = mail.references[0]
        elif mail.in_reply_to:
            root = self.roots.get(_digest(mail.in_reply_to), mail.in_reply_to)
        else:
            return own
        self.roots.pop(_digest(own), None)
        self.roots[_digest(own)] = root
        while len(self.roots) > ROOTS:
            del self.roots[next(iter(self.roots))]
        return root


def _pages(folder: MailFolder, uids: Sequence[int]) -> Iterator[list[int]]:
    """UIDs in pages that are small in number and in bytes."""
    for start in range(0, len(uids), PAGE):
        some = uids[start : start + PAGE]
        sizes = folder.sizes(some)
        page, weight = list[int](), 0
        for uid in some:
            size = min(sizes.get(uid, 0), LARGEST)
            if page and weight + size > PAGE_BYTES:
                yield page
                page, weight = [], 0
            page.append(uid)
            weight += size
        yield page


def _posted_at(mail: Mail, raw: RawMail) -> datetime:
    """The sender's date where it is believable, else when the server received the message."""
    if mail.date is None:
        return raw.received_at
    early, late = raw.received_at - timedelta(days=30), raw.received_at + timedelta(minutes=5)
    return mail.date.astimezone(UTC) if early <= mail.date <= late else raw.received_at


def _shortened(references: Sequence[str]) -> Sequence[str]:
    """The root and the newest, as RFC 5322 programs do with long threads."""
    if len(references) <= MOST_REFERENCES:
        return references
    return [references[0], *references[-(MOST_REFERENCES - 1) :]]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _listener_error(error: PlatformError) -> ListenerError:
    return ListenerError(
        str(error),
        permanent=error.permanent,
        retry_after=error.retry_after,
        limited=error.limited,
    )
