"""Reading messages as they really come: quotations, charsets, automatic mail, hostile bytes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platforms.mail_message import Attachment, read_mail
from platforms.mail_text import decode_header_text, decode_text, html_to_text, split_quoted


def raw(body: str = "hello", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, "", body])).encode()


# Quoted history

ANSWER = "Es geht wieder, danke!"


@pytest.mark.parametrize(
    "history",
    [
        "On Mon, 2 Mar 2026 at 09:30, Acme <a@acme.test> wrote:\n> Which model?\n> The blue one?",
        "On Mon, 2 Mar 2026 at 09:30, Acme Support\n<support@acme.test> wrote:\n\n> Which model?",
        "Am 02.03.2026 um 09:30 schrieb Acme Süd:\n> Welches Modell?",
        "Am Mo., 2. März 2026 um 09:30 Uhr schrieb Acme <\na@acme.test>:\n\n> Welches Modell?",
        "Le lun. 2 mars 2026 à 09:30, Acme <a@acme.test> a écrit :\n> Quel modèle ?",
        "El lun, 2 mar 2026 a las 9:30, Acme (<a@acme.test>) escribió:\n> ¿Qué modelo?",
        "在 2026年3月2日，09:30，Acme <a@acme.test> 写道：\n> 哪个型号？",
        "于 2026-03-02 09:30:00，Acme 寫道：\n哪個型號？",
        "-----Original Message-----\nFrom: Acme\nSent: Monday\nTo: Bob\nSubject: x\n\nWhich model?",
        "-------- Weitergeleitete Nachricht --------\nBetreff: x\nVon: Acme\n\nWelches Modell?",
        "------------------ 原始邮件 ------------------\n发件人: Acme\n\n哪个型号？",
        "____________________\nFrom: Acme\nSent: Monday, 2 March 2026\nTo: Bob\n\nWhich?",
        "Von: Acme\nGesendet: Montag, 2. März 2026 09:30\nAn: Bob\nBetreff: x\n\nWelches?",
        "发件人: Acme\n发送时间: 2026年3月2日\n收件人: Bob\n主题: x\n\n哪个型号？",
        "> Which model?\n> The blue one?",
    ],
)
def test_the_history_below_an_answer_is_set_apart(history: str) -> None:
    said, quoted = split_quoted(f"{ANSWER}\n\n{history}\n")
    assert said == ANSWER
    assert quoted == history


def test_answers_between_quoted_lines_stay_with_what_they_answer() -> None:
    text = (
        "On Mon, 2 Mar 2026, Acme wrote:\n> Which model?\nThe blue one.\n> Since when?\nMonday.\n"
        "> Regards"
    )
    said, quoted = split_quoted(text)
    assert said.endswith("> Which model?\nThe blue one.\n> Since when?\nMonday.")
    assert quoted == "> Regards"


def test_a_message_that_is_nothing_but_quotation_keeps_it() -> None:
    text = "On Mon, 2 Mar 2026, Acme wrote:\n> Which model?"
    assert split_quoted(text) == (text, "")


@pytest.mark.parametrize(
    "text",
    [
        "I wrote: it leaks",
        "My neighbour wrote me that it leaks:\nSo does mine",
        "From: the bottom of my heart\nthank you",
        "On Monday it broke.\nWhat I need:\n- a new one",
        "Von: wem auch immer, ich brauche Hilfe",
        "在家里坏了，请帮忙：",
    ],
)
def test_ordinary_sentences_are_not_taken_for_history(text: str) -> None:
    assert split_quoted(text) == (text, "")


def test_a_long_message_is_split_in_no_time() -> None:
    text = "\n".join(["on " + "a " * 190, "am " + "wrote " * 60, "> " * 200] * 3000)
    began = time.process_time()
    split_quoted(text)
    assert time.process_time() - began < 20  # a quadratic pattern takes minutes


# HTML


@pytest.mark.parametrize(
    ("html", "text", "quoted"),
    [
        ("<p>One</p><p>Two<br>Three</p>", "One\n\nTwo\nThree", ""),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb", ""),
        ("<table><tr><td>Order</td><td>7</td></tr></table>", "Order 7", ""),
        ("a<script>evil()</script>b<style>p{}</style>", "ab", ""),
        ("x &lt;b&gt; &amp;amp; &#20320;", "x <b> &amp; 你", ""),
        ("<pre>a\n  b</pre>", "a\nb", ""),
        ("hi<blockquote>old</blockquote>", "hi", "old"),
        ('hi<div class="gmail_quote">old</div>bye', "hi\n\nbye", "old"),
        ('hi<div id="divRplyFwdMsg">From: x</div><div>old</div>', "hi", "From: x\n\nold"),
        (
            'hi<div class="moz-cite-prefix">Am …</div><blockquote>old</blockquote>',
            "hi",
            "Am …\n\nold",
        ),
        ("<div>unclosed <b>tags <p>everywhere", "unclosed tags\n\neverywhere", ""),
        ("<!-- comment --><![CDATA[x]]>y", "y", ""),
        ("", "", ""),
    ],
)
def test_html_becomes_what_a_reader_sees(html: str, text: str, quoted: str) -> None:
    own, old = html_to_text(html)
    assert own == text
    assert old.replace("\n\n", "\n") == quoted.replace("\n\n", "\n")


def test_plain_text_is_preferred_and_html_stands_in_for_an_empty_one() -> None:
    both = EmailMessage()
    both.set_content("The plain text of this message")
    both.add_alternative("<p>The <b>html</b> text of this message</p>", subtype="html")
    assert read_mail(both.as_bytes()).text == "The plain text of this message"
    empty = EmailMessage()
    empty.set_content("\n")
    empty.add_alternative("<p>The <b>html</b> text</p>", subtype="html")
    assert read_mail(empty.as_bytes()).text == "The html text"


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 50_000 + "deep" + "</div>" * 50_000,
        "deep" + "<" * 300_000,
        "deep" + "<b><i>" * 50_000,
        "deep" + "<p><b>" * 40_000,
        ("<div>" * 399 + "</div>" * 399) * 60 + "deep",
        "deep" + "<script>" * 40_000,
        "deep" + "&amp" * 70_000,
    ],
    ids=["nested", "brackets", "formats", "open formats", "waves", "scripts", "entities"],
)
def test_html_made_to_keep_us_busy_does_not(html: str) -> None:
    began = time.process_time()
    own, _ = html_to_text(html)
    assert "deep" in own
    assert time.process_time() - began < 10  # without the limits: minutes


# Charsets


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("Grüße – 5 €".encode("cp1252"), "iso-8859-1", "Grüße – 5 €"),
        ("退款镕".encode("gb18030"), "GB2312", "退款镕"),
        ("退款".encode("gb18030"), "x-gbk", "退款"),
        ("退款".encode("big5"), "Big5", "退款"),
        ("한국어".encode("cp949"), "ks_c_5601-1987", "한국어"),
        ("日本語".encode("iso-2022-jp"), "iso-2022-jp", "日本語"),
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Grüße".encode(), None, "Grüße"),
        ("Grüße".encode(), "utf-9", "Grüße"),
        (b"a\x00b\x1bc\r\nd", "utf-8", "abc\nd"),
        (b"", "utf-8", ""),
    ],
)
def test_bytes_become_text(data: bytes, charset: str | None, text: str) -> None:
    assert decode_text(data, charset) == text


def test_bytes_that_fit_no_charset_still_become_text() -> None:
    text = decode_text("Der Kessel läuft über, größere Schäden".encode("latin-1"), "utf-8")
    assert text == "Der Kessel läuft über, größere Schäden"


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?gb2312?B?zcu/7g==?=", "退款"),
        # One character cut in two by the folding, as some programs do.
        ("=?utf-8?B?6YDo?=\r\n =?utf-8?B?j5Q=?=", decode_text(b"\xe9\x80\xe8\x8f\x94", "utf-8")),
        ("plain\r\n folded", "plain folded"),
        ("=?x-unknown?q?abc?=", "abc"),
        ("=?utf-8?b?!!!?=", "=?utf-8?b?!!!?="),
        ("=?utf-8?q?x=0D=0ABcc=3A_y?=", "x Bcc: y"),
    ],
)
def test_headers_become_one_line_of_text(header: str, text: str) -> None:
    assert decode_header_text(header) == text


def test_raw_bytes_in_headers_are_read() -> None:
    found = read_mail("Subject: Grüße 退款\r\nFrom: Jürgen <j@x.test>\r\n\r\nhi".encode())
    assert found.subject == "Grüße 退款"
    assert (found.sender_name, found.sender) == ("Jürgen", "j@x.test")


# Who and which thread


def test_ids_addresses_and_date_are_read() -> None:
    found = read_mail(
        raw(
            Message_ID="<c@x.test> (comment)",
            References="<a@x.test>\r\n\t<b@x.test>\r\n <a@x.test>",
            In_Reply_To="Your message of Monday <b@x.test>",
            From='"Müller, Bob" <BOB@X.test>, eve@x.test',
            Reply_To="desk@x.test",
            Date="Mon, 02 Mar 2026 10:00:00 +0100",
        )
    )
    assert found.message_id == "c@x.test"
    assert found.references == ("a@x.test", "b@x.test")
    assert found.in_reply_to == "b@x.test"
    assert (found.sender_name, found.sender) == ("Müller, Bob", "bob@x.test")
    assert found.reply_to == "desk@x.test"
    assert found.date == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "header",
    ["", "nobody", "<>", "a@b>\r\n Bcc: <c@d", "undisclosed-recipients:;", "x@y@z <a b@c>", "@"],
)
def test_a_sender_that_is_none_is_empty_or_safe(header: str) -> None:
    sender = read_mail(raw(From=header)).sender
    assert not set(sender) & set("\r\n<> ,;:")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Auto_Submitted": "auto-replied"}, "auto_reply"),
        ({"Auto_Submitted": "auto-generated; owner=x"}, "auto_reply"),
        ({"Auto_Submitted": "no"}, None),
        ({"X_Autoreply": "yes"}, "auto_reply"),
        ({"Precedence": "auto_reply"}, "auto_reply"),
        ({"Precedence": "Bulk"}, "bulk"),
        ({"Precedence": "list"}, "bulk"),
        ({"Precedence": "first-class"}, None),
        ({"From": "MAILER-DAEMON@mx.test"}, "bounce"),
        ({"From": "postmaster@mx.test"}, "bounce"),
        ({"Return_Path": "<>"}, "bounce"),
        ({"Return_Path": "<>", "Auto_Submitted": "auto-replied"}, "auto_reply"),
        ({"X_Failed_Recipients": "a@b.test"}, "bounce"),
        ({"Content_Type": "multipart/report; boundary=x"}, "bounce"),
        # A contact form: a program sends what a person wrote.
        (
            {"From": "form@acme.test", "Auto_Submitted": "auto-generated", "Reply_To": "a@b.test"},
            None,
        ),
        ({}, None),
    ],
)
def test_what_no_person_wrote_is_recognised(headers: dict[str, str], reason: str | None) -> None:
    assert read_mail(raw(**{"From": "bob@x.test", **headers})).automatic == reason


def test_attachments_are_listed_with_safe_names_and_without_content() -> None:
    message = EmailMessage()
    message.set_content("see below")
    message.add_attachment(
        b"1234", maintype="image", subtype="png", filename="../../etc/passwd.png"
    )
    message.add_attachment("text file", filename="C:\\notes.txt")
    message.add_attachment(EmailMessage())
    found = read_mail(message.as_bytes())
    assert found.text == "see below"
    assert found.attachments[0] == Attachment("passwd.png", 4, "image/png")
    assert found.attachments[1].name == "notes.txt"
    assert found.attachments[2].kind == "message/rfc822"
    assert len(found.attachments) == 3


# Hostile bytes


def nested(depth: int) -> bytes:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
        for level in range(depth)
    )
    return b"Subject: bomb\r\nFrom: eve@x.test\r\n" + head + b"\r\ndeep\r\n"


@pytest.mark.parametrize("depth", [5, 90, 3000])
def test_nested_parts_do_not_break_reading(depth: int) -> None:
    found = read_mail(nested(depth))
    assert (found.subject, found.sender) == ("bomb", "eve@x.test")


def test_many_parts_are_not_all_opened() -> None:
    parts = b"".join(b"--x\r\nContent-Type: text/plain\r\n\r\nword\r\n" for _ in range(5000))
    found = read_mail(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + parts + b"--x--\r\n")
    assert found.text.count("word") == 200


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\r\n\r\n",
        b"no headers at all",
        b"Subject\r\n\r\nx",
        b"Content-Type: text/plain; charset*=''%FF\r\n\r\nx",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!!not base64",
        b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 666 x\r\n",
        b"Date: Mon, 99 Foo 99999 99:99:99 +9999\r\n\r\nx",
        b"From: =?utf-8?q?" + b"=" * 5000 + b"?=\r\n\r\nx",
        b"Content-Disposition: attachment; filename*0*=x; filename*2*=y\r\n\r\nx",
        b"References: " + b"<a@b>" * 20_000 + b"\r\n\r\nx",
    ],
)
def test_malformed_messages_are_read_as_far_as_possible(message: bytes) -> None:
    found = read_mail(message)
    assert "\x00" not in found.text + found.subject
    assert all(len(one) <= 300 for one in found.references)


@settings(max_examples=80, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from(["Subject", "From", "Content-Type", "References", "Date"]),
)
def test_no_bytes_make_reading_fail(data: bytes, name: str) -> None:
    found = read_mail(name.encode() + b": " + data + b"\r\n\r\n" + data)
    (found.text + found.subject + found.quoted + found.sender).encode("utf-8")
    assert "\x00" not in found.text + found.subject + found.sender_name


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_no_text_makes_splitting_or_html_fail(text: str) -> None:
    said, quoted = split_quoted(text)
    assert len(said) + len(quoted) <= len(text) + 2
    html_to_text(text)
