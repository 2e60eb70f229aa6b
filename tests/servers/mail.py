"""A real mail server for tests: Dovecot (IMAP, LMTP) and Postfix (SMTP) on free ports.

Dovecot runs as any user but root. Postfix needs root: without it the SMTP side is aiosmtpd, which
hands every message to Dovecot over LMTP (``MailServer.smtp`` says which one runs).

Everybody gets mail at ``<name>@<any domain>``; what goes to a name that has no mailbox comes back
as a real bounce (with Postfix). TLS uses a throwaway authority, ``MailServer.ca_file``.
"""

from __future__ import annotations

import grp
import imaplib
import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.postgres import free_port
from tests.servers.certificates import write_certificates
from tests.servers.errors import ServersMissing
from tests.servers.mail_config import (
    DOVECOT_23,
    DOVECOT_24,
    DOVECOT_COMMON,
    POSTFIX_MAIN,
    POSTFIX_MASTER,
)

PASSWORD = "correct horse"  # every mailbox's


@dataclass
class MailServer:
    """Where the servers listen. All on ``host``; the certificate is for ``localhost``."""

    host: str
    imap_port: int
    imaps_port: int
    smtp_port: int
    lmtp_port: int
    smtp: str  # "postfix" or "aiosmtpd"
    ca_file: Path
    folder: Path = field(repr=False)
    password: str = PASSWORD

    def add_mailbox(self, address: str) -> str:
        """Make a mailbox that can log in with ``password``; gives the address back."""
        # A file for each: Dovecot looks at a file for changes only once a second.
        path = self.folder / "users" / address
        path.write_text(f"{address}:{{PLAIN}}{self.password}\n")
        path.chmod(0o644)
        return address

    def deliver(self, recipient: str, message: EmailMessage | bytes) -> None:
        """Put a message into a mailbox over LMTP, as the internet would."""
        raw = message if isinstance(message, bytes) else message.as_bytes()
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
            lmtp.sendmail("someone@customers.test", [recipient], raw)

    def submit(self, sender: str, recipient: str, message: EmailMessage) -> None:
        """Send a message through the SMTP server, which delivers it a moment later."""
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=20) as smtp:
            smtp.send_message(message, sender, [recipient])

    @contextmanager
    def imap(self, address: str) -> Iterator[imaplib.IMAP4]:
        """The mailbox opened as its owner would."""
        client = imaplib.IMAP4("127.0.0.1", self.imap_port, 20)
        try:
            client.login(address, self.password)
            client.select("INBOX")
            yield client
        finally:
            client.logout()

    def messages(self, address: str, folder: str = "INBOX") -> list[bytes]:
        """Every message in a folder, raw, oldest first."""
        with self.imap(address) as client:
            client.select(folder, readonly=True)
            found: list[bytes] = []
            for number in client.search(None, "ALL")[1][0].split():
                part: Any = client.fetch(number, "(BODY.PEEK[])")[1][0]
                found.append(part[1])
            return found

    def wait_for(self, address: str, count: int, within: float = 20) -> list[bytes]:
        """Messages of an inbox once there are at least ``count``."""
        deadline = time.monotonic() + within
        while True:
            found = self.messages(address)
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                log = (self.folder / "postfix.log").read_text(errors="replace")[-1500:]
                raise AssertionError(f"{len(found)} of {count} messages arrived. Postfix: {log}")
            time.sleep(0.1)

    def renumber(self, address: str) -> None:
        """Give the inbox a new UIDVALIDITY, as a server does whose index was lost or restored."""
        maildir = self.folder / "mail" / address / "Maildir"
        uidlist = maildir / "dovecot-uidlist"
        first, *rest = uidlist.read_text().splitlines()
        old = next(word for word in first.split() if word.startswith("V"))
        first = first.replace(old, f"V{int(old[1:]) + 100}")
        # Without the message lines Dovecot numbers what lies there from 1 again.
        uidlist.write_text(" ".join(w for w in first.split() if not w.startswith("N")) + " N1\n")
        del rest
        for index in maildir.glob("dovecot.index*"):
            index.unlink()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Start the servers; raises ServersMissing where they are not installed."""
    dovecot = _program("dovecot", "dovecot-core dovecot-imapd dovecot-lmtpd")
    for part in ("imap", "lmtp"):
        if not Path("/usr/lib/dovecot", part).exists():
            raise ServersMissing(f"Dovecot's {part} is not here: run tests/servers/install.sh")
    folder = Path(tempfile.mkdtemp(prefix="gs-mail-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        (folder / "users").mkdir()
        (folder / "mail").mkdir()
        ca_file = write_certificates(folder)
        user = _mail_user()
        if os.geteuid() == 0:
            for path in (folder / "mail", folder / "server.key"):
                shutil.chown(path, user)
        server = MailServer(
            host="localhost", imap_port=free_port(), imaps_port=free_port(),
            smtp_port=free_port(), lmtp_port=free_port(), ca_file=ca_file, folder=folder,
            smtp="postfix" if _find("postfix") and os.geteuid() == 0 else "aiosmtpd",
        )  # fmt: skip
        auth_port = free_port()
        stack.enter_context(_dovecot(dovecot, server, user, auth_port))
        if server.smtp == "postfix":
            stack.enter_context(_postfix(server, auth_port))
        else:
            stack.enter_context(_aiosmtpd(server))
        yield server


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _program(name: str, packages: str) -> str:
    found = _find(name)
    if found is None:
        raise ServersMissing(
            f"{name} is not here: run tests/servers/install.sh (Debian packages {packages})"
        )
    return found


def _mail_user() -> str:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    return "nobody"


@contextmanager
def _dovecot(program: str, server: MailServer, user: str, auth_port: int) -> Iterator[None]:
    folder = server.folder
    run = folder / "run"
    run.mkdir()
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    old = tuple(int(part) for part in version.split()[0].split(".")[:2]) < (2, 4)
    group = _group(user)
    config = folder / "dovecot.conf"
    common = DOVECOT_COMMON.format(
        run=run, folder=folder, user=user, group=group, server=server, auth_port=auth_port
    )
    special = (DOVECOT_23 if old else DOVECOT_24).format(folder=folder)
    heading = "" if old else "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"
    config.write_text(heading + common + special)
    prefix: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(run, user)
        (folder / "dovecot.log").touch()
        shutil.chown(folder / "dovecot.log", user)
        gid = pwd.getpwnam(user).pw_gid
        prefix = ["setpriv", f"--reuid={user}", f"--regid={gid}", "--clear-groups"]
    process = subprocess.Popen(
        [*prefix, program, "-F", "-c", str(config)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        for port in (server.imap_port, server.lmtp_port, auth_port):
            _wait_open(port, process, folder / "dovecot.log")
        yield
    finally:
        _stop(process)


def _group(user: str) -> str:
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


@contextmanager
def _postfix(server: MailServer, auth_port: int) -> Iterator[None]:
    postfix = _program("postfix", "postfix postfix-lmdb")
    folder = server.folder
    config, queue, data = folder / "postfix", folder / "queue", folder / "postfix-data"
    config.mkdir()
    queue.mkdir()
    data.mkdir()
    shutil.chown(data, "postfix")
    (config / "main.cf").write_text(
        POSTFIX_MAIN.format(
            config=config, queue=queue, data=data, folder=folder, server=server,
            auth_port=auth_port,
        )
    )  # fmt: skip
    (config / "master.cf").write_text(POSTFIX_MASTER.format(port=server.smtp_port))
    process = subprocess.Popen(
        [postfix, "-c", str(config), "start-fg"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        _wait_open(server.smtp_port, process, folder / "postfix.log")
        yield
    finally:
        subprocess.run([postfix, "-c", str(config), "stop"], capture_output=True)
        _stop(process)


@contextmanager
def _aiosmtpd(server: MailServer) -> Iterator[None]:
    from aiosmtpd.controller import Controller

    class ToDovecot:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
            with smtplib.LMTP("127.0.0.1", server.lmtp_port) as lmtp:
                lmtp.sendmail(envelope.mail_from, envelope.rcpt_tos, envelope.content)
            return "250 OK"

    (server.folder / "postfix.log").write_text("aiosmtpd runs instead of Postfix: not root\n")
    controller = Controller(ToDovecot(), hostname="127.0.0.1", port=server.smtp_port)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


def _wait_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            said = process.stderr.read().decode() if process.poll() is not None else ""  # type: ignore[union-attr]
            said += log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(f"the server for port {port} did not start: {said}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stderr is not None:
        process.stderr.close()
