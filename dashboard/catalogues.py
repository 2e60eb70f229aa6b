"""Keeps the catalogues in step with the source: ``python -m dashboard.catalogues``.

It collects every text the interface says, updates the ``.po`` files, drops what is no longer
said, and compiles the ``.mo`` files that the program reads. It prints what lacks a translation.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from dashboard.words import DOMAIN, LANGUAGES, LOCALE

_SAID = frozenset({"t", "nt", "N_"})
# Errors are written in the stages and said in the reader's language here.
_ERRORS = frozenset(
    {"TicketError", "Collision", "ReplyRefused", "CannedError", "IncidentError", "NotifyError"}
)
# The catalogues carry no time of their own, so that compiling twice gives the same bytes.
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def source_texts() -> Catalog:
    """Every text that is marked with ``t``, ``nt`` or ``N_``, and the errors of stages."""
    template = Catalog(domain=DOMAIN, creation_date=_EPOCH, revision_date=_EPOCH)
    here = Path(__file__).parent
    stages = [(here.parent / stage, _ERRORS) for stage in ("crisis", "notify", "responder")]
    for folder, names in ((here, _SAID), *stages):
        for path in sorted(folder.rglob("*.py")):
            for message in _marked(path, names):
                template.add(message)
    return template


def _marked(path: Path, names: frozenset[str]) -> Iterator[str | tuple[str, str]]:
    # Babel's own extraction reads tokens and so misses what stands within an f-string.
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
        texts = [
            one.value
            for one in node.args[:2]
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value
        ]
        if name not in names or not texts:
            continue
        yield (texts[0], texts[1]) if name == "nt" else texts[0]


def read(language: str) -> Catalog:
    """A language's catalogue as it stands in its ``.po`` file; empty when there is none yet."""
    path = po_file(language)
    if not path.exists():
        return Catalog(locale=language, domain=DOMAIN, project="Groundswell", header_comment="")
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def po_file(language: str) -> Path:
    """Where a language's texts are kept; the compiled ``.mo`` lies beside it."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def compiled(catalogue: Catalog) -> bytes:
    """A catalogue in the binary form that gettext reads."""
    buffer = BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def untranslated(catalogue: Catalog) -> list[str]:
    """The texts of a catalogue that have no translation yet."""
    return [
        str(message.id) for message in catalogue if message.id and not all(_forms(message.string))
    ]


def _forms(translation: object) -> tuple[str, ...]:
    return (
        tuple(translation) if isinstance(translation, (tuple, list)) else (str(translation or ""),)
    )


def main() -> None:
    """Update and compile every catalogue."""
    template = source_texts()
    for language in LANGUAGES:
        if language == "en":
            continue
        catalogue = read(language)
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        catalogue.header_comment = "# Groundswell: texts of the interface."
        catalogue.project, catalogue.version, catalogue.fuzzy = "Groundswell", "1", False
        catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = ""
        catalogue.creation_date = catalogue.revision_date = _EPOCH
        path = po_file(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalogue, width=100, no_location=True, ignore_obsolete=True)
        path.with_suffix(".mo").write_bytes(compiled(read(language)))
        for text in untranslated(catalogue):
            print(f"{language}: no translation yet: {text}")  # noqa: T201 - a developer's tool


if __name__ == "__main__":
    main()
