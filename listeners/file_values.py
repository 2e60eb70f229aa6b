"""Cells of imported files turned into values: texts, ids, times, directions, counts.

Each function raises BadCell with the reason that goes to the rejects.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

LONGEST_TEXT = 100_000
"""Characters of a text that are stored; the rest of a longer one is cut off."""

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

_EMPTY = {"", "nan", "none", "null", "n/a", "nat", "\\n", "<na>"}
_WHOLE = re.compile(r"\d+\.0")
_ROUNDED = re.compile(r"\d(\.\d+)?[eE]\+\d+")
_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmM万亿]?)")
_COMPACT = re.compile(r"(19|20)\d{12}")
_EPOCH = re.compile(r"\d{9,19}(\.\d+)?")
_SPACED_OFFSET = re.compile(r"\s+(?=[+-]\d{2}:?\d{2}$)")


class BadCell(ValueError):
    """A cell that says nothing usable; the text is the reason, for the rejects file."""


def words(value: Any) -> str:
    """A cell as text a database takes: no NUL, no lone surrogates, no blanks around it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = value if isinstance(value, str) else str(value)
    if "\0" in text:
        text = text.replace("\0", "")
    return text.encode("utf-8", "replace").decode("utf-8").strip()


def name(value: Any) -> str:
    """A cell that names something (id, author, brand); the ways to write "nothing" are empty.

    2926303.0, as programs write whole numbers of a column with gaps, is 2926303.
    """
    if value is None or value == "":
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = words(value)
    if len(text) <= 4 and text.casefold() in _EMPTY:
        return ""
    return text[:-2] if _WHOLE.fullmatch(text) else text


def identity(value: Any, what: str) -> str:
    """An id of at most 400 characters, or "" where there is none."""
    text = name(value)
    if not text:
        return ""
    if _ROUNDED.fullmatch(text):
        raise BadCell(f"{what}: {text} was rounded by a spreadsheet; export it as text")
    if isinstance(value, float) and abs(value) > 2**53:
        raise BadCell(f"{what}: {text} is too long for a number cell and was rounded; use text")
    if len(text) > 400:
        raise BadCell(f"{what}: longer than 400 characters")
    return text


def count(value: Any) -> int | None:
    """A number of likes and the like: 1234, "1,234", "1.2k", "3.4万"; None where it is none."""
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return max(value, 0)
    found = _COUNT.fullmatch(name(value).replace(",", ""))
    if not found:
        return None
    scale = {"k": 1e3, "m": 1e6, "万": 1e4, "亿": 1e8}.get(found[2].lower(), 1)
    return int(min(float(found[1]) * scale, 2**53))


_LANGUAGES = {
    "english": "en", "chinese": "zh", "中文": "zh", "英文": "en", "英语": "en", "汉语": "zh",
    "german": "de", "deutsch": "de", "french": "fr", "spanish": "es", "japanese": "ja",
    "日语": "ja", "法语": "fr", "德语": "de", "西班牙语": "es", "cn": "zh", "jp": "ja",
}  # fmt: skip


def language(value: Any) -> str:
    """A language as its ISO 639-1 code; ``und`` where it cannot be told."""
    text = name(value).casefold()
    if text in _LANGUAGES:
        return _LANGUAGES[text]
    code = re.fullmatch(r"([a-z]{2})([-_][a-z0-9-_]+)?", text)
    return code[1] if code else "und"


_PLATFORMS = {
    "twitter": "x", "x.com": "x", "推特": "x", "微博": "weibo", "新浪微博": "weibo",
    "微信": "wechat", "小红书": "xiaohongshu", "抖音": "douyin", "知乎": "zhihu",
    "哔哩哔哩": "bilibili", "b站": "bilibili", "快手": "kuaishou",
}  # fmt: skip


def platform(value: Any) -> str:
    """A platform as the name under which its posts are stored: ``x``, ``weibo``, ``reddit`` …"""
    text = re.sub(r"\s+", "_", words(value).casefold())
    text = _PLATFORMS.get(text, text)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,39}", text):
        raise BadCell(f"platform: {words(value)[:60]!r} is no platform's name")
    if text == "demo":
        raise BadCell("platform: demo is kept for the demonstration and for drills")
    return text


Direction = Literal["inbound", "outbound"]

_INBOUND = {
    "inbound", "in", "incoming", "received", "receive", "customer", "client", "user",
    "收", "收到", "接收", "客户", "用户", "来信", "进线",
}  # fmt: skip
_OUTBOUND = {
    "outbound", "out", "outgoing", "sent", "send", "agent", "company", "brand", "own", "us",
    "发", "发出", "发送", "客服", "官方", "品牌", "企业", "外呼",
}  # fmt: skip
_TRUE = {"true", "1", "yes", "y", "t", "是", "真"}
_FALSE = {"false", "0", "no", "n", "f", "否", "假"}
_MEANS_OUTBOUND = re.compile(r"outbound|own|brand|agent|company|response|sent|官方|客服|品牌")


def direction(value: Any, column: str) -> Direction:
    """inbound (from the public) or outbound (from an own account).

    Words say it themselves; yes and no mean what the column's name says (``inbound``,
    ``is_outbound``, ``from_brand``).
    """
    text = name(value).casefold()
    if text in _INBOUND:
        return "inbound"
    if text in _OUTBOUND:
        return "outbound"
    if text in _TRUE or text in _FALSE:
        yes_is_outbound = bool(_MEANS_OUTBOUND.search(column.casefold()))
        return "outbound" if (text in _TRUE) == yes_is_outbound else "inbound"
    if not text:
        raise BadCell("direction: empty")
    raise BadCell(f"direction: {text[:60]!r} is neither inbound nor outbound")


# Times

_SHAPES = (
    ("%a %b %d %H:%M:%S %z %Y", True),  # Tue Oct 31 22:10:47 +0000 2017
    ("%a %b %d %H:%M:%S %Y", False),
    ("%Y-%m-%d %H:%M:%S", False),
    ("%Y-%m-%d %H:%M", False),
    ("%Y-%m-%d", False),
    ("%Y/%m/%d %H:%M:%S", False),
    ("%Y/%m/%d %H:%M", False),
    ("%Y/%m/%d", False),
    ("%Y.%m.%d %H:%M:%S", False),
    ("%Y.%m.%d %H:%M", False),
    ("%Y.%m.%d", False),
    ("%Y年%m月%d日 %H:%M:%S", False),
    ("%Y年%m月%d日 %H:%M", False),
    ("%Y年%m月%d日%H:%M", False),
    ("%Y年%m月%d日", False),
    ("%B %d, %Y %H:%M:%S", False),
    ("%B %d, %Y %H:%M", False),
    ("%B %d, %Y %I:%M %p", False),
    ("%B %d, %Y", False),
    ("%b %d, %Y %I:%M %p", False),
    ("%b %d, %Y %I:%M:%S %p", False),
    ("%b %d, %Y %H:%M", False),
    ("%b %d, %Y", False),
    ("%d %B %Y %H:%M:%S", False),
    ("%d %B %Y %H:%M", False),
    ("%d %B %Y", False),
    ("%d %b %Y %H:%M:%S", False),
    ("%d %b %Y %H:%M", False),
    ("%d %b %Y", False),
)
_DAY_MONTH = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AaPp][Mm])?)?"
)
_ISO = re.compile(r"\d{4}-?\d{2}-?\d{2}([ T].*)?")
_ZONE_WORD = re.compile(r"(.*\d)\s*(?:UTC|GMT|Z)", re.IGNORECASE)


class TimeReader:
    """Reads times; ``zone`` is where those without an offset were written.

    ``day_first`` says how 03/04/2026 is meant: True is 3 April; None means that such a time is
    refused unless only one reading is possible. Times more than a day after ``now`` are refused.
    """

    def __init__(self, zone: ZoneInfo, now: datetime, day_first: bool | None = None) -> None:
        self.zone = zone
        self.latest = now + timedelta(days=1)
        self.day_first = day_first

    def read(self, value: Any) -> datetime:
        """The moment in UTC. Raises BadCell."""
        moment = self._moment(value)
        if not EARLIEST <= moment <= self.latest:
            raise BadCell(f"time: {words(value)[:60]} lies before 1990 or in the future")
        return moment

    def _moment(self, value: Any) -> datetime:
        if isinstance(value, datetime):
            # Parquet's nanoseconds come as a subclass that the database does not know.
            plain = getattr(value, "to_pydatetime", None)
            return self._aware(plain(warn=False) if plain else value)
        if isinstance(value, date):
            return self._aware(datetime.combine(value, time()))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _epoch(value)
        text = name(value)
        if not text:
            raise BadCell("time: empty")
        if _COMPACT.fullmatch(text):
            text = f"{text[:8]}T{text[8:]}"
        if _EPOCH.fullmatch(text):
            return _epoch(float(text))
        return self._aware(self._written(text))

    def _written(self, text: str) -> datetime:
        if _ISO.fullmatch(text):
            found = _try_iso(_SPACED_OFFSET.sub("", text))
            if found:
                return found
        zoned = _ZONE_WORD.fullmatch(text)
        if zoned and (found := _try_iso(zoned[1])) and found.tzinfo is None:
            return found.replace(tzinfo=UTC)
        if mixed := _DAY_MONTH.fullmatch(text):
            return self._day_month(mixed, text)
        for shape, has_offset in _SHAPES:
            try:
                found = datetime.strptime(text, shape)  # noqa: DTZ007 - the zone is added later
            except ValueError:
                continue
            assert has_offset == (found.tzinfo is not None)
            return found
        return _mail_date(text)

    def _day_month(self, found: re.Match[str], text: str) -> datetime:
        first, second = int(found[1]), int(found[3])
        # Dots stand between day and month in that order wherever they are used.
        day_first = True if found[2] == "." else self.day_first
        if first > 12 or second > 12 or first == second:
            day_first = first > 12
        if day_first is None:
            raise BadCell(
                f"time: {text[:60]} could be day/month or month/day; say which with --day-first "
                "or --no-day-first"
            )
        day, month = (first, second) if day_first else (second, first)
        hour = int(found[5] or 0)
        if found[8]:
            if not 1 <= hour <= 12:
                raise BadCell(f"time: {text[:60]} cannot be read")
            hour = hour % 12 + (12 if found[8].lower() == "pm" else 0)
        try:
            return datetime(  # noqa: DTZ001 - the zone is added later
                int(found[4]), month, day, hour, int(found[6] or 0), int(found[7] or 0)
            )
        except ValueError:
            raise BadCell(f"time: {text[:60]} is no date") from None

    def _aware(self, moment: datetime) -> datetime:
        if moment.tzinfo is not None:
            try:
                return moment.astimezone(UTC)
            except OverflowError:
                raise BadCell("time: out of range") from None
        early = moment.replace(tzinfo=self.zone, fold=0)
        late = moment.replace(tzinfo=self.zone, fold=1)
        if early.utcoffset() != late.utcoffset():
            raise BadCell(
                f"time: {moment:%Y-%m-%d %H:%M} falls where the clocks of {self.zone.key} change; "
                "give times with an offset"
            )
        return early.astimezone(UTC)


def _try_iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _mail_date(text: str) -> datetime:
    # Letters of a zone such as CST name several zones; only offsets and GMT are clear.
    if not re.search(r"[+-]\d{4}|GMT|UTC| Z$", text):
        raise BadCell(f"time: {text[:60]} cannot be read")
    try:
        return parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        raise BadCell(f"time: {text[:60]} cannot be read") from None


def _epoch(number: float) -> datetime:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, by their size."""
    for scale in (1, 1e3, 1e6, 1e9):
        seconds = number / scale
        if 5e8 <= seconds < 1e10:
            return datetime.fromtimestamp(seconds, UTC)
    raise BadCell(f"time: {number:g} is no number of seconds since 1970")
