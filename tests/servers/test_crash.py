"""A worker killed at any moment loses nothing and doubles nothing.

Processes that import a file and that collect from a real Bluesky network and a real mailbox get
SIGKILL at twenty random moments, while people go on posting and staff go on answering. Afterwards
every mention is there once, each is assessed, and no ticket and no reply is doubled.
"""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from responder.replies import compose
from store.clock import SystemClock
from store.database import Store
from store.models import (
    Brand,
    Conversation,
    Mention,
    Reply,
    Source,
    Ticket,
    TicketConversation,
)
from store.rollups import recount
from store.secrets import SecretBox
from tests.servers.bluesky_network import Account, BlueskyNetwork
from tests.servers.mail import MailServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

KILLS = 20
FILE_ROWS = 3000
COMPLAINTS = (
    "@{us} my order arrived broken and nobody answers, this is the third time",
    "@{us} 你们的客服太差了，退款拖了两周还没到账",
    "@{us} your app crashes every time I try to pay, I am furious",
    "@{us} charged twice for one ticket and the hotline hangs up on me",
)


class Desk:
    """One installation with its real accounts, and the people who write to it."""

    def __init__(
        self, store: Store, folder: Path, network: BlueskyNetwork, mail: MailServer
    ) -> None:
        self.store, self.folder, self.network, self.mail = store, folder, network, mail
        self.us = network.account("acme")
        self.customers = [network.account(f"cust{i}") for i in range(3)]
        self.mailbox = mail.add_mailbox(f"care-{os.urandom(3).hex()}@acme.test")
        self.writers = [
            mail.add_mailbox(f"w{i}-{os.urandom(3).hex()}@customers.test") for i in range(3)
        ]
        self.posts = self.mails = 0
        self.file = folder / "posts.csv"
        self._write_file()
        self._add_sources()

    def _write_file(self) -> None:
        start = datetime(2026, 1, 5, tzinfo=UTC)
        with self.file.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text", "time", "author", "in_reply_to"])
            for i in range(FILE_ROWS):
                parent = str(i - 1) if i % 5 == 4 else ""
                words = COMPLAINTS[i % 4].format(us="acme") if i % 7 == 0 else f"nice day {i}"
                posted = (start + timedelta(seconds=i)).isoformat()
                writer.writerow([i, words, posted, f"u{i % 97}", parent])

    def _add_sources(self) -> None:
        secrets = SecretBox.open(self.folder / "groundswell.key")
        now = SystemClock().now()
        with self.store.write() as session:
            brand = Brand(name="Acme", created_at=now, handles=[self.us.handle])
            session.add(brand)
            session.flush()
            common: dict[str, Any] = {
                "brand_id": brand.id,
                "interval_seconds": 1,
                "next_run_at": now,
                "created_at": now,
            }
            session.add(
                Source(
                    name="bluesky",
                    connector="bluesky",
                    config={"service": self.network.pds, "handle": self.us.handle},
                    secrets=secrets.seal({"app_password": self.us.app_password()}),
                    **common,
                )
            )
            host = self.mail.host
            session.add(
                Source(
                    name="email",
                    connector="email",
                    config={
                        "address": self.mailbox,
                        "imap": {"host": host, "port": self.mail.imap_port, "security": "none"},
                        "smtp": {"host": host, "port": self.mail.smtp_port, "security": "none"},
                    },
                    secrets=secrets.seal({"password": self.mail.password}),
                    **common,
                )
            )

    def people_write(self, chance: random.Random) -> None:
        customer = chance.choice(self.customers)
        words = chance.choice(COMPLAINTS).format(us=self.us.handle)
        customer.post(f"{words} ({self.posts})", mention=self.us)
        self.posts += 1
        message = EmailMessage()
        message["From"] = chance.choice(self.writers)
        message["To"] = self.mailbox
        message["Subject"] = f"Complaint {self.mails}"
        message["Message-ID"] = f"<{self.mails}-{os.urandom(4).hex()}@customers.test>"
        message.set_content("My parcel is lost and your hotline hangs up on me. I want my money.")
        self.mail.deliver(self.mailbox, message)
        self.mails += 1

    def staff_answer(self) -> None:
        """Answer every open ticket of the real channels that has no reply yet."""
        now = SystemClock().now()
        with self.store.write() as session:
            rows = session.execute(
                select(Ticket.id, func.min(Mention.id), Mention.platform)
                .join(TicketConversation, TicketConversation.ticket_id == Ticket.id)
                .join(Mention, Mention.conversation_id == TicketConversation.conversation_id)
                .where(Mention.direction == "inbound", Mention.platform.in_(["bluesky", "email"]))
                .where(Ticket.id.not_in(select(Reply.ticket_id)))
                .group_by(Ticket.id, Mention.platform)
            ).all()
            for ticket, mention, platform in rows:
                compose(
                    session,
                    ticket,
                    mention,
                    f"We are sorry and look into it (ticket {ticket}).",
                    None,
                    now,
                    platform,
                    undo=timedelta(0),
                )

    def run(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GROUNDSWELL_")},
            "GROUNDSWELL_DATABASE_URL": self.store.url.render_as_string(hide_password=False),
            "GROUNDSWELL_DATA_DIR": str(self.folder),
            "GROUNDSWELL_LOG_FORMAT": "json",
            "GROUNDSWELL_THREADS": "1",
        }
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "service.cli", *arguments],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def finish(self, *arguments: str) -> None:
        process = self.run(*arguments)
        assert process.wait(600) == 0, (self.folder / "log").read_text()[-3000:]

    def importing(self) -> tuple[str, ...]:
        return ("import", str(self.file), "--brand", "Acme", "--live")


def replies_on_bluesky(us: Account) -> Counter[str]:
    """How often our account answered each post."""
    return Counter(
        post["value"]["reply"]["parent"]["uri"] for post in us.posts() if "reply" in post["value"]
    )


def test_nothing_is_lost_or_doubled_when_workers_are_killed(
    store: Store,
    tmp_path: Path,
    bluesky_network: BlueskyNetwork,
    mail_server: MailServer,
) -> None:
    chance = random.Random(20)
    desk = Desk(store, tmp_path, bluesky_network, mail_server)
    for _ in range(8):
        desk.people_write(chance)
    for kill in range(KILLS):
        process = desk.run(*(desk.importing() if kill % 4 == 1 else ("worker",)))
        desk.people_write(chance)
        try:
            process.wait(chance.uniform(1.0, 9.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        desk.staff_answer()
    bluesky_network.settle()

    desk.finish(*desk.importing())
    with store.write() as session:
        for source in session.scalars(select(Source)):
            source.next_run_at = SystemClock().now()
    desk.finish("worker", "--once")
    desk.staff_answer()
    desk.finish("worker", "--once")

    with store.read() as session:
        by_platform = dict(
            session.execute(
                select(Mention.platform, func.count())
                .where(Mention.direction == "inbound")
                .group_by(Mention.platform)
            ).all()
        )
        assert by_platform == {"file": FILE_ROWS, "bluesky": desk.posts, "email": desk.mails}
        assert session.scalar(select(func.count()).where(Mention.assessed_at.is_(None))) == 0
        assert session.scalar(select(func.count()).where(Mention.triaged_at.is_(None))) == 0
        assert not recount(session)
        double = (
            select(TicketConversation.conversation_id)
            .group_by(TicketConversation.conversation_id)
            .having(func.count() > 1)
        )
        assert session.scalars(double).all() == []
        tickets = session.scalar(
            select(func.count(func.distinct(Conversation.id)))
            .join(TicketConversation, TicketConversation.conversation_id == Conversation.id)
            .where(Conversation.platform.in_(["bluesky", "email"]))
        )
        assert tickets is not None
        assert tickets > 0
        statuses = Counter(
            session.execute(select(Reply.channel, Reply.status)).all()  # type: ignore[arg-type]
        )
        sent_mails = session.scalars(
            select(Reply.external_id).where(Reply.channel == "email", Reply.status == "sent")
        ).all()

    assert sum(statuses.values()) == tickets
    assert {status for (channel, status), _ in statuses.items() if channel == "bluesky"} == {"sent"}
    answered = replies_on_bluesky(desk.us)
    assert set(answered.values()) == {1}
    assert len(answered) == statuses["bluesky", "sent"]

    # SMTP cannot be asked whether a message arrived: those are left to a person, never sent twice.
    assert {s for (c, s), _ in statuses.items() if c == "email"} <= {"sent", "uncertain"}
    arrived = Counter(
        line.split(b":", 1)[1].strip()
        for writer in desk.writers
        for raw in mail_server.messages(writer)
        for line in raw.split(b"\n")
        if line.lower().startswith(b"message-id:")
    )
    assert set(arrived.values()) <= {1}
    assert len(arrived) >= len(sent_mails) > 0
