"""What the interface says, in the reader's language (gettext catalogues under ``locale/``).

English is the source text; ``locale/zh/LC_MESSAGES/groundswell.po`` holds the Chinese. After a
change: ``python -m dashboard.words`` brings the catalogues up to date and compiles them.
"""

from __future__ import annotations

import functools
import gettext
from pathlib import Path

LANGUAGES = {"en": "English", "zh": "中文"}
LOCALE = Path(__file__).parent / "locale"
DOMAIN = "groundswell"


def N_(text: str) -> str:  # noqa: N802 - gettext's name for "to be translated later"
    """Mark a text for the catalogue where it cannot be translated yet (tables of words)."""
    return text


class Words:
    """The catalogue of one language."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"
        self._catalogue: gettext.NullTranslations = gettext.NullTranslations()
        if self.language != "en":
            self._catalogue = gettext.translation(DOMAIN, LOCALE, [self.language])

    def t(self, text: str, /, **values: object) -> str:
        """The text in this language, its ``{names}`` filled in."""
        if not text:
            return ""
        found = self._catalogue.gettext(text)
        return found.format(**values) if values else found

    def nt(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The text for ``n`` things; ``{n}`` is filled in as given in ``values``, else as ``n``."""
        return self._catalogue.ngettext(one, many, n).format(**{"n": n, **values})


@functools.cache
def of(language: str) -> Words:
    """The words of a language; English for one we do not have."""
    return Words(language)


def best_language(accept_language: str) -> str:
    """The first of our languages that a browser asks for (RFC 9110, section 12.5.4)."""
    wanted = []
    for place, part in enumerate(accept_language.split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        wanted.append((-weight, place, tag.split("-")[0].lower()))
    return next((tag for _, _, tag in sorted(wanted) if tag in LANGUAGES), "en")
