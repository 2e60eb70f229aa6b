"""Which encoding a text file has, and its lines."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from charset_normalizer import from_bytes

from platforms.tables.base import TableError

LONGEST_LINE = 16 * 2**20
"""Characters of a line that are still taken for one; a longer one is skipped."""

_SAMPLE = 2**17
# Signs of which texts and headings are full, by the encoding they would be written in. Short files
# give too little for statistics: four Chinese words are valid Korean too, of a kind nobody writes.
_FREQUENT = {
    "gb18030": frozenset(
        "的一是不了在有人我他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家"
        "学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见"
        "经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话"
        "儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真"
        "听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立"
        "张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各"
        "任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社"
        "术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候"
        "七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒"
        "未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石"
        "若兵弟谁校读志飞观争究包组造落视济喜离虽坏响谢款退差慢赞评编号内容户间题者牌户态服"
        "，。！？；：、“”（）《》…—～"
    ),
    "big5": frozenset(
        "的一是不了在有人我他這中大來上個國到說們為子和你地出道也時年得就那要下以生會自著去之過家"
        "學對可她裡後小麼心多天而能好都然沒日於起還發成事只作當想看文無開手十用主行方又如前所本見"
        "經頭面公同三已老從動兩長知民樣現分將外但身些與高意進把法此實回二理美點月明其種聲全工己話"
        "兒者向情部正名定女問力機給等幾很業最間新什打便位因重被走電四第門相次東真聽氣信少關並內加"
        "產太水體別處總才場師書比員通目報難數件應路期感更反合放做請愛讓認錢買賣服務退款差慢讚評編"
        "號容戶題牌態謝喜歡還沒再"
        "，。！？；：、「」（）《》…—～"
    ),
    "euc_kr": frozenset(
        "이다에는을를의가한하고은로지도들서기사해그나리어있자정아인대일시것으수제게라부만여스전과"
        "장상구보안주성용원비무너요없좋습니까데때면더많번호내용요정말맛오선배송늦환불"
    ),
}
_KANA = re.compile("[\u3041-\u30ff、。]")
_RUNS = re.compile(rb"[A-Za-z]?[\x80-\xff]+[A-Za-z]?")
_LETTERS = string.ascii_letters.encode()
_LATIN = frozenset(range(0xC0, 0x100)) | frozenset(b"\x80\x85\x91\x92\x93\x94\x96\x97\xa1\xa3\xbf")
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
    shaped = _by_shape(suspicious)
    if shaped:
        return shaped
    best = from_bytes(suspicious, cp_isolation=_LIKELY, steps=5, chunk_size=2048).best()
    if best is None:
        return "utf-8"
    return "cp1252" if best.encoding in {"latin_1", "cp1252"} else best.encoding


def _by_shape(sample: bytes) -> str | None:
    """The encoding, where single letters stand among plain ones or frequent signs are many."""
    runs = _RUNS.findall(sample)
    if sum(map(_is_accent, runs)) >= 0.8 * len(runs):
        return "cp1252"
    shares: dict[str, float] = {}
    for name in ("gb18030", "big5", "euc_kr", "shift_jis", "euc_jp"):
        try:
            signs = [sign for sign in sample.decode(name) if sign > "\x7f"]
        except UnicodeDecodeError:
            continue
        frequent = _FREQUENT.get(name)
        known = sum(sign in frequent if frequent else bool(_KANA.match(sign)) for sign in signs)
        shares[name] = known / max(1, len(signs))
    best = max(shares, key=shares.__getitem__, default="")
    return best if best and shares[best] >= 0.3 else None


def _is_accent(run: bytes) -> bool:
    """Whether high bytes look like letters with accents: one, or two within a word."""
    high = run.strip(_LETTERS)
    return len(high) <= (1 if high == run else 2) and all(byte in _LATIN for byte in high)


def _samples(path: Path, packed: bool) -> list[bytes]:
    """The whole of a short file, else whole lines of its beginning, middle and end."""
    if packed:
        with gzip.open(path, "rb") as unpacked:
            beginning = unpacked.read(3 * _SAMPLE)
            return [_up_to_line_end(beginning) if unpacked.read(1) else beginning]
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= 3 * _SAMPLE:
            return [file.read()]
        beginning = _up_to_line_end(file.read(_SAMPLE))
        file.seek(size // 2)
        middle = _up_to_line_end(_from_line_start(file.read(_SAMPLE)))
        file.seek(size - _SAMPLE)
        return [beginning, middle, _from_line_start(file.read())]


def _up_to_line_end(sample: bytes) -> bytes:
    """Without the last line, which may end within a character, unless it is the only one."""
    end = sample.rfind(b"\n")
    return sample if end < 0 else sample[: end + 1]


def _from_line_start(sample: bytes) -> bytes:
    return sample[sample.find(b"\n") + 1 :]


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
