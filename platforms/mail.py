"""E-mail accounts: an IMAP folder that is read, and an SMTP server that is sent through.

imap-tools opens mailboxes; messages are fetched with a limit on their size, which it has no way to
ask for. IMAP4rev1: https://www.rfc-editor.org/rfc/rfc3501, response codes: RFC 5530.
"""

from __future__ import annotations

import imaplib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from platforms.addresses import is_loopback
from platforms.errors import (
    ConfigError,
    NotAllowed,
    PlatformError,
    Rejected,
    Unreachable,
    read_fields,
)

TIMEOUT = 30.0  # seconds for each answer
STARTTLS_PORTS = (25, 143, 587)
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f]+@[^\s@<>,;:\"()\[\]\\\x00-\x1f]+")
_TEMPORARY = re.compile(rb"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN)\]", re.IGNORECASE)


def mail_address(text: str) -> str:
    """An address in lower case. Raises ValueError for anything else than one plain address."""
    address = text.strip()
    if not _ADDRESS.fullmatch(address) or len(address) > 254:
        raise ValueError("give one e-mail address, such as support@acme.example")
    return address.lower()


def _own_address(text: str) -> str:
    address = mail_address(text)
    if not address.isascii():
        raise ValueError("write it in plain letters, an international domain in its xn-- form")
    return address


Address = Annotated[str, AfterValidator(_own_address)]
Security = Literal["tls", "starttls", "none"]


class MailEndpoint(BaseModel):
    """A server and how the connection to it is protected.

    Without ``security`` the port decides: 143, 25 and 587 begin with STARTTLS, others with TLS.
    ``none`` is possible on this machine only. ``ca_file`` names the certificate authority of a
    server whose certificate no public authority signed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, pattern=r"^[^\s/@]+$")
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Security = "tls"
    ca_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_port(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and not given.get("security"):
            usual = "starttls" if given.get("port") in STARTTLS_PORTS else "tls"
            return {**given, "security": usual}
        return given

    @field_validator("ca_file")
    @classmethod
    def _exists(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError("there is no such file")
        return path

    @model_validator(mode="after")
    def _protected(self) -> MailEndpoint:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError("security: choose tls or starttls, since a password is sent")
        return self

    def context(self) -> ssl.SSLContext:
        """TLS settings with certificate and host name checked."""
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"ca_file holds no certificate that can be read: {error}.") from error


class MailAccount(BaseModel):
    """Settings of an e-mail source; the listener needs ``imap``, the reply channel ``smtp``.

    ``address`` is what customers write to, ``aliases`` are further addresses of ours, ``name`` is
    shown beside the address in replies, ``username`` logs in where it is not the address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: Address
    aliases: tuple[Address, ...] = ()
    name: str = Field(default="", max_length=200)
    username: str | None = None
    folder: str = Field(default="INBOX", min_length=1, max_length=100)
    imap: MailEndpoint | None = None
    smtp: MailEndpoint | None = None

    @property
    def login(self) -> str:
        return self.username or self.address

    @property
    def own_addresses(self) -> frozenset[str]:
        return frozenset({self.address, *self.aliases})


class MailSecrets(BaseModel):
    """Passwords. ``smtp_password`` only where it differs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    password: SecretStr = Field(min_length=1)
    smtp_password: SecretStr | None = None


def read_account(
    config: Mapping[str, Any], secrets: Mapping[str, Any], needs: Literal["imap", "smtp"]
) -> tuple[MailAccount, str]:
    """Checked settings and the password for one of the two servers. Raises ConfigError."""
    account = read_fields(MailAccount, config, "This e-mail source")
    if getattr(account, needs) is None:
        server = "incoming" if needs == "imap" else "outgoing"
        raise ConfigError(f"This e-mail source has no {server} server. {needs}: field required.")
    found = read_fields(MailSecrets, secrets, "The e-mail credentials")
    special = found.smtp_password if needs == "smtp" else None
    return account, (special or found.password).get_secret_value()


@dataclass(frozen=True, slots=True)
class RawMail:
    """A message as fetched: at most the first bytes of it, ``size`` is of the whole."""

    uid: int
    size: int
    received_at: datetime
    raw: bytes


class MailFolder:
    """An open folder, read only: nothing is marked as seen.

    ``validity`` is the server's UIDVALIDITY: UIDs mean something only together with it.
    """

    def __init__(self, mailbox: BaseMailBox, folder: str) -> None:
        self._mailbox = mailbox
        with _imap_errors():
            mailbox.folder.set(folder, readonly=True)
            self.validity = self._said("UIDVALIDITY")
            self.next_uid = self._said("UIDNEXT")

    def uids_after(self, last: int) -> list[int]:
        """UIDs greater than ``last``, rising."""
        with _imap_errors():
            found = self._mailbox.uids(f"UID {last + 1}:*", charset=None)
        # "n:*" always names the newest message, even when its UID is below n (RFC 3501, 6.4.8).
        return sorted(uid for uid in map(int, found) if uid > last)

    def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """Sizes in bytes; messages that are gone are left out."""
        return {mail.uid: mail.size for mail in self._fetch(uids, "(UID RFC822.SIZE INTERNALDATE)")}

    def read(self, uids: Sequence[int], most: int) -> list[RawMail]:
        """The messages, each cut after ``most`` bytes, in rising order of UID."""
        what = f"(UID RFC822.SIZE INTERNALDATE BODY.PEEK[]<0.{most}>)"
        return sorted(self._fetch(uids, what), key=lambda mail: mail.uid)

    def _fetch(self, uids: Sequence[int], what: str) -> list[RawMail]:
        if not uids:
            return []
        with _imap_errors():
            status, data = self._mailbox.client.uid("FETCH", ",".join(map(str, uids)), what)
        if status != "OK":
            raise Unreachable("The mail server could not give the messages. It is tried again.")
        return list(_read_fetch(data))

    def _said(self, name: str) -> int:
        _, data = self._mailbox.client.response(name)
        if not data or data[0] is None:
            raise Rejected(f"The mail server gives no {name}, so messages cannot be told apart.")
        return int(data[0])


@contextmanager
def open_folder(
    account: MailAccount, password: str, timeout: float = TIMEOUT
) -> Iterator[MailFolder]:
    """Log in and open the account's folder. Raises only PlatformError and its children."""
    endpoint = account.imap
    assert endpoint is not None
    with _imap_errors():
        mailbox = _connect(endpoint, timeout)
    try:
        with _imap_errors():
            login = mailbox.login if (account.login + password).isascii() else mailbox.login_utf8
            login(account.login, password, initial_folder=None)
        yield MailFolder(mailbox, account.folder)
        with suppress(OSError, imaplib.IMAP4.error, ImapToolsError):
            mailbox.logout()
    finally:
        # After a fault nothing more is said: a server that does not answer would hold us again.
        with suppress(OSError):
            mailbox.client.shutdown()


def _connect(endpoint: MailEndpoint, timeout: float) -> BaseMailBox:
    if endpoint.security == "none":
        return MailBoxUnencrypted(endpoint.host, endpoint.port or 143, timeout)
    if endpoint.security == "starttls":
        return _MailBoxStartTls(
            endpoint.host, endpoint.port or 143, timeout, ssl_context=endpoint.context()
        )
    return MailBox(endpoint.host, endpoint.port or 993, timeout, ssl_context=endpoint.context())


class _MailBoxStartTls(MailBoxStartTls):
    """Closes its connection when the protection does not come about."""

    def _get_mailbox_client(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4(self._host, self._port, self._timeout)
        try:
            client.starttls(self._ssl_context)
        except BaseException:
            with suppress(OSError):
                client.shutdown()
            raise
        return client


def _read_fetch(data: Sequence[Any]) -> Iterator[RawMail]:
    """imaplib gives (head, literal) pairs, and bare lines for what had no literal or follows it."""
    described: list[tuple[bytes, bytes]] = []
    for item in data:
        if isinstance(item, tuple):
            described.append((item[0], item[1]))
        elif isinstance(item, bytes) and re.match(rb"\d+ \(", item):
            described.append((item, b""))
        elif isinstance(item, bytes) and described:
            head, literal = described[-1]
            described[-1] = (head + item, literal)
    for head, literal in described:
        uid, size = re.search(rb"\bUID (\d+)", head), re.search(rb"RFC822\.SIZE (\d+)", head)
        date = re.search(rb'INTERNALDATE "([^"]+)"', head)
        if uid and size and date:
            received = parsedate_to_datetime(date[1].decode("ascii").strip()).astimezone(UTC)
            yield RawMail(int(uid[1]), int(size[1]), received, literal)


@contextmanager
def _imap_errors() -> Iterator[None]:
    try:
        yield
    except MailboxLoginError as error:
        said = b" ".join(part for part in error.command_result[1] if isinstance(part, bytes))
        if _TEMPORARY.search(said):
            raise Unreachable(
                "The mail server takes no logins right now. It is tried again."
            ) from error
        raise NotAllowed(
            "The mail server does not accept the user name and password. Check both; some "
            "providers want an app password."
        ) from error
    except MailboxFolderSelectError as error:
        raise Rejected(
            "The mailbox has no such folder, or we may not read it. Check the folder's name."
        ) from error
    except imaplib.IMAP4.abort as error:
        raise Unreachable("The connection to the mail server broke. It is tried again.") from error
    except OSError as error:  # before ValueError, which a refused certificate is as well
        raise connection_error(error) from error
    except (imaplib.IMAP4.error, ImapToolsError, ValueError) as error:
        raise Unreachable("The mail server gave an answer that cannot be used.") from error


def connection_error(error: OSError) -> PlatformError:
    """Our error for a connection to a mail server that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigError(
            "The mail server's certificate is not trusted: "
            f"{error.verify_message}. Check the host name, or give ca_file for a server with its "
            "own authority."
        )
    if isinstance(error, ssl.SSLError):
        return Unreachable(
            "No protected connection to the mail server came about. Check port and security "
            "(993 and 465 use tls, 143 and 587 starttls)."
        )
    if isinstance(error, socket.gaierror):
        return Unreachable("The mail server's name cannot be found. Check the host name.")
    if isinstance(error, TimeoutError):
        return Unreachable("The mail server did not answer in time. It is tried again.")
    return Unreachable("The mail server cannot be reached. Check host and port.")


def submit(
    account: MailAccount, password: str, recipient: str, message: bytes, timeout: float = TIMEOUT
) -> None:
    """Hand a message to the SMTP server. Raises only PlatformError and its children.

    ``maybe_sent`` is set once the text was on its way: from then on only the server's answer tells
    whether it took the message.
    """
    endpoint = account.smtp
    assert endpoint is not None
    on_its_way = False
    try:
        with _smtp(endpoint, timeout) as smtp:
            if account.username or endpoint.security != "none":
                smtp.login(account.login, password)
            _accepted(smtp.mail(account.address), "sender")
            _accepted(smtp.rcpt(recipient), "recipient")
            on_its_way = True
            code, answer = smtp.data(message)
            on_its_way = False
            _accepted((code, answer), "message")
    except smtplib.SMTPAuthenticationError as error:
        raise _login_refused(error) from error
    except smtplib.SMTPNotSupportedError as error:
        raise ConfigError(
            "The outgoing mail server does not offer this kind of connection or login. Check port "
            "and security (465 uses tls, 587 starttls)."
        ) from error
    except smtplib.SMTPResponseException as error:
        raise _refused(error.smtp_code, "message") from error
    except (smtplib.SMTPException, OSError) as error:
        plain = isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException)
        found = connection_error(error) if plain else None
        if found is None or on_its_way:
            found = Unreachable(
                "The connection to the outgoing mail server broke.", maybe_sent=on_its_way
            )
        raise found from error


@contextmanager
def _smtp(endpoint: MailEndpoint, timeout: float) -> Iterator[smtplib.SMTP]:
    if endpoint.security == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            endpoint.host, endpoint.port or 465, timeout=timeout, context=endpoint.context()
        )
    else:
        default = 587 if endpoint.security == "starttls" else 25
        smtp = smtplib.SMTP(endpoint.host, endpoint.port or default, timeout=timeout)
    try:
        if endpoint.security == "starttls":
            smtp.starttls(context=endpoint.context())
        smtp.ehlo_or_helo_if_needed()
        yield smtp
        with suppress(OSError, smtplib.SMTPException):
            smtp.quit()
    finally:
        smtp.close()


def _accepted(answer: tuple[int, bytes], what: str) -> None:
    if answer[0] >= 300:
        raise _refused(answer[0], what)


def _refused(code: int, what: str) -> PlatformError:
    if 400 <= code < 500:
        return Unreachable(f"The outgoing mail server did not take the {what} now ({code}).")
    text = {
        "sender": "may not send from this address. Check the address and the login",
        "recipient": "does not take mail for this customer's address",
        "message": "refused the message",
    }[what]
    return Rejected(f"The outgoing mail server {text} ({code}).", code=str(code))


def _login_refused(error: smtplib.SMTPAuthenticationError) -> PlatformError:
    if 400 <= error.smtp_code < 500:
        return Unreachable("The outgoing mail server takes no logins right now.")
    return NotAllowed(
        "The outgoing mail server does not accept the user name and password. Check both; some "
        "providers want an app password."
    )
