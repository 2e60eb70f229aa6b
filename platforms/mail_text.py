"""Charsets, HTML and quoted history of e-mail, turned into plain text that people read."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header
from html import unescape
from html.parser import HTMLParser

import nh3
from charset_normalizer import from_bytes

LONGEST_HTML = 300_000  # characters
DEEPEST_HTML = 400

# Labels that in practice mean a larger set: https://encoding.spec.whatwg.org/#names-and-labels
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "euc-cn": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-9": "cp1254",
}
_NO_CHARSET = {"", "us-ascii", "ascii", "unknown-8bit", "default", "x-unknown", "8bit", "binary"}


def decode_text(data: bytes, charset: str | None) -> str:
    """Text from bytes, trusting the stated charset as far as it fits. Never raises."""
    label = (charset or "").strip().strip("\"'").lower()
    if label not in _NO_CHARSET:
        try:
            return _clean(data.decode(_WIDER.get(label, label)))
        except (LookupError, ValueError):
            pass
    try:
        return _clean(data.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    guess = from_bytes(data[:20_000]).best()
    try:
        return _clean(data.decode(guess.encoding if guess else "cp1252", "replace"))
    except LookupError:
        return _clean(data.decode("latin-1"))


def decode_header_text(raw: str) -> str:
    """A header's text on one line: folded lines joined, encoded words (RFC 2047) decoded."""
    line = re.sub(r"\r?\n[ \t]*|\r", " ", raw)
    if not line.isascii():  # raw bytes, which the parser keeps as surrogates
        line = decode_text(line.encode("utf-8", "surrogateescape"), None)
    try:
        pieces = decode_header(line)
    except (HeaderParseError, ValueError):
        pieces = [(line, None)]
    text = "".join(
        piece if isinstance(piece, str) else decode_text(piece, charset)
        for piece, charset in pieces
    )
    return " ".join((text or line).split())


def _clean(text: str) -> str:
    """Without what no database takes and no reader sees: control characters, lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)
    return text.encode("utf-8", "replace").decode()


_KEPT_TAGS = {
    "p", "br", "div", "span", "a", "b", "i", "u", "em", "strong", "ul", "ol", "li", "table", "tr",
    "td", "th", "blockquote", "pre", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article",
}  # fmt: skip
_DROPPED_TAGS = {
    "script", "style", "title", "head", "template", "noscript", "iframe", "object", "svg", "math",
}  # fmt: skip
_ENDING_BY_THEMSELVES = {
    "area", "base", "br", "col", "dd", "dt", "hr", "img", "input", "li", "link", "meta", "option",
    "p", "tbody", "td", "th", "tr", "wbr",
}  # fmt: skip
_BLOCKS = {
    "p", "div", "ul", "ol", "li", "table", "tr", "blockquote", "pre", "hr", "section", "article",
    "h1", "h2", "h3", "h4", "h5", "h6",
}  # fmt: skip
_PARAGRAPHS = {"p", "blockquote", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"}
_QUOTE_CLASSES = {
    "gmail_quote",
    "gmail_attr",
    "yahoo_quoted",
    "moz-cite-prefix",
    "protonmail_quote",
}
_QUOTE_FROM_HERE = {"divrplyfwdmsg", "appendonsend", "mail-editor-reference-message-container"}


def html_to_text(html: str) -> tuple[str, str]:
    """The readable text of an HTML mail, and apart from it what the mail quotes.

    nh3 drops scripts, styles and everything unknown first, and repairs the nesting. Its time grows
    with length times depth, so that what no mail program writes is only freed of its tags.
    """
    html = html[:LONGEST_HTML]
    if _depth(html) > DEEPEST_HTML:
        return tidy(re.sub(r"\s+", " ", unescape(re.sub(r"<[^<>]*>", " ", html)))), ""
    safe = nh3.clean(
        html,
        tags=_KEPT_TAGS,
        clean_content_tags=_DROPPED_TAGS,
        attributes={"*": {"class", "id"}},
        link_rel=None,
    )
    reader = _Reader()
    reader.feed(safe)
    reader.close()
    return reader.text(), reader.quoted()


def _depth(html: str) -> int:
    """The deepest nesting of elements that do not end by themselves."""
    depth = deepest = 0
    for found in re.finditer(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)", html):
        if found[2].lower() not in _ENDING_BY_THEMSELVES:
            depth = max(0, depth - 1) if found[1] else depth + 1
            deepest = max(deepest, depth)
    return deepest


class _Reader(HTMLParser):
    """Collects text in two piles, the writer's own and the quoted."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._own: list[str] = []
        self._quoted: list[str] = []
        self._open: list[tuple[str, bool]] = []  # tag, whether it opened a quotation
        self._quotes = 0
        self._only_quotes_follow = False
        self._verbatim = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: (value or "").lower() for name, value in attrs}
        if given.get("id") in _QUOTE_FROM_HERE:
            self._only_quotes_follow = True
        quotes = tag == "blockquote" or bool(_QUOTE_CLASSES & set(given.get("class", "").split()))
        if tag not in ("br", "hr"):
            self._open.append((tag, quotes))
            self._quotes += quotes
            self._verbatim += tag == "pre"
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self._break(tag)
        while self._open:
            opened, quotes = self._open.pop()
            self._quotes -= quotes
            self._verbatim -= opened == "pre"
            if opened == tag:
                break

    def handle_data(self, data: str) -> None:
        self._pile().append(data if self._verbatim else re.sub(r"\s+", " ", data))

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS:  # in both: the text before and after a quotation are two lines
            self._own.append("\n\n" if tag in _PARAGRAPHS else "\n")
            self._quoted.append("\n")
        elif tag == "br":
            self._pile().append("\n")
        elif tag in ("td", "th"):
            self._pile().append(" ")

    def _pile(self) -> list[str]:
        return self._quoted if self._quotes or self._only_quotes_follow else self._own

    def text(self) -> str:
        return tidy(re.sub(r" {2,}", " ", "".join(self._own)))

    def quoted(self) -> str:
        return tidy("".join(self._quoted))


def tidy(text: str) -> str:
    """Spaces at line ends and runs of blank lines removed."""
    lines = [re.sub(r"[ \t\xa0\u200b\u200c\u200d]+$", "", line) for line in text.split("\n")]
    text = "\n".join(line.lstrip(" ") if not line.strip() else line for line in lines)
    text = re.sub(r"\n[ \t\xa0]+", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


_MARKED = re.compile(
    r"^\s*[-_*]{2,}\s*(original message|original appointment|forwarded message|ursprüngliche "
    r"nachricht|weitergeleitete nachricht|message d'origine|message transféré|mensaje original|"
    r"messaggio originale|oorspronkelijk bericht|原始邮件|原邮件|原始郵件|原始信件|回复的原邮件|"
    r"转发邮件|元のメッセージ)\s*[-_*]{2,}\s*$",
    re.IGNORECASE,
)
_WROTE = re.compile(
    r"^.{0,300}?(\bwrote\b|\bschrieb\b|\ba écrit\b|\bescribió\b|\bha scritto\b|\bschreef\b|"
    r"\bescreveu\b|\bskrev\b|写道|寫道|のメール|님이 작성)[^:：]{0,80}[:：]\s*$",
    re.IGNORECASE,
)
_BEGINS_WROTE = re.compile(r"^\s*((on|am|le|el|il|op|em|den|dne)\b|在|于|於)", re.IGNORECASE)
_FROM = re.compile(
    r"^\s*\*?(from|von|de|da|van|发件人|寄件者|寄件人|差出人)\s*[:：]", re.IGNORECASE
)
_SENT = re.compile(
    r"^\s*\*?(sent|date|gesendet|datum|envoyé|enviado|fecha|inviato|verzonden|发送时间|发件时间|"
    r"日期|傳送時間|送信日時)\s*[:：]",
    re.IGNORECASE,
)


def split_quoted(text: str) -> tuple[str, str]:
    """What the writer says, and the history below it that mail programs add.

    Answers written between the quoted lines stay as they are, since they mean nothing without
    them; and when nothing would be left, everything counts as said.
    """
    lines = text.split("\n")
    cut = _history_begins(lines)
    while cut > 0 and not lines[cut - 1].strip():
        cut -= 1
    fresh, quoted = tidy("\n".join(lines[:cut])), tidy("\n".join(lines[cut:]))
    return (fresh, quoted) if fresh else (tidy(text), "")


def _history_begins(lines: list[str]) -> int:
    for index, line in enumerate(lines):
        if len(line) > 400:
            continue
        if _MARKED.match(line):
            return index
        if _FROM.match(line) and any(
            _SENT.match(nearby) for nearby in lines[index + 1 : index + 4]
        ):
            return index - 1 if index and re.fullmatch(r"\s*_{5,}\s*", lines[index - 1]) else index
        length = _attribution(lines, index)
        if length and not _answers_between(lines[index + length :]):
            return index
    return _trailing_quotes(lines)


def _attribution(lines: list[str], index: int) -> int:
    """How many lines "On … wrote:" takes here, 0 when there is none."""
    if _WROTE.match(lines[index]) and _names_somebody(lines[index]):
        return 1
    if not _BEGINS_WROTE.match(lines[index]):
        return 0
    for length in (2, 3):
        joined = " ".join(line.strip() for line in lines[index : index + length])
        if len(joined) <= 400 and _WROTE.match(joined) and _names_somebody(joined):
            return length
    return 0


def _names_somebody(line: str) -> bool:
    return bool(re.search(r"[@\d]", line))


def _answers_between(below: list[str]) -> bool:
    """Whether somebody wrote between quoted lines, rather than above all of them."""
    quoted = False
    for line in below:
        if line.lstrip().startswith(">"):
            quoted = True
        elif quoted and line.strip():
            return True
    return False


def _trailing_quotes(lines: list[str]) -> int:
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(">")):
        end -= 1
    return end
