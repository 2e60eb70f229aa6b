"""Text from the internet, made harmless: for HTML, for Markdown labels, for spreadsheets.

Everything that did not come from our own catalogues goes through here before it is shown. Unicode
tricks are those of UTS #39 and UAX #9 (https://www.unicode.org/reports/tr9/): controls that turn
the direction of the text around them, and characters without width that hide or split words.
"""

from __future__ import annotations

import html
import re
import unicodedata
from urllib.parse import urlsplit

# Direction controls, invisible operators, fillers, tag characters, byte order mark, soft hyphen.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# Joiners have work to do in Persian, in Indic scripts and in emoji, none between Latin letters.
_IDLE_JOINERS = re.compile("(?<![^\x00-\u024f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\u024f])")
_MARKS_IN_A_ROW = 4
_URL = re.compile(r"https?://[^\s<>\"'`{}|\\^\u3000-\u303f\uff00-\uffef]+", re.IGNORECASE)
_TRAILING = ".,;:!?)]*_~"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&=/^\"'%;?,])")
_FORMULA_STARTS = tuple("=+-@\t\r\n|%＝＋－＠")


def plain(text: str) -> str:
    """The same words without characters that hide, reorder or pile up."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _IDLE_JOINERS.sub("", _INVISIBLE.sub("", _CONTROLS.sub("", text)))
    return _without_piles(text) if any(unicodedata.combining(letter) for letter in text) else text


def _without_piles(text: str) -> str:
    kept, run = [], 0
    for letter in text:
        run = run + 1 if unicodedata.combining(letter) else 0
        if run <= _MARKS_IN_A_ROW:
            kept.append(letter)
    return "".join(kept)


def one_line(text: str, limit: int = 140) -> str:
    """The beginning of a text on one line, for lists; ``limit`` characters at most."""
    line = " ".join(plain(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def escape(text: str) -> str:
    """For HTML text and quoted attributes."""
    return html.escape(plain(text), quote=True)


def to_html(text: str) -> str:
    """A post as HTML: escaped, its line breaks kept, its web addresses made into safe links."""
    text = plain(text)
    parts, done = [], 0
    for found in _URL.finditer(text):
        url = found.group().rstrip(_TRAILING)
        parts.append(html.escape(text[done : found.start()]))
        parts.append(link(url, None) if host_of(url) else html.escape(url))
        done = found.start() + len(url)
    parts.append(html.escape(text[done:]))
    return "".join(parts).replace("\n", "<br>")


def host_of(url: str) -> str | None:
    """The host an http(s) address leads to, in ASCII, so that look-alike letters show as xn--…"""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
        if parts.scheme.lower() not in {"http", "https"} or not host:
            return None
        return host.encode("idna").decode() if not host.isascii() else host
    except (ValueError, UnicodeError):
        return None


def link(url: str | None, label: str | None) -> str:
    """A link that opens apart and shows the host it leads to; only the label where it is no link.

    Only http and https make links. Without a label the address itself, shortened, is shown.
    """
    host = host_of(url) if url else None
    if url is None or host is None:
        return escape(label or "")
    shown = _short_address(url, host) if label is None else f"{label} ({host})"
    return (
        f'<a href="{escape(url.strip())}" target="_blank" rel="noopener noreferrer nofollow ugc" '
        f'title="{escape(host)}">{escape(shown)}</a>'
    )


def _short_address(url: str, host: str) -> str:
    rest = urlsplit(url).path + (f"?{urlsplit(url).query}" if urlsplit(url).query else "")
    rest = "" if rest == "/" else rest
    return host + (rest if len(rest) <= 40 else rest[:39] + "…")


def to_markdown(text: str) -> str:
    """For the few labels that Streamlit reads as Markdown: no markup, link, icon or colour in it.

    Streamlit finds ``:icon:`` names and bare addresses after Markdown escapes are gone, so a word
    joiner (which has no width) breaks them apart.
    """
    text = " ".join(plain(text).split())
    text = _MARKDOWN.sub(r"\\\1", text)
    text = text.replace(":", ":\u2060").replace("@", "@\u2060")
    return re.sub(r"(?i)\bwww\\\.", "www\u2060\\.", text)


def for_spreadsheet(value: object) -> object:
    """A cell that no spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.lstrip(" \u00a0\u3000").startswith(_FORMULA_STARTS) else text
