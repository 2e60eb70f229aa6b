"""The e-mail listener against a fake IMAP server: the contract, threads, numbers and faults.

The same contract runs against Dovecot in tests/servers/test_mail.py; how a message is read is
tested in tests/platforms/test_mail_message.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from listeners import email as email_module
from listeners.base import Listener, ListenerError
from listeners.email import EmailListener
from platforms.mail import MailEndpoint
from store.clock import SetClock
from store.database import Store
from store.models import Mention
from store.posts import Cursor, Post
from tests.builders import a_brand, take_in
from tests.conftest import START
from tests.listeners.contract import ListenerContract, run, stored_cursor
from tests.platforms.fake_imap import PASSWORD, USER, FakeImap, fake_imap
from tests.postgres import free_port


@pytest.fixture
def imap() -> Iterator[FakeImap]:
    with fake_imap() as fake:
        yield fake


def make(port: int, password: str = PASSWORD, **config: Any) -> EmailListener:
    return EmailListener.from_config(
        {
            "address": USER,
            "imap": {"host": "127.0.0.1", "port": port, "security": "none"},
            **config,
        },
        {"password": password},
        SetClock(START),
    )


def mail(
    text: str = "hello",
    *,
    message_id: str | None = "1@customers.test",
    sender: str = "Bob Builder <Bob@Customers.test>",
    subject: str = "My kettle",
    **headers: str,
) -> bytes:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = USER
    message["Subject"] = subject
    if message_id:
        message["Message-ID"] = f"<{message_id}>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


class FakeWorld:
    def __init__(self, fake: FakeImap) -> None:
        self.fake = fake

    def listener(self) -> Listener:
        return make(self.fake.port)

    def publish(self, text: str) -> str:
        number = self.fake.next_uid
        return str(self.fake.put(mail(text, message_id=f"{number}@customers.test")))

    def edit(self, external_id: str, text: str) -> bool:
        return False

    def delete(self, external_id: str) -> bool:
        return False

    def refused(self) -> Listener | None:
        return make(self.fake.port, password="wrong")

    def unreachable(self) -> Listener:
        return make(free_port())


class TestEmailContract(ListenerContract):
    @pytest.fixture
    def world(self, imap: FakeImap, monkeypatch: pytest.MonkeyPatch) -> FakeWorld:
        monkeypatch.setattr(email_module, "PAGE", 2)  # several pages to die between
        return FakeWorld(imap)


def test_it_reads_a_message_with_its_sender_subject_thread_and_way_back(imap: FakeImap) -> None:
    imap.put(
        mail(Date="Mon, 02 Mar 2026 08:59:00 +0100"), datetime(2026, 3, 2, 8, 0, 9, tzinfo=UTC)
    )
    ((post,), _) = run(make(imap.port))
    assert (post.platform, post.namespace, post.external_id) == (
        "email",
        f"{USER}/INBOX;1700000000",
        "1",
    )
    assert (post.text, post.title, post.kind) == ("hello", "My kettle", "email")
    assert post.author is not None
    assert (post.author.external_id, post.author.name) == ("bob@customers.test", "Bob Builder")
    assert post.posted_at == datetime(2026, 3, 2, 7, 59, tzinfo=UTC)
    assert post.conversation == "1@customers.test"
    assert post.in_reply_to is None
    assert post.channel_ref == {
        "namespace": post.namespace,
        "message_id": "1@customers.test",
        "references": [],
        "from": "bob@customers.test",
        "subject": "My kettle",
        "mailbox": USER,
    }


def test_nothing_is_marked_as_read(imap: FakeImap) -> None:
    imap.put(mail())
    run(make(imap.port))
    assert imap.seen == set()
    assert imap.calls["SELECT"] == 0
    assert imap.calls["EXAMINE"] == 1


def conversations(posts: list[Post]) -> list[str]:
    return [post.conversation for post in posts]


def test_a_thread_is_kept_by_its_references(imap: FakeImap) -> None:
    imap.put(mail(message_id="a@x"))
    imap.put(mail(message_id="c@x", In_Reply_To="<b@acme.test>", References="<a@x> <b@acme.test>"))
    folded = imap.messages[1].raw.replace(b"<a@x> <b@acme.test>", b"<a@x>\r\n\t<b@acme.test>")
    imap.messages[1].raw = folded
    posts, _ = run(make(imap.port))
    assert conversations(posts) == ["a@x", "a@x"]
    assert posts[1].in_reply_to == "b@acme.test"
    assert posts[1].channel_ref["references"] == ["a@x", "b@acme.test"]


def test_without_references_the_answered_message_decides_even_in_a_later_run(
    imap: FakeImap,
) -> None:
    imap.put(mail(message_id="a@x"))
    imap.put(mail(message_id="b@x", References="<a@x>"))
    _, cursor = run(make(imap.port))
    imap.put(mail(message_id="c@x", In_Reply_To="<b@x>"))
    imap.put(mail(message_id="d@x", In_Reply_To="<c@x>"))
    posts, _ = run(make(imap.port), cursor)
    assert conversations(posts) == ["a@x", "a@x"]


def test_a_message_without_an_id_is_its_own_thread(imap: FakeImap) -> None:
    imap.put(mail(message_id=None))
    imap.put(mail(message_id=None))
    posts, _ = run(make(imap.port))
    assert len(set(conversations(posts))) == 2
    assert all(post.channel_ref["message_id"] == "" for post in posts)


def test_our_own_addresses_are_outbound(imap: FakeImap) -> None:
    imap.put(mail(sender="Acme <SUPPORT@acme.test>"))
    imap.put(mail(sender="hilfe@acme.test"))
    imap.put(mail(sender="bob@customers.test"))
    posts, _ = run(make(imap.port, aliases=["Hilfe@acme.test"]))
    assert [post.direction for post in posts] == ["outbound", "outbound", "inbound"]


def test_the_answer_goes_where_reply_to_says(imap: FakeImap) -> None:
    imap.put(mail(sender="form@acme-shop.test", Reply_To="Ann <ann@customers.test>"))
    ((post,), _) = run(make(imap.port))
    assert post.channel_ref["from"] == "ann@customers.test"


def test_bounces_and_automatic_answers_are_left_out_and_counted(imap: FakeImap) -> None:
    imap.put(mail(sender="MAILER-DAEMON@mx.test"))
    imap.put(mail(Auto_Submitted="auto-replied (vacation)"))
    imap.put(mail(Precedence="bulk"))
    imap.put(mail("a person", Auto_Submitted="no"))
    with capture_logs() as logs:
        posts, cursor = run(make(imap.port))
    assert [post.text for post in posts] == ["a person"]
    assert cursor is not None
    assert cursor["ignored"] == {"bounce": 1, "auto_reply": 1, "bulk": 1}
    assert [line["reason"] for line in logs] == ["bounce", "auto_reply", "bulk"]
    assert "customers.test" not in str(logs)
    imap.put(mail(Precedence="junk"))
    _, cursor = run(make(imap.port), cursor)
    assert cursor is not None
    assert cursor["ignored"]["bulk"] == 2


def test_staff_are_told_what_was_left_out_and_of_a_renumbering(imap: FakeImap) -> None:
    imap.put(mail())
    imap.put(mail(Precedence="bulk"))
    first = list(make(imap.port).fetch(None))
    assert [batch.message for batch in first] == [
        "Automatic messages left out (bounces, absences, bulk mail): 1."
    ]
    imap.renumber()
    second = list(make(imap.port).fetch(stored_cursor(first[-1].cursor)))
    assert [batch.posts for batch in second] == [[]]
    assert str(second[0].message).startswith("The mail server has renumbered this folder")
    third = list(make(imap.port).fetch(stored_cursor(second[-1].cursor)))
    assert [batch.message for batch in third] == [None]


def test_a_renumbered_folder_doubles_nothing_and_keeps_threads(imap: FakeImap) -> None:
    for number in range(5):
        imap.put(mail(message_id=f"{number}@x"))
    first, cursor = run(make(imap.port))
    assert len(first) == 5
    del imap.messages[1]
    imap.put(mail("new, before the change was seen", message_id="5@x", References="<0@x>"))
    imap.renumber()
    posts, cursor = run(make(imap.port), cursor)
    (post,) = posts
    assert post.text == "new, before the change was seen"
    assert (post.namespace, post.external_id) == (first[0].namespace, "1700000007:5")
    assert post.conversation == first[0].conversation
    imap.put(mail("new, after it", message_id="6@x"))
    posts, cursor = run(make(imap.port), cursor)
    assert [post.external_id for post in posts] == ["1700000007:6"]
    again, _ = run(make(imap.port), cursor)
    assert again == []


def stored(store: Store) -> list[tuple[str, int]]:
    with store.read() as session:
        rows = session.execute(
            select(Mention.external_id, Mention.conversation_id).order_by(Mention.id)
        )
        return [(external_id, conversation) for external_id, conversation in rows]


def test_in_the_store_a_thread_stays_one_through_our_answer_and_a_renumbering(
    imap: FakeImap, store: Store
) -> None:
    with store.write() as session:
        brand = a_brand(session)
    imap.put(mail("it leaks", message_id="a@x"))
    posts, cursor = run(make(imap.port))
    ours = Post(
        platform="email",
        namespace=posts[0].namespace,
        external_id="ours@acme.test",
        text="Which model?",
        posted_at=START,
        conversation="a@x",
        direction="outbound",
    )
    with store.write() as session:
        take_in(session, [*posts, ours], brand)
    # A program that names our answer and nothing above it.
    imap.put(mail("the blue one", message_id="c@x", In_Reply_To="<ours@acme.test>"))
    imap.renumber()
    imap.put(mail("since Monday", message_id="d@x", References="<a@x> <ours@acme.test> <c@x>"))
    imap.put(mail("something else", message_id="e@y"))
    posts, _ = run(make(imap.port), cursor)
    with store.write() as session:
        assert take_in(session, posts, brand).added == 3
    with store.write() as session:
        assert take_in(session, posts, brand).added == 0
    names = [name for name, _ in stored(store)]
    assert names == ["1", "ours@acme.test", "1700000007:2", "1700000007:3", "1700000007:4"]
    threads = [conversation for _, conversation in stored(store)]
    assert len(set(threads[:4])) == 1
    assert threads[4] != threads[0]


def test_another_folder_starts_anew_under_its_own_name(imap: FakeImap) -> None:
    imap.put(mail())
    _, cursor = run(make(imap.port))
    imap.folder = "Kunden"
    posts, _ = run(make(imap.port, folder="Kunden"), cursor)
    assert [post.namespace for post in posts] == [f"{USER}/Kunden;1700000000"]


def test_a_long_folder_name_still_fits_the_store(imap: FakeImap) -> None:
    names = ["x" * 99 + end for end in "ab"]
    spaces = set()
    for name in names:
        imap.folder = name
        imap.put(mail())
        address = "y" * 150 + "@acme.test"
        listener = make(imap.port, folder=name, address=address, username=USER)
        posts, cursor = run(listener)
        spaces.add(posts[0].namespace)
        assert run(listener, cursor)[0] == []
    assert len(spaces) == 2
    assert all(len(space) <= 200 for space in spaces)


def test_a_process_that_dies_while_reading_a_renumbered_folder_doubles_nothing(
    imap: FakeImap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_module, "PAGE", 2)
    for number in range(7):
        imap.put(mail(message_id=f"{number}@x"))
    _, cursor = run(make(imap.port))
    imap.renumber()
    imap.put(mail("new", message_id="new@x"))
    found: list[Post] = []
    for _ in range(6):  # one batch in each life
        runs = make(imap.port).fetch(stored_cursor(cursor))
        batch = next(runs)
        found += batch.posts
        cursor = batch.cursor
        runs.close()  # type: ignore[attr-defined]
    assert [post.text for post in found] == ["new"]


def test_old_mail_beyond_memory_is_not_read_again_after_a_renumbering(
    imap: FakeImap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_module, "REMEMBERED", 4)
    for number in range(12):
        imap.put(mail(message_id=f"{number}@x"))
    _, cursor = run(make(imap.port))
    assert cursor is not None
    assert len(cursor["remembered"]) == 4
    imap.renumber()
    imap.put(mail("new", message_id="new@x"))
    posts, _ = run(make(imap.port), cursor)
    assert [post.text for post in posts] == ["new"]


def test_the_same_message_id_twice_is_two_messages(imap: FakeImap) -> None:
    imap.put(mail("one"))
    imap.put(mail("two"))
    posts, _ = run(make(imap.port))
    assert [post.text for post in posts] == ["one", "two"]
    assert conversations(posts) == ["1@customers.test"] * 2


def test_a_huge_message_is_cut_and_says_so(imap: FakeImap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email_module, "LARGEST", 5_000)
    imap.put(mail("word " * 20_000))
    ((post,), _) = run(make(imap.port))
    assert 4_000 < len(post.text) <= 5_000
    assert post.channel_ref["cut_after_bytes"] == 5_000


def test_large_messages_are_fetched_few_at_a_time(
    imap: FakeImap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_module, "PAGE_BYTES", 10_000)
    for _ in range(6):
        imap.put(mail("word " * 800))
    batches = list(make(imap.port).fetch(None))
    assert [len(batch.posts) for batch in batches] == [2, 2, 2]


def test_attachments_are_named_and_not_kept(imap: FakeImap) -> None:
    message = EmailMessage()
    message["From"] = "bob@customers.test"
    message["Message-ID"] = "<1@x>"
    message.set_content("See the photo")
    message.add_attachment(
        b"\x89PNG" + bytes(996), maintype="image", subtype="png", filename="../Käse 退款.png"
    )
    imap.put(message.as_bytes())
    ((post,), _) = run(make(imap.port))
    assert post.text == "See the photo"
    assert post.channel_ref["attachments"] == [
        {"name": "Käse 退款.png", "size": 1000, "type": "image/png"}
    ]


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        ("NO [AUTHENTICATIONFAILED] no", True),
        ("NO [EXPIRED] no", True),
        ("NO go away", True),
        ("NO [UNAVAILABLE] try later", False),
        ("NO [LIMIT] too many connections", False),
        ("BAD what", False),
    ],
)
def test_only_a_real_refusal_pauses_the_source(
    imap: FakeImap, answer: str, permanent: bool
) -> None:
    imap.login_answer = answer
    with pytest.raises(ListenerError) as caught:
        run(make(imap.port))
    assert caught.value.permanent is permanent


def test_a_missing_folder_pauses_the_source(imap: FakeImap) -> None:
    with pytest.raises(ListenerError, match="no such folder") as caught:
        run(make(imap.port, folder="Kundendienst"))
    assert caught.value.permanent


@pytest.mark.parametrize("command", ["LOGIN", "EXAMINE", "UID SEARCH", "UID FETCH"])
def test_a_broken_connection_is_tried_again_and_loses_nothing(imap: FakeImap, command: str) -> None:
    imap.put(mail())
    imap.drop_at = command
    with pytest.raises(ListenerError) as caught:
        run(make(imap.port))
    assert not caught.value.permanent
    imap.drop_at = ""
    posts, _ = run(make(imap.port))
    assert [post.text for post in posts] == ["hello"]


def test_a_slow_server_is_given_up(imap: FakeImap) -> None:
    imap.slow_at = "UID SEARCH"
    listener = make(imap.port)
    listener._timeout = 0.2
    with pytest.raises(ListenerError) as caught:
        run(listener)
    assert not caught.value.permanent


def test_a_connection_that_breaks_between_pages_keeps_what_was_read(
    imap: FakeImap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_module, "PAGE", 2)
    for number in range(4):
        imap.put(mail(f"number {number}", message_id=f"{number}@x"))
    cursor: Cursor | None = None
    read: list[str] = []
    with pytest.raises(ListenerError):
        for batch in make(imap.port).fetch(None):
            read += [post.text for post in batch.posts]
            cursor = batch.cursor
            imap.drop_at = "UID FETCH"
    imap.drop_at = ""
    posts, _ = run(make(imap.port), cursor)
    assert read == ["number 0", "number 1"]
    assert [post.text for post in posts] == ["number 2", "number 3"]


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [
        ("Mon, 02 Mar 2026 06:00:00 +0000", True),
        ("Sat, 02 Mar 2030 06:00:00 +0000", False),
        ("Thu, 01 Jan 1970 00:00:00 +0000", False),
        ("gestern", False),
    ],
)
def test_a_date_that_cannot_be_is_replaced_by_the_servers(
    imap: FakeImap, claimed: str, kept: bool
) -> None:
    received = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    imap.put(mail().replace(b"To:", f"Date: {claimed}\nTo:".encode(), 1), received)
    ((post,), _) = run(make(imap.port))
    assert post.posted_at == (received - timedelta(hours=2) if kept else received)


IMAP = {"host": "mail.acme.test"}


@pytest.mark.parametrize(
    ("config", "secrets", "complaint"),
    [
        ({"imap": IMAP}, {"password": "x"}, "address: field required"),
        ({"address": "support", "imap": IMAP}, {"password": "x"}, "address: give one e-mail"),
        ({"address": "a@b.c"}, {"password": "x"}, "no incoming server. imap: field required"),
        ({"address": "a@b.c", "imap": {}}, {"password": "x"}, "imap.host: field required"),
        ({"address": "a@b.c", "imap": {**IMAP, "port": 0}}, {"password": "x"}, "imap.port: "),
        (
            {"address": "a@b.c", "imap": {**IMAP, "security": "none"}},
            {"password": "x"},
            "choose tls or starttls",
        ),
        (
            {"address": "a@b.c", "imap": {**IMAP, "ca_file": "/nowhere.pem"}},
            {"password": "x"},
            "imap.ca_file: there is no such file",
        ),
        ({"address": "a@b.c", "imap": IMAP, "ports": 1}, {"password": "x"}, "ports: extra"),
        ({"address": "a@b.c", "imap": IMAP}, {}, "password: field required"),
    ],
)
def test_a_wrong_setting_is_named(
    config: dict[str, Any], secrets: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ListenerError) as caught:
        EmailListener.from_config(config, secrets, SetClock(START))
    assert complaint in str(caught.value)
    assert caught.value.permanent


def test_a_certificate_file_that_is_none_is_said_so(tmp_path: Path, imap: FakeImap) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    listener = make(
        imap.port,
        imap={
            "host": "127.0.0.1",
            "port": imap.port,
            "security": "starttls",
            "ca_file": str(tmp_path / "ca.pem"),
        },
    )
    with pytest.raises(ListenerError, match="ca_file") as caught:
        run(listener)
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("given", "security"),
    [
        ({}, "tls"),
        ({"port": 993}, "tls"),
        ({"port": 465}, "tls"),
        ({"port": 143}, "starttls"),
        ({"port": 587}, "starttls"),
        ({"port": 587, "security": "tls"}, "tls"),
        ({"port": 993, "security": "starttls"}, "starttls"),
    ],
)
def test_the_port_decides_how_the_connection_is_protected(
    given: dict[str, Any], security: str
) -> None:
    assert MailEndpoint.model_validate({"host": "mail.acme.test", **given}).security == security
