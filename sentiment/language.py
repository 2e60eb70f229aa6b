"""Which language a post is written in: first by its script, then by py3langid.

Posts are short, and byte statistics need some length.  The script alone decides for Chinese,
Japanese, Korean, Hindi, Thai and others; only among languages that share a script does the
bundled naive Bayes model of py3langid (https://github.com/adbar/py3langid) have its say, over
the languages in use on the platforms we listen to.
"""

import re
from bisect import bisect_right
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from sentiment.base import UNDETERMINED

LONGEST = 2_000
"""Characters that are looked at: enough to tell, whatever the length of the text."""

_LATIN = "ca cs da de en es et fi fr hr hu id it lt lv ms nl no pl pt ro sk sl sq sv tl tr vi"
LATIN = frozenset(_LATIN.split())
CYRILLIC = frozenset({"ru", "uk", "bg", "sr", "mk", "be", "kk"})
INDIC = frozenset({"hi", "mr", "ne"})
# Words of Hindi as it is typed in Latin letters, which no model of the library knows.
_ROMAN_HINDI = """hai hain nahi nahin nhi kya kyu kyun kyon aur bhi toh yeh woh mein hum tum aap
    apna apne mera meri mere tera teri hota hoga raha rahe rahi karo karna karne kiya gaya gayi liye
    wala wale wali sabhi bahut bohot kuch koi accha acha bhai ji abhi phir kaise kab jab tak hua
    hui unka iska isko usko kar ki ka ke ko"""
ROMAN_HINDI = frozenset(_ROMAN_HINDI.split())
# What short posts are made of; each word belongs to one language only.
_SHORT_WORDS = {
    "de": "danke bitte nicht ist ich und der das schlecht gut sehr mein wie warum kaputt hallo",
    "es": "gracias hola muy gusta pero bueno malo estoy cuando favor mi nada servicio",
    "fr": "merci bonjour très est pas avec mais nul bien vous je suis pourquoi c'est",
    "it": "grazie ciao non molto sono perché bene buono pessimo quando che",
    "pt": "obrigado obrigada olá muito não bom ruim você quando estou meu",
    "nl": "bedankt niet het goed slecht ik mijn een waarom",
    "id": "terima kasih tidak saya bagus kenapa bisa yang",
    "tr": "teşekkürler çok iyi kötü değil neden bir",
}
_SHORT: dict[str, set[str]] = {name: set(words.split()) for name, words in _SHORT_WORDS.items()}
_PLAIN_WORD = re.compile(r"[a-z]+")

SHORT = 24
"""Letters below which the statistics are a guess: English then gets the benefit of the doubt."""
BENEFIT = 0.4

_NOISE = re.compile(
    r"https?\S*|www\.\S+|[@#]\w+|\[[^\[\]\s]{1,8}\]|&\w+;|\b[A-Z]\w*[0-9]\w*\b|\bRT\b"
)
_ADDRESS = re.compile(r"https?\S*|www\.\S+|@\w+|&\w+;")
# First code point of each block, and the script it belongs to.
_BLOCKS: list[tuple[int, str]] = [
    (0x0000, ""),
    (0x0041, "latin"),
    (0x005B, ""),
    (0x0061, "latin"),
    (0x007B, ""),
    (0x00C0, "latin"),
    (0x00D7, ""),
    (0x00D8, "latin"),
    (0x00F7, ""),
    (0x00F8, "latin"),
    (0x0250, ""),
    (0x0370, "el"),
    (0x0400, "cyrillic"),
    (0x0530, "hy"),
    (0x0590, "he"),
    (0x0600, "arabic"),
    (0x0700, ""),
    (0x0750, "arabic"),
    (0x0780, ""),
    (0x0900, "indic"),
    (0x0980, "bn"),
    (0x0A00, "pa"),
    (0x0A80, "gu"),
    (0x0B00, "or"),
    (0x0B80, "ta"),
    (0x0C00, "te"),
    (0x0C80, "kn"),
    (0x0D00, "ml"),
    (0x0D80, "si"),
    (0x0E00, "th"),
    (0x0E80, "lo"),
    (0x0F00, "bo"),
    (0x1000, "my"),
    (0x10A0, "ka"),
    (0x1100, "ko"),
    (0x1200, "am"),
    (0x13A0, ""),
    (0x1780, "km"),
    (0x1800, ""),
    (0x1E00, "latin"),
    (0x1F00, "el"),
    (0x2000, ""),
    (0x3041, "kana"),
    (0x30FB, ""),
    (0x3130, "ko"),
    (0x3190, ""),
    (0x31F0, "kana"),
    (0x3200, ""),
    (0x3400, "han"),
    (0x4DC0, ""),
    (0x4E00, "han"),
    (0xA000, ""),
    (0xAC00, "ko"),
    (0xD7B0, ""),
    (0xF900, "han"),
    (0xFB00, ""),
    (0xFB50, "arabic"),
    (0xFE00, ""),
    (0xFE70, "arabic"),
    (0xFEFF, ""),
    (0xFF66, "kana"),
    (0xFFA0, ""),
    (0x20000, "han"),
    (0x323B0, ""),
]
_STARTS = [start for start, _ in _BLOCKS]
# One Chinese character says about as much as four letters of an alphabet.
_WEIGHTS = {"han": 1.0, "kana": 1.0, "ko": 0.7}
_LETTER_WEIGHT = 0.25
_PERSIAN = set("پچژگکی")
_URDU = set("ٹڈڑےںھہ")
_UKRAINIAN = set("іїєґІЇЄҐ")


def identify(text: str) -> str:
    """ISO 639-1 code of the language of ``text``, or ``"und"``; never raises.

    Names, links, hash tags and emoticons are left aside.  A text without letters is ``"und"``.
    """
    text = text[:LONGEST].encode("utf-8", "ignore").decode("utf-8")
    bare = _NOISE.sub(" ", text)
    scripts = _scripts(bare)
    if not scripts:
        bare = _ADDRESS.sub(" ", text)  # hash tags are better than nothing
        scripts = _scripts(bare)
    if not scripts:
        return UNDETERMINED
    kana, han = scripts.pop("kana", 0.0), scripts.get("han", 0.0)
    if kana >= 2 and kana > 0.1 * han:
        scripts["ja"] = kana + scripts.pop("han", 0.0)
    elif kana and not han:
        scripts["ja"] = kana
    script = max(scripts, key=lambda name: scripts[name])
    if script == "han":
        return "zh"
    if script == "latin":
        return _latin(bare, scripts[script] / _LETTER_WEIGHT)
    if script == "arabic":
        return _arabic(bare)
    if script == "cyrillic":
        if _UKRAINIAN & set(bare):
            return "uk"
        return "ru" if scripts[script] < 10 * _LETTER_WEIGHT else _guess("cyrillic", bare)[0]
    if script == "indic":
        return "hi" if scripts[script] < 40 * _LETTER_WEIGHT else _guess("indic", bare)[0]
    return script


def _scripts(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for character in text:
        script = _BLOCKS[bisect_right(_STARTS, ord(character)) - 1][1]
        if script:
            found[script] = found.get(script, 0.0) + _WEIGHTS.get(script, _LETTER_WEIGHT)
    return found


def _latin(text: str, letters: float) -> str:
    words = _PLAIN_WORD.findall(text.lower())
    hindi = [word for word in words if word in ROMAN_HINDI]
    if len(set(hindi)) >= 2 and len(hindi) >= 0.2 * len(words):
        return "hi"
    if letters < SHORT:
        marks = {word.strip('.,!?¡¿:;"()') for word in text.lower().split()}
        hits = {name: len(marks & known) for name, known in _SHORT.items() if marks & known}
        best = [name for name, count in hits.items() if count == max(hits.values())]
        if len(best) == 1:
            return best[0]
    guess, sure = _guess("latin", text)
    if guess != "en" and letters < SHORT and text.isascii() and sure < BENEFIT:
        return "en"
    return guess


def _arabic(text: str) -> str:
    letters = set(text)
    if _URDU & letters:
        return "ur"
    return "fa" if len(_PERSIAN & letters) >= 2 else "ar"


@cache
def _identifier(script: str) -> LanguageIdentifier:
    known = {"latin": LATIN, "cyrillic": CYRILLIC, "indic": INDIC}[script]
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(set(known) & set(identifier.labels))
    return identifier


def _guess(script: str, text: str) -> tuple[str, float]:
    language, sure = _identifier(script).classify(" ".join(text.split()))
    return str(language), float(sure)
