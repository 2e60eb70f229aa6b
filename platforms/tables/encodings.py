"""Which encoding a text file has, and its lines."""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from charset_normalizer import from_bytes

from platforms.tables.base import TableError

LONGEST_LINE = 16 * 2**20
"""Characters of a line that are still taken for one; a longer one is skipped."""

_SAMPLE = 2**17
_LIKELY = ["gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1252", "cp1251", "cp1256"]
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class LineReader:
    """The lines of a text file with their ends, and how far it has been read.

    A line longer than ``LONGEST_LINE`` comes as None. NUL characters go: no database takes them.
    """

    def __init__(self, content: BinaryIO, raw: BinaryIO, size: int, encoding: str) -> None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise TableError(
                f"--encoding: {encoding!r} is not known. Use utf-8, utf-16, gb18030, latin-1, …"
            ) from error
        self.encoding = encoding
        self.damaged = 0
        self._raw = raw
        self._size = size
        self._text = io.TextIOWrapper(content, encoding=encoding, errors="replace", newline="")

    def __iter__(self) -> Iterator[str | None]:
        while line := self._text.readline(LONGEST_LINE):
            if len(line) >= LONGEST_LINE and not line.endswith(("\n", "\r")):
                self._skip_line()
                yield None
                continue
            if "\ufffd" in line:
                self.damaged += 1
            if "\0" in line:
                line = line.replace("\0", "")
            yield line

    def _skip_line(self) -> None:
        while part := self._text.readline(LONGEST_LINE):
            if part.endswith(("\n", "\r")):
                return

    def progress(self) -> float:
        """The share of the file's bytes (as they lie on the disk) that has been read."""
        return 1.0 if self._raw.closed else self._raw.tell() / self._size

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._text.close()
        self._raw.close()


def detect_encoding(path: Path, packed: bool) -> str:
    """The encoding of a text file by its mark, by being valid UTF-8, or by likelihood.

    Looks at the beginning, the middle and the end (of a packed file: the beginning). Falls back
    to UTF-8, whose reader replaces what it does not know.
    """
    parts = _samples(path, packed)
    first = parts[0]
    for mark, name in _MARKS:
        if first.startswith(mark):
            return name
    wide = _utf16_without_mark(first)
    if wide:
        return wide
    if all(_is_utf8(part) for part in parts):
        return "utf-8"
    suspicious = b"".join(part for part in parts if not _is_utf8(part))
    best = from_bytes(suspicious, cp_isolation=_LIKELY, steps=5, chunk_size=2048).best()
    if best is None:
        return "utf-8"
    return "cp1252" if best.encoding in {"latin_1", "cp1252"} else best.encoding


def _samples(path: Path, packed: bool) -> list[bytes]:
    if packed:
        with gzip.open(path, "rb") as unpacked:
            return [_whole_lines(unpacked.read(4 * _SAMPLE))]
    size = path.stat().st_size
    with path.open("rb") as file:
        parts = [_whole_lines(file.read(_SAMPLE))]
        for place in (size // 2, size - _SAMPLE):
            if place > _SAMPLE:
                file.seek(place)
                parts.append(_whole_lines(file.read(_SAMPLE), starts_inside=True))
    return parts


def _whole_lines(sample: bytes, starts_inside: bool = False) -> bytes:
    """Cut at line ends, so that no character is cut in half; too long lines stay as they are."""
    if starts_inside:
        begin = sample.find(b"\n") + 1
        sample = sample[begin:]
    end = sample.rfind(b"\n")
    return sample if end < 0 else sample[: end + 1]


def _is_utf8(sample: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(sample, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _utf16_without_mark(sample: bytes) -> str | None:
    head = sample[:4096]
    if len(head) < 4:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.3 * len(head) / 2 and even < odd / 4:
        return "utf-16-le"
    if even > 0.3 * len(head) / 2 and odd < even / 4:
        return "utf-16-be"
    return None
